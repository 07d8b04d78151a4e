# imker: start the containers that do not run, twice at most. Print the names of all that run afterwards.
# $1: seconds for each start; then files to remove at the end. stdin: the names of the containers.
set -e
seconds=$1
shift
read_names

for _ in 1 2; do
  running=$(docker ps --format '{{.Names}}')
  stopped=$(printf '%s' "$names" | grep -Fxv -e "$running") || break
  printf '%s\n' "$stopped" | while read -r name; do
    timeout "$seconds" docker start "$name" < /dev/null > /dev/null 2>&1 || true
  done
  running=$(docker ps --format '{{.Names}}')
done
rm -f -- "$@"
printf '%s\n' "$running"
