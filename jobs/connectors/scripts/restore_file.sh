# imker: replace a file with its backup, with the backup's mode, owner, and modification time.
# $1: the backup; $2: the file.
set -e
to=$(readlink -f -- "$2")
cp -p -- "$1" "$to.imker~"
mv -f -- "$to.imker~" "$to"
