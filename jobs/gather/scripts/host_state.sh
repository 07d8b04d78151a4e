# Packages, state files, the Engine, and the environment. $1: SSH user. $2: apt list. $3: configured package, or "".
# $4: "" if the Engine's API did not answer.
# A tool that is missing, or that hangs, leaves its section empty.
# Print the packages that are an Engine, and all that are not completely installed or removed.
packages() {
  dpkg-query -W -f '${db:Status-Abbrev}|${Package}|${Version}\n' |
    grep -e '^.[^inc]' -e '^..[^ ]' -e '|docker-ce|' -e '|docker.io|' -e '|docker-engine|' -e "|${1:-docker-ce}|"
}
# An Engine before 1.13 cannot print its information in a format, but its version.
engine_info() {
  [ -z "$1" ] || return
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
background info engine_info "$4"
background overlays timeout 10 docker network ls --filter driver=overlay --format '{{.Scope}} {{.Name}}'
section packages packages "$3"
section apt_list show_file "$2"
section upgrade_unit timeout 10 systemctl show imker-upgrade.service -pLoadState -pActiveState
section running_containers show_file /var/lib/imker/ran
section rollback_point show_file /var/lib/imker/before
section fence show_file /var/lib/imker/fence
section machine_id show_first_line /etc/machine-id
section boot_id show_first_line /proc/sys/kernel/random/boot_id
section init show_first_line /proc/1/comm
section disk timeout 10 df -PB1 / /var/lib/docker /var/cache/apt/archives
section addresses ip -o addr show
section links ip -o link show
section routes ip -4 route show
section groups id -nG -- "$1"
section iptables iptables --version
section legacy_tables show_first_line /proc/net/ip_tables_names
section store_connections ss -Htn state established 'sport = :8500'
section locks lock_holder
section socket timeout 10 systemctl show docker.socket -pListen
