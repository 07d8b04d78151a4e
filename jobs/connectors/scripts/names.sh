# imker: read names from stdin, one a line, into $names. The last line is a dot: without it, the connection was lost.
read_names() {
  names=$(cat)
  [ "${names##*
}" = . ] || { echo "the list of names is incomplete" >&2; exit 1; }
  names=${names%.}
}
