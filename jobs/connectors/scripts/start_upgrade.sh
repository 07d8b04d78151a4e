# imker: start the unit of an upgrade, unless it runs or has ended with these packages. First save what to go back to.
# $1: the unit; $2: its description; $3: end of a backup's name; $4: file with the rollback point; $5: a file to back up,
# or ""; $6: the installed packages, one a line, or ""; then the other arguments of systemd-run.
# Exit status 65: another upgrade has ended there, whose result has to be read and reset first.
unit=$1 description=$2 suffix=$3 record=$4 file=$5 packages=$6
shift 6

# Once per migration: later, the installed packages are the new ones.
record_packages() {
  if [ -e "$record" ] && grep -q '^[^/]' "$record"; then return 0; fi
  mkdir -p -- "${record%/*}"
  printf '%s\n' "$packages" >> "$record"
}

value() { # PROPERTY
  printf '%s\n' "$state" | sed -n "s/^$1=//p"
}

if [ -n "$file" ]; then back_up "$file"; fi
if [ -n "$packages" ]; then record_packages; fi
state=$(systemctl show "$unit" -pActiveState -pSubState -pDescription)
case "$(value ActiveState) $(value SubState)" in
  inactive*) ;;
  "active exited")
    [ "$(value Description)" = "$description" ] || exit 65
    exit 0
    ;;
  active*|activating*) exit 0 ;;
  *) exit 65 ;;
esac
systemd-run --unit="$unit" --description="$description" "$@"
