# imker: follow a transient unit until it has ended, or for $2 seconds. Changes nothing.
# $1: the unit; $2: seconds; $3: lines of output; then the arguments that let `systemctl show` print its state.
# stderr: what the unit prints, as it comes. stdout: its state, an empty line, and its last lines.
unit=$1 seconds=$2 lines=$3
shift 3

is_running() {
  case $(systemctl show "$unit" -pActiveState -pSubState) in
    *SubState=exited*) return 1 ;;
    *ActiveState=active*|*ActiveState=activating*) return 0 ;;
  esac
  return 1
}

# Wait for the unit's process, then for systemd, which notices its end within a few milliseconds.
wait_for_end() {
  pid=$(systemctl show "$unit" -pMainPID)
  pid=${pid#MainPID=}
  if [ "${pid:-0}" = 0 ]; then sleep 0.05; return; fi
  timeout "$seconds" tail --pid="$pid" -s 0.02 -f /dev/null
  tries=0
  while [ $tries -lt 50 ] && ! kill -0 "$pid" 2>/dev/null && is_running; do
    tries=$((tries + 1))
    sleep 0.02
  done
}

if is_running; then
  journalctl -u "$unit" -o cat -n 1 -f --no-pager >&2 &
  trap "kill $! 2>/dev/null" EXIT
  wait_for_end
fi
if ! is_running; then journalctl --sync 2>/dev/null; fi # the last lines may still be on their way
systemctl show "$unit" "$@"
echo
journalctl -u "$unit" -o cat -n "$lines" --no-pager || true
