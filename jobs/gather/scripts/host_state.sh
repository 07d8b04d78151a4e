# Packages, state files, the Engine, and the environment. $1: SSH user. $2: apt list. $3: configured package, or "".
# A tool that is missing, or that hangs, leaves its section empty.
broken_packages() {
  dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' | grep -v '^[a-z][inc] '
}
# An Engine before 1.13 cannot print its information in a format, but its version.
engine_info() {
  info=$(timeout 10 docker info --format '{{json .}}') ||
    info=$(timeout 10 docker version --format '{"ServerVersion": "{{.Server.Version}}"}') || return
  printf '%s\n' "$info"
}
# Print process ID and name of the holder of dpkg's lock, which /proc/locks names by device and inode.
lock_holder() {
  inodes=$(stat -c %i /var/lib/dpkg/lock-frontend /var/lib/dpkg/lock) || return
  while read -r _ kind _ _ pid place _; do
    for inode in $inodes; do
      [ "$kind:${place##*:}" != "POSIX:$inode" ] || { echo "$pid $(cat "/proc/$pid/comm")"; return; }
    done
  done </proc/locks
}
background info engine_info
background overlays timeout 10 docker network ls --filter driver=overlay --format '{{.Scope}} {{.Name}}'
section packages dpkg-query -W -f '${db:Status-Abbrev}|${Package}|${Version}\n' docker-ce docker.io docker-engine "$3"
section apt_list show_file "$2"
section upgrade_unit timeout 10 systemctl show imker-upgrade.service -pLoadState -pActiveState
section running_containers show_file /var/lib/imker/ran
section rollback_point show_file /var/lib/imker/before
section fence show_file /var/lib/imker/fence
section machine_id cat /etc/machine-id
section init cat /proc/1/comm
section disk timeout 10 df -PB1 / /var/lib/docker /var/cache/apt/archives
section broken broken_packages
section addresses ip -o addr show
section links ip -o link show
section routes ip -4 route show
section groups id -nG -- "$1"
section iptables timeout 10 iptables --version
section legacy_tables cat /proc/net/ip_tables_names
section store_connections ss -Htn state established 'sport = :8500'
section locks lock_holder
section socket timeout 10 systemctl show docker.socket -pListen
