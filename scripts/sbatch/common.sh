# What the job scripts of every machine share: which run, start, stop, requeue, resume. To be sourced.
#
# A job script sets, before it calls kb_process or kb_merge:
#   launch=(srun ...)      how the ranks are started, up to the program
#   launch_signal=USR1     what to send to the launcher so that it reaches the ranks: USR1 for srun,
#                          USR2 for OpenMPI's mpirun, which keeps USR1 for itself
# and KILOBRAGG_HOME, the checkout, as the scripts beside this one do. From the environment:
#   KILOBRAGG_BIN            folder of the programs (default: $KILOBRAGG_HOME/build-apps/apps, else PATH)
#   KILOBRAGG_MAX_RESTARTS   a job that was restarted this often is not requeued again (default 100)

# Exit status of stills_process after a signal: everything found is on disk, run again with --resume.
readonly kb_stopped_early=75

kb_signals=0        # how many signals this script has been sent
kb_launcher=        # process id of the launcher while it runs

# By bash alone: once the job is requeued, Slurm ends every process that it starts.
kb_say() { printf '[%(%F %T)T] job %s: %s\n' -1 "${kb_job:-?}" "$*"; }

kb_fail() {
  echo "${0##*/}: $*" >&2
  exit 2
}

# Name by which Slurm knows this job. The number of an array's last task is also the number of the
# whole array: requeueing it by SLURM_JOB_ID would stop every task.
kb_job=${SLURM_JOB_ID:-}
if [ -n "${SLURM_ARRAY_JOB_ID:-}" ]; then
  kb_job=${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}
fi

kb_program() {
  local folder=${KILOBRAGG_BIN:-$KILOBRAGG_HOME/build-apps/apps}
  if [ -x "$folder/$1" ]; then
    echo "$folder/$1"
  elif [ -z "${KILOBRAGG_BIN:-}" ] && command -v "$1"; then
    return
  else
    kb_fail "no program $1 in $folder (not built there) is KILOBRAGG_BIN right?"
  fi
}

# The lines of a run list that name a run: neither empty nor starting with '#'.
kb_run_lines() { grep -v -e '^[[:space:]]*$' -e '^[[:space:]]*#' "$1" || true; }

kb_forward() {
  kb_signals=$((kb_signals + 1))
  kb_say "signal $1"
  if [ -n "$kb_launcher" ]; then kill -s "$launch_signal" "$kb_launcher" 2>/dev/null || true; fi
}

# Runs a command in the background, so that traps run at once, and returns its exit status.
kb_run_and_wait() {
  local seen status
  if [ "$kb_signals" -gt 0 ]; then return "$kb_stopped_early"; fi
  "$@" &
  kb_launcher=$!
  if [ "$kb_signals" -gt 0 ]; then kb_forward "that came before the start"; fi
  while :; do
    seen=$kb_signals
    status=0
    wait "$kb_launcher" || status=$?
    # 'wait' also returns when a trap has run; then the launcher is still to be waited for.
    if [ "$status" -le 128 ] || [ "$seen" -eq "$kb_signals" ]; then break; fi
  done
  kb_launcher=
  return "$status"
}

# What Slurm says of this job: RUNNING, COMPLETING, ...; nothing if it does not answer.
kb_state() {
  local try state
  for try in 1 2 3 4 5; do
    if state=$(squeue --noheader --jobs="$kb_job" --format=%T 2>/dev/null); then
      echo "$state"
      return
    fi
    sleep $((try * 3))
  done
}

# After a clean stop with images left: back into the queue, unless Slurm has decided already. A
# cancelled, preempted or timed-out job is no longer RUNNING, and Slurm itself requeues where it should.
kb_requeue() {
  local state
  state=$(kb_state)
  if [ "$state" != RUNNING ]; then
    kb_say "stopped early; not requeued by this script, because Slurm says: ${state:-nothing}"
  elif [ "${SLURM_RESTART_COUNT:-0}" -ge "${KILOBRAGG_MAX_RESTARTS:-100}" ]; then
    kb_say "stopped early; not requeued after ${SLURM_RESTART_COUNT} restarts (KILOBRAGG_MAX_RESTARTS)"
  elif scontrol requeue "$kb_job"; then
    kb_say "stopped early; requeued, goes on where it stopped"
  else
    kb_say "stopped early; Slurm refused to requeue it: submit the same command again to go on"
  fi
  exit "$kb_stopped_early"
}

# Usage: kb_process OPTIONS.phil RUNS.txt RESULTS [name=value ...]
# Processes one run of the list into RESULTS/<name>. A line of the list is a name and what goes to
# stills_process for it: image files or patterns (not expanded here) and options, separated by
# blanks. In a job array task N does line N; without an array the list must have one line.
kb_process() {
  [ $# -ge 3 ] || kb_fail "usage: sbatch [--array=1-N] ${0##*/} OPTIONS.phil RUNS.txt RESULTS [name=value ...]"
  local options=$1 runs=$2 results=$3 program line name status=0
  local -a inputs
  shift 3
  [ -r "$options" ] || kb_fail "cannot read '$options' in $PWD"
  [ -r "$runs" ] || kb_fail "cannot read '$runs' in $PWD"
  program=$(kb_program stills_process) || exit
  if [ -z "${SLURM_ARRAY_TASK_ID:-}" ] && [ "$(kb_run_lines "$runs" | wc -l)" -ne 1 ]; then
    kb_fail "'$runs' has $(kb_run_lines "$runs" | wc -l) runs (one array task does one run) submit with --array=1-N"
  fi
  line=$(kb_run_lines "$runs" | sed -n "${SLURM_ARRAY_TASK_ID:-1}p")
  [ -n "$line" ] || kb_fail "'$runs' has no run ${SLURM_ARRAY_TASK_ID} is --array right?"
  read -r -a inputs <<< "$line"
  name=${inputs[0]}
  [ ${#inputs[@]} -ge 2 ] || kb_fail "run '$name' in '$runs' has no images"

  trap 'kb_forward USR1' USR1
  trap 'kb_forward TERM' TERM
  mkdir -p "$results/$name"
  kb_say "run $name on $(hostname), start $((${SLURM_RESTART_COUNT:-0} + 1))"
  # --resume does all of an empty folder, the rest of an interrupted run and nothing of a finished one.
  kb_run_and_wait "${launch[@]}" "$program" "$options" "${inputs[@]:1}" \
    output.output_dir="$results/$name" "$@" --resume || status=$?
  kb_say "stills_process ended with status $status"
  # A signal that comes before the ranks listen kills them; what they wrote is whole, so the same holds.
  if [ "$status" -eq "$kb_stopped_early" ] || { [ "$kb_signals" -gt 0 ] && [ "$status" -gt 128 ]; }; then
    kb_requeue
  fi
  return "$status"
}

# Usage: kb_merge OPTIONS.phil RUNS.txt RESULTS [name=value ...]
# Merges RESULTS/<name> of every run of the list into RESULTS/merged. A merge that is interrupted
# starts again from the beginning.
kb_merge() {
  [ $# -ge 3 ] || kb_fail "usage: sbatch ${0##*/} OPTIONS.phil RUNS.txt RESULTS [name=value ...]"
  local options=$1 runs=$2 results=$3 program name rest status=0
  local -a inputs=()
  shift 3
  [ -r "$options" ] || kb_fail "cannot read '$options' in $PWD"
  [ -r "$runs" ] || kb_fail "cannot read '$runs' in $PWD"
  program=$(kb_program merge) || exit
  while read -r name rest; do inputs+=(input.path="$results/$name"); done < <(kb_run_lines "$runs")
  kb_say "merge of ${#inputs[@]} runs on $(hostname), start $((${SLURM_RESTART_COUNT:-0} + 1))"
  "${launch[@]}" "$program" "$options" "${inputs[@]}" output.output_dir="$results/merged" "$@" || status=$?
  kb_say "merge ended with status $status"
  return "$status"
}
