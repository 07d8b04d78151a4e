# Define `section NAME COMMAND...`, which keeps a command's output, and `print_sections`, which prints all of them.
# `background NAME COMMAND...` does so while the script continues.
# An answer has a line "LENGTH STATUS NAME" for each section, an empty line, and then all outputs without separators.
# LENGTH is in bytes, STATUS is the command's exit status. Standard error is dropped.
# Nothing changes on the host: outputs are kept in a temporary folder, in memory if possible.
# Each program costs the host milliseconds, so what the shell can do itself is done by it.
export LC_ALL=C
umask 077
folder=$(mktemp -d -p /run 2>/dev/null || mktemp -d) || exit
trap 'rm -rf "$folder"' EXIT
ulimit -f 8192  # a longer output ends its command, and the section's status says so
count=0 numbers=
section() {
  add_section "$1"; shift
  keep_output "$count" "$@"
}
# For a command that waits for another process.
background() {
  add_section "$1"; shift
  keep_output "$count" "$@" &
}
add_section() {
  count=$((count + 1)) numbers="$numbers $count"
  printf '%s\n' "$1" >>"$folder/names"
}
keep_output() {
  number=$1 status=0; shift
  "$@" >"$folder/$number" 2>/dev/null </dev/null || status=$?
  echo "$status" >"$folder/$number.status"
}
print_sections() {
  cd "$folder" && wait || exit
  stat -c %s $numbers >lengths
  number=0
  while read -r length && IFS= read -r name <&3; do
    number=$((number + 1))
    read -r status <"$number.status"
    printf '%s %s %s\n' "$length" "$status" "$name"
  done <lengths 3<names
  echo
  cat $numbers
}
# Print the start of a file: enough to see that it is too long for an option file.
show_file() {
  [ -e "$1" ] && [ ! -p "$1" ] && head -c 300000 -- "$1"
}
show_first_line() {
  read -r line <"$1" && printf '%s\n' "$line"
}
# Keep an option file with its modification time, and Imker's backups of it. Each path is read once.
option_file() {
  case "$paths" in *"|$1|"*) return ;; esac
  paths="$paths|$1|"
  [ -e "$1" ] || return
  section "file $1" show_file "$1"
  section "modified $1" stat -c %.Y -- "$1"
  for copy in "$1".imker-*; do
    [ ! -e "$copy" ] || section "file $copy" show_file "$copy"
  done
}
paths=
