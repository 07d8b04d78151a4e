# The options of docker.service: the files that systemd names, daemon.json, and the running daemon's command line.
# Both clocks are read at once: a delay between two reads would be counted as daemon uptime.
clocks() {
  date +%s.%N
  show_first_line /proc/uptime
}
daemon_command_line() {
  while read -r line; do
    case $line in MainPID=*) cat "/proc/${line#*=}/cmdline"; return ;; esac
  done <"$unit"
  return 1
}
existing_paths() {
  for path; do
    [ ! -e "$path" ] || printf '%s\n' "$path"
  done
}
# Keep the files of the unit. A pattern such as "/etc/default/d*" stands for several files.
unit_files() {
  while IFS= read -r line; do
    value=${line#*=}
    case $line in
      FragmentPath=*) option_file "$value" ;;
      DropInPaths=*) for path in $value; do option_file "$path"; done ;;
      EnvironmentFiles=*) environment_files "${value% (ignore_errors=*}" ;;
    esac
  done <"$unit"
}
environment_files() {
  blanks=$IFS IFS=
  case $1 in *[*?[]*) section "paths $1" existing_paths $1 ;; esac
  for path in $1; do option_file "$path"; done
  IFS=$blanks
}
section clocks clocks
section unit timeout 10 systemctl show docker.service -pFragmentPath -pDropInPaths -pEnvironmentFiles -pExecMainStartTimestampMonotonic -pMainPID
unit=$folder/$count
section command_line daemon_command_line
section hostname show_first_line /proc/sys/kernel/hostname
unit_files
option_file /etc/default/docker
option_file /etc/docker/daemon.json
