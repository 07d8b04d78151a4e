# The options of docker.service: the files that systemd names, daemon.json, and the running daemon's command line.
# Both clocks are read at once: a delay between two reads would be counted as daemon uptime.
clocks() {
  date +%s.%N
  cat /proc/uptime
}
daemon_command_line() {
  cat "/proc/$(sed -n 's/^MainPID=//p' "$unit")/cmdline"
}
existing_paths() {
  for path; do
    [ ! -e "$path" ] || printf '%s\n' "$path"
  done
}
# Keep the files of the unit. A pattern such as "/etc/default/d*" stands for several files.
unit_files() {
  sed -n 's/^FragmentPath=//p' "$unit" >"$folder/paths"
  sed -n 's/^DropInPaths=//p' "$unit" | tr ' ' '\n' >>"$folder/paths"
  sed -n 's/^EnvironmentFiles=\(.*\) (ignore_errors=.*/\1/p' "$unit" >>"$folder/paths"
  blanks=$IFS IFS=
  while read -r pattern; do
    case $pattern in *[*?[]*) section "paths $pattern" existing_paths $pattern ;; esac
    for path in $pattern; do option_file "$path"; done
  done <"$folder/paths"
  IFS=$blanks
}
section clocks clocks
section unit timeout 10 systemctl show docker.service -pFragmentPath -pDropInPaths -pEnvironmentFiles -pExecMainStartTimestampMonotonic -pMainPID
unit=$folder/$count
section command_line daemon_command_line
section hostname cat /proc/sys/kernel/hostname
unit_files
option_file /etc/default/docker
option_file /etc/docker/daemon.json
