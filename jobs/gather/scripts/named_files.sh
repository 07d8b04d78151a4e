# Files that option values name. $1: daemon.json if it is elsewhere. $2: certificate, the first of the TLS files "$@".
unreadable_files() {
  for path; do
    [ -z "$path" ] || head -c 1 -- "$path" >"$folder/first" || echo "$path"
  done
}
[ -z "$1" ] || option_file "$1"
shift
section certificate show_file "$1"
section unreadable unreadable_files "$@"
