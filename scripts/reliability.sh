#!/usr/bin/env bash
# Kills, cuts and starves runs of stills_process at random moments, resumes them, and compares all results.
#
#   scripts/reliability.sh [build folder] [kills] [images]
#
# Prints a table of what was done and lost. Exit status: 0 if nothing was lost, 1 otherwise. The short
# form of the same runs in ctest (app_stills_process_resume, app_stills_process_faults).
set -u
build=${1:-build}
kills=${2:-100}
images=${3:-200}
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
program=$build/apps/stills_process
compare=$build/tests/app/compare_runs
for needed in "$program" "$build/apps/simulate_stills" "$compare"; do
  [ -x "$needed" ] || { echo "$needed is not built" >&2; exit 1; }
done
seed=${SEED:-1}
RANDOM=$seed
failures=0

say() { printf '%-46s %7s %9s  %s\n' "$@"; }
"$build/apps/simulate_stills" n_images="$images" output.output_dir="$work" seed=5 detector.preset=flat \
  > "$work/simulate.txt" 2>&1 || { tail -5 "$work/simulate.txt"; exit 1; }
options="indexing.known_symmetry.unit_cell=77.06,77.06,37.22,90,90,90 indexing.known_symmetry.space_group=P43212"

# start <folder> <ranks> <more options>: in the background; sets $job.
start() {
  local run=("$program")
  touch "$work/started"
  [ "$2" -gt 1 ] && run=(mpirun --oversubscribe -n "$2" "$program")
  # shellcheck disable=SC2086
  "${run[@]}" $options $work/run_0*.h5 output_dir="$work/$1" $3 < /dev/null > "$work/$1.txt" 2>&1 &
  job=$!
}
# Every process of a run.
members() { pgrep -f "output_dir=$work/$1( |\$)"; }
# Its ranks alone.
ranks_of() {
  local pid
  for pid in $(members "$1"); do
    [ "$(cat "/proc/$pid/comm" 2> /dev/null)" = stills_process ] && echo "$pid"
  done
}
finish() { # <folder> <ranks>: to the end, then compares
  start "$1" "$2" --resume
  wait "$job"
  local status=$?
  if [ $status -ne 0 ]; then
    tail -3 "$work/$1.txt"
    return 1
  fi
  "$compare" "$work/whole" "$work/$1" > "$work/compare.txt" 2>&1 || { head -5 "$work/compare.txt"; return 1; }
}
report() { # <what> <times> <resumed runs> <result of finish> [what else went wrong]
  local word='nothing lost'
  [ -z "${5:-}" ] || word=$5
  [ "$4" -eq 0 ] || word='LOST OR CHANGED'
  [ "$word" = 'nothing lost' ] || failures=$((failures + 1))
  say "$1" "$2" "$3" "$word"
}
# Waits until a run has results, and a little more.
a_moment() {
  for ((w = 0; w < 500; ++w)); do
    [ -n "$(find "$work/$1" -name '*.shard' -newer "$work/started" 2> /dev/null)" ] && break
    kill -0 "$job" 2> /dev/null || break
    sleep 0.01
  done
  sleep "$(printf '0.%03d' $((RANDOM % 300)))"
}

start whole 1 ""
wait "$job" || { tail -5 "$work/whole.txt"; exit 1; }
say 'fault' 'times' 'runs' 'against an undisturbed run'

kill_job() { # <folder>
  # shellcheck disable=SC2046
  kill -0 "$job" 2> /dev/null && kill -9 $(members "$1") 2> /dev/null
}
kill_a_rank() { # <folder>
  local all
  mapfile -t all < <(ranks_of "$1")
  [ ${#all[@]} -gt 0 ] && kill -9 "${all[RANDOM % ${#all[@]}]}" 2> /dev/null
}
# kill_again <what> <folder> <ranks> <kills> <how>: kills and resumes a run, anew when it is complete.
kill_again() {
  local done=0 runs=0 more
  while [ "$done" -lt "$4" ]; do
    [ -d "$work/$2" ] && more=--resume || more=""
    start "$2" "$3" "$more"
    runs=$((runs + 1))
    a_moment "$2"
    "$5" "$2" && done=$((done + 1))
    wait "$job" 2> /dev/null
    if grep -q 'nothing to do' "$work/$2.txt"; then
      finish "$2" "$3" || failures=$((failures + 1))
      rm -rf "${work:?}/$2"
    fi
  done
  finish "$2" "$3"
  report "$1" "$done" "$runs" $?
}
for ranks in 1 2 3 5; do
  kill_again "kill -9 of all processes, $ranks ranks" "job$ranks" "$ranks" $((kills / 8)) kill_job
done
for ranks in 2 3 5; do
  kill_again "kill -9 of one rank of $ranks" "rank$ranks" "$ranks" $((kills / 6)) kill_a_rank
done

cp -r "$work/whole" "$work/cut"
cuts=$((kills / 5))
for ((i = 0; i < cuts; ++i)); do
  shard=$work/cut/idx-0000.shard
  size=$(stat -c %s "$shard")
  truncate -s $(((RANDOM * 32768 + RANDOM) % size)) "$shard"
  finish cut 1 || break
done
report 'shard cut at a random byte' $i $i $((i < cuts))

rounds=5 # that a run may be over before it is disturbed, in a row
# disturb <folder> <ranks> <how>: a new run, with $how <folder> in its middle; sets $status and $took (ms).
# Fails if every round was over before: with status 0, all of it done.
disturb() {
  local round began
  for ((round = 0; round < rounds; ++round)); do
    rm -rf "${work:?}/$1"
    start "$1" "$2" ""
    a_moment "$1"
    began=$(date +%s%N)
    "$3" "$1"
    wait "$job" 2> /dev/null
    status=$? took=$((($(date +%s%N) - began) / 1000000))
    [ $status -eq 0 ] || return 0
  done
  return 1
}
fill_disk() { # <folder>
  local pid
  for pid in $(ranks_of "$1"); do
    prlimit --pid "$pid" --fsize=$((RANDOM * 30)) 2> /dev/null
  done
}
send_signal() { # <folder>
  local all
  mapfile -t all < <(ranks_of "$1")
  [ ${#all[@]} -gt 0 ] && kill "-$signal" "${all[RANDOM % ${#all[@]}]}"
}

for ranks in 1 2; do
  wrong=
  for ((i = 0; i < kills / 10; ++i)); do
    if ! disturb full $ranks fill_disk; then
      wrong='NEVER FULL'
    elif [ $status -ne 1 ]; then
      wrong="STATUS $status"
    fi
    finish full $ranks || break
  done
  report "full disk (limit on file sizes), $ranks ranks" $i $i $((i < kills / 10)) "$wrong"
done

for ranks in 1 3; do
  for signal in USR1 USR2 TERM INT; do
    wrong=
    if ! disturb signal $ranks send_signal; then
      wrong='NO SIGNAL, OR IGNORED'
    elif [ $status -ne 75 ]; then
      wrong='WRONG STATUS'
    elif [ $took -gt 10000 ]; then
      wrong='TOO LATE'
    fi
    finish signal $ranks
    report "SIG$signal to a rank of $ranks: status $status in $took ms" 1 2 $? "$wrong"
  done
done

[ $failures -eq 0 ] && echo 'Nothing was lost.' || echo "$failures failures (SEED=$seed)"
exit $((failures > 0))
