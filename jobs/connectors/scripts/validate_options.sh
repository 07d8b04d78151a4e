# imker: save the names of the running containers and validate the Engine's options, before its restart.
# $1: the file for the names, which come from stdin; $2: "replace" to write it even if it exists; then the options for
# `dockerd --validate`. Exit status 65: the Engine rejects its options, and is not restarted.
set -e
file=$1 mode=$2
shift 2
read_names
if [ "$mode" = replace ] || [ ! -e "$file" ]; then
  umask 022
  mkdir -p -- "${file%/*}"
  printf '%s' "$names" > "$file~"
  mv -f -- "$file~" "$file"
fi
# Engines before 23.0 cannot validate their options.
if ! output=$(timeout 20 dockerd --validate "$@" 2>&1); then
  case $output in
    *"unknown flag: --validate"*|*"flag provided but not defined"*) ;;
    *) printf '%s\n' "$output" >&2; exit 65 ;;
  esac
fi
