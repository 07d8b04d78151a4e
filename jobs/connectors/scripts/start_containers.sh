# imker: start the containers that do not run, twice at most. Print the names of all that run afterwards.
# $1: seconds for each start; then files to remove at the end. stdin: the names of the containers.
set -e
seconds=$1
shift
read_names

start_stopped() {
  running=$(docker ps --format '{{.Names}}')
  printf '%s' "$names" | while read -r name; do
    if printf '%s\n' "$running" | grep -Fxq -- "$name"; then continue; fi
    timeout "$seconds" docker start "$name" < /dev/null > /dev/null 2>&1 || true
  done
}

start_stopped
start_stopped
docker ps --format '{{.Names}}'
rm -f -- "$@"
