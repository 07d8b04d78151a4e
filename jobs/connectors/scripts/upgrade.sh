# Install packages. $1, $2, ...: "name=version", the Engine's first.
# A download ahead that still runs is stopped first, and one that failed becomes a note in the output.
download=imker-download.service
case $(systemctl show -p ActiveState --value $download) in
  inactive) ;;
  failed)
    echo "the packages were not downloaded ahead:"
    journalctl -u $download -o cat -n 3 --no-pager
    systemctl reset-failed $download
    ;;
  *) systemctl stop $download || true ;;
esac
# Half-configured packages are repaired first, without prompts. Modified conffiles are kept. Only those of the Engine's
# package are replaced by the maintainer's, which dpkg leaves as .dpkg-dist. dpkg does not wait for its lock, so this
# script does; apt waits 10 minutes. A package that cannot be configured may be the one to replace: apt decides.
tries=0 began=$(mktemp); trap 'rm -f "$began"' EXIT
until output=$(dpkg --force-confold --configure -a 2>&1); do
  tries=$((tries + 1))
  case $output in *lock*) ;; *) echo "$output"; break ;; esac
  [ $tries -lt 120 ] || { echo "$output"; exit 1; }
  echo "waiting for dpkg's lock"; sleep 5
done
set -e
apt-get -q update -o DPkg::Lock::Timeout=600 -o APT::Update::Error-Mode=any
apt-get -q install -y --allow-downgrades --no-install-recommends \
  -o DPkg::Lock::Timeout=600 -o Dpkg::Options::=--force-confold -- "$@"
dpkg-query -W -f '${Conffiles}\n' "${1%%=*}" | while read -r file _; do
  [ -n "$(find "$file.dpkg-dist" -newercc "$began" 2>/dev/null)" ] || continue
  echo "replaced $file with the maintainer's version"
  [ ! -e "$file" ] || cp -p -- "$file" "$file.dpkg-old"; mv -f -- "$file.dpkg-dist" "$file"
done
