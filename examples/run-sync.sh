#!/bin/sh
# One run of all syncs that are due, for cron, systemd or by hand:
#
#   run-sync.sh TAP_CONFIG TARGET_CONFIG STATE_FILE [OPTION OF THE TAP …]
#
# Pipes tap-mssql-query into target-pipelines. Each STATE that comes out is safe to begin from, also
# when the run fails later, so it replaces the state file at once: written beside it, on the disk,
# then renamed. Killed at any moment, the file is the old or a newer state, and complete.
#
# Exit code: the target's if it failed, else the tap's (a tap whose target dies only says that nobody
# reads); 143, 130 or 129 after a signal. Of its own: 64 wrong use, 74 the state could not be
# written, 75 another run of this state is not over (nothing was done).
#
# Needs flock (util-linux) and sync (coreutils 8.24 or newer).
set -u

say() { echo "run-sync.sh: $*" >&2; }

# Replaces the state file by the line, unless there is only half of one: then `read` says no.
# A child of its own, which reads descriptor 6; it closes what else it has of the pipes, or it would
# wait for itself.
keep_states() {
  exec <&6 4<&- 5>&- 6<&- 7>&-
  umask 077
  kept=0
  while IFS= read -r line; do
    case $line in
      '{'*'}') ;;
      *) say "what the target printed is no state; left out" && continue ;;
    esac
    printf '%s\n' "$line" >"$next" && sync "$next" && mv -f "$next" "$state" || kept=74
  done
  [ "$kept" -eq 0 ] || say "could not write $state; the next run repeats what this one sent"
  exit "$kept"
}

# shellcheck disable=SC2094 # opened for both first, so that the other two need not wait
# Makes a pipe and leaves its ends at descriptors 4 (to read) and 5 (to write).
open_pipe() {
  rm -f "$state.pipe"
  mkfifo -m 600 "$state.pipe" && exec 3<>"$state.pipe" 4<"$state.pipe" 5>"$state.pipe" 3>&- ||
    exit 74
  rm -f "$state.pipe"
}

pass_signal_on() {
  signal=$1
  # shellcheck disable=SC2086 # what has ended is empty, and no word
  kill -TERM $tap $target 2>/dev/null
}

# Waits for the end of a child, however many signals interrupt that, and returns its exit code.
wait_for() {
  wait "$1"
  code=$?
  while [ "$code" -gt 128 ] && kill -0 "$1" 2>/dev/null; do
    wait "$1"
    code=$?
  done
  return "$code"
}

if [ $# -lt 3 ]; then
  echo "Usage: run-sync.sh TAP_CONFIG TARGET_CONFIG STATE_FILE [OPTION OF THE TAP …]" >&2
  exit 64
fi
tap_config=$1 target_config=$2 state=$3 next=$3.next
shift 3

# The programs inherit the lock: should only this shell be killed, no run begins before they end.
command exec 9>>"$state.lock" || exit 74
flock -n 9 || {
  say "another run with $state is not over; nothing was done"
  exit 75
}
if [ -e "$state" ]; then
  set -- --state "$state" "$@"
fi

trap '' TERM INT HUP # whoever keeps the states goes on until the target has ended
open_pipe
exec 6<&4 7>&5
keep_states &
keeper=$!
trap - TERM INT HUP # until both have begun: a fork of a shell with traps may lose a signal
open_pipe
{ exec target-pipelines --config "$target_config" <&4 >&7 4<&- 5>&- 6<&- 7>&-; } &
target=$!
{ exec tap-mssql-query --config "$tap_config" "$@" </dev/null >&5 4<&- 5>&- 6<&- 7>&-; } &
tap=$!
signal=0
trap 'pass_signal_on 143' TERM
trap 'pass_signal_on 130' INT
trap 'pass_signal_on 129' HUP
exec 4<&- 5>&- 6<&- 7>&-

wait_for "$tap"
tap_code=$? tap=
wait_for "$target"
target_code=$? target=
wait_for "$keeper"
keeper_code=$?
for code in "$signal" "$target_code" "$tap_code" "$keeper_code"; do
  [ "$code" -eq 0 ] || exit "$code"
done
