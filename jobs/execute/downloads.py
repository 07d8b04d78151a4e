"""Download packages ahead of a host's upgrade, in a transient systemd unit. Nothing but apt's archive folder changes.

In: a fenced shell, the apt source after the migration, the packages. Out: a running unit, whose failure is only a note.
"""

from jobs.connectors import systemd
from jobs.connectors.shell import Shell, script, sudo

DOWNLOAD_UNIT = "imker-download.service"
MAX_SECONDS = 30 * 60  # then systemd stops the download
# The script prepares a folder with a configuration of its own and starts the unit. apt takes all its settings and lists
# from there, without the host's hooks for `apt-get update`. The unit removes the folder however it ends. Sources may
# hold passwords: they come by standard input. $2: the file name of Docker's apt source, "" for none.
START_SCRIPT = f"""
set -e
service=$1 list=$2 program=$3; shift 3
! systemctl -q is-active "$service" || exit 0
systemctl reset-failed "$service" 2>/dev/null || true
umask 022; mkdir -p /var/cache/apt/archives
dir=$(mktemp -d /var/cache/apt/archives/imker.XXXXXX); trap 'rm -rf "$dir"' EXIT
chmod 711 "$dir"; cd "$dir"; mkdir -p docker parts conf cache lists/partial archives/partial
cp -a /etc/apt/apt.conf.d/. conf/ 2>/dev/null || true
cp -p /etc/apt/apt.conf conf/zz-main 2>/dev/null || true
cp -a /etc/apt/sources.list.d/. parts/ 2>/dev/null || true
chmod 700 docker parts conf
[ -z "$list" ] || {{ (umask 077; cat > "docker/$list"); cp -p "docker/$list" "parts/$list"; }}
echo "Dir::Etc::parts \\"$dir/conf\\"; Dir::Etc::main \\"/dev/null\\";" > apt.conf
cat > conf/zzz-imker <<END
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
Dir::Etc::sourceparts "$dir/parts"; Dir::State::lists "$dir/lists";
Dir::Cache "$dir/cache"; Dir::Cache::archives "$dir/archives"; Debug::NoLocking "true";
END
systemd-run -q --unit="$service" --description="Imker: download $*" --nice=19 \\
  --property=RuntimeMaxSec={MAX_SECONDS} --property=TimeoutStopSec=10 --property=ExecStopPost="/bin/rm -rf -- $dir" \\
  --setenv=DEBIAN_FRONTEND=noninteractive --setenv=APT_CONFIG="$dir/apt.conf" sh -c "$program" imker "$dir" "$@"
trap - EXIT
"""
# The unit's program: only Docker's lists are fetched, the others are the host's own. It takes none of apt's locks.
DOWNLOAD_SCRIPT = """
set -e
dir=$1; shift
for file in /var/lib/apt/lists/*_*; do
  [ ! -f "$file" ] || ln -- "$file" "$dir/lists/" 2>/dev/null || cp -p -- "$file" "$dir/lists/"
done
ln -- /var/cache/apt/archives/*.deb "$dir/archives/" 2>/dev/null || true
[ -z "$(ls "$dir/docker")" ] || apt-get -q update -o Dir::Etc::sourcelist=/dev/null \\
  -o Dir::Etc::sourceparts="$dir/docker" -o APT::Get::List-Cleanup=false -o APT::Update::Error-Mode=any
apt-get -q install -y --download-only --allow-downgrades --no-install-recommends -- "$@"
for file in "$dir"/archives/*.deb; do [ ! -f "$file" ] || mv -f -- "$file" /var/cache/apt/archives/; done
"""


def start_download(shell: Shell, list_name: str, source: str, packages: tuple[str, ...]) -> None:
    """Start the unit, unless it is running. `source`: the text of Docker's apt source after the migration."""
    words = (word.replace("$", "$$") for word in (DOWNLOAD_SCRIPT, *packages))  # systemd would replace its variables
    shell.run(sudo(*script(START_SCRIPT, DOWNLOAD_UNIT, list_name if source else "", *words), stdin=source))


def is_downloading(shell: Shell) -> bool:
    """Return whether the unit is running."""
    return systemd.read_unit_state(shell, DOWNLOAD_UNIT).running


def stop_download(shell: Shell) -> None:
    """Stop the unit. What it has not finished is removed."""
    systemd.reset_unit(shell, DOWNLOAD_UNIT)
