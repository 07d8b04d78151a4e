# imker: stop a transient unit, forget its exit status, and print a file.
# $1: the unit; $2: the file, or "".
systemctl stop "$1" 2>/dev/null
systemctl reset-failed "$1" 2>/dev/null
if [ -n "$2" ] && [ -e "$2" ]; then cat -- "$2"; fi
