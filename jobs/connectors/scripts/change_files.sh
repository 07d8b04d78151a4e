# imker: change files, in one command: compare, back up, write. If one file differs, nothing is changed.
# $1: end of a backup's name; $2: file with the rollback point; then four words for each file: its path, the SHA-256 of
# the text that it has to have ("none": it has to be missing), "save" to back it up or "", the bytes of its new text.
# stdin: the new texts, one after the other.
suffix=$1 record=$2
shift 2

compare() { # PATH SHA256
  now=none
  if [ -e "$1" ]; then now=$(sha256sum < "$1"); fi
  [ "${now%% *}" = "$2" ] || { echo "imker-changed $1" >&2; exit 65; }
}

save() { # PATH SHA256 SAVE
  if [ "$3" = save ]; then back_up "$1"; fi
}

# Write a temporary file. Mode and owner are kept, and set before the text is written. A symbolic link stays a link.
# Fewer bytes than promised mean that the connection was lost.
write() { # PATH SHA256 SAVE BYTES
  mkdir -p -- "$(dirname -- "$1")"
  to=$(readlink -f -- "$1")
  rm -f -- "$to.imker~"
  if [ -e "$to" ]; then cp -p -- "$to" "$to.imker~"; fi
  head -c "$4" > "$to.imker~"
  [ "$(wc -c < "$to.imker~")" -eq "$4" ] || { echo "$1: the new text is incomplete" >&2; exit 1; }
}

# A reader sees the old or the new text, never a part.
replace() { # PATH
  to=$(readlink -f -- "$1")
  mv -f -- "$to.imker~" "$to"
}

each() { # FUNCTION WORDS-OF-ALL-FILES
  work=$1
  shift
  while [ $# -gt 0 ]; do
    "$work" "$1" "$2" "$3" "$4"
    shift 4
  done
}

each compare "$@"
each save "$@"
each write "$@"
each replace "$@"
