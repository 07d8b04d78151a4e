# imker: functions that back up files. They need $suffix, the end of a backup's name, and $record, the file with the
# rollback point: the first backup of each file in an unfinished migration, one path a line.
set -e
umask 022

in_rollback_point() { # PATH
  [ -e "$record" ] || return 1
  while read -r line; do
    case $line in "$1.imker-"*) return 0 ;; esac
  done < "$record"
  return 1
}

# Copy a file into the same folder, with mode, owner, and modification time. Record the copy before the file can change.
back_up() { # PATH
  [ -e "$1" ] || return 0
  cp -p -- "$1" "$1.imker-$suffix"
  if in_rollback_point "$1"; then return 0; fi
  mkdir -p -- "${record%/*}"
  echo "$1.imker-$suffix" >> "$record"
}
