#!/usr/bin/env bash
# The job scripts without a Slurm: stand-ins for srun, mpirun, squeue, scontrol and module note what they
# are asked, so that decisions and command lines can be looked at. Needs nothing but bash; part of ctest.
# What a real Slurm does with them is shown by run.sh.
set -euo pipefail
# Without the variables of a Slurm job that this may run in.
[ -n "${KB_ALONE:-}" ] || exec env -i KB_ALONE=1 PATH="$PATH" HOME="${HOME:-/}" bash "$0"
KILOBRAGG_HOME=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/bin" "$work/stand-ins"
cd "$work"
failures=0

stand_in() {
  printf '#!/usr/bin/env bash\n%s\n' "$2" > "$work/$1"
  chmod +x "$work/$1"
}
# The launcher notes its words, sends the script the signals of $KB_SIGNALS, each once the one before
# was heard, and ends with $KB_STATUS.
launcher='echo "${0##*/} $*" >> "$work/calls"
trap "echo heard USR1 >> $work/calls" USR1
trap "echo heard USR2 >> $work/calls" USR2
heard() { grep -c heard "$work/calls"; }
for signal in ${KB_SIGNALS:-}; do
  before=$(heard)
  kill -s "$signal" "$PPID"
  for ((i = 0; i < 500 && $(heard) == before; ++i)); do sleep 0.02; done
done
exit "${KB_STATUS:-0}"'
stand_in stand-ins/srun "$launcher"
stand_in stand-ins/mpirun "$launcher"
stand_in stand-ins/squeue 'echo "${KB_STATE:-RUNNING}"'
stand_in stand-ins/scontrol 'echo "scontrol $*" >> "$work/calls"; exit "${KB_REFUSED:-0}"'
stand_in stand-ins/module 'echo "module $*" >> "$work/calls"'
stand_in stand-ins/scancel 'echo "scancel $*" >> "$work/calls"'
stand_in bin/stills_process ''
stand_in bin/merge ''
export work KILOBRAGG_HOME KILOBRAGG_BIN=$work/bin PATH=$work/stand-ins:$PATH
touch process.phil merge.phil
printf '# name and images\n\none  /data/one_*.h5\ntwo /data/two.h5 input.max_images=5\n' > runs.txt
echo 'one /data/one_*.h5' > one.txt

# job SCRIPT [NAME=value ...] -- arguments: runs a script as job 7; $status and the files calls, output.
job() {
  local script=$1
  local -a environment=()
  shift
  while [ "$1" != -- ]; do environment+=("$1"); shift; done
  shift
  : > calls
  status=0
  env SLURM_JOB_ID=7 SLURM_JOB_NUM_NODES=1 SLURM_SUBMIT_DIR="$work" SLURM_NTASKS=4 "${environment[@]}" \
    bash "$KILOBRAGG_HOME/scripts/sbatch/$script" "$@" > output 2>&1 || status=$?
}

expect() {
  local what=$1
  shift
  if ! "$@"; then
    failures=$((failures + 1))
    echo "FAILED: $what"
    sed 's/^/  output: /' output
    sed 's/^/  calls:  /' calls
  fi
}
ends_with() { [ "$status" -eq "$1" ]; }
called() { grep -q -x -F -- "$1" calls; }
not_called() { ! grep -q -- "$1" calls; }
said() { grep -q -F -- "$1" output; }

# Which run, and how it is started.
job local/process.sh -- process.phil one.txt out input.verbose=True
expect 'a list of one run needs no array' called "srun --mpi=pmix $work/bin/stills_process process.phil /data/one_*.h5 output.output_dir=out/one input.verbose=True --resume"
expect 'status of a finished run' ends_with 0
job local/process_mpirun.sh SLURM_ARRAY_JOB_ID=5 SLURM_ARRAY_TASK_ID=2 -- process.phil runs.txt out
expect 'array task 2 takes the second run, with its options' called "mpirun -n 4 --oversubscribe $work/bin/stills_process process.phil /data/two.h5 input.max_images=5 output.output_dir=out/two --resume"
job local/process.sh -- process.phil runs.txt out
expect 'two runs without an array are refused' ends_with 2
expect 'and it says how many there are' said "has 2 runs"
job local/process.sh SLURM_ARRAY_JOB_ID=5 SLURM_ARRAY_TASK_ID=3 -- process.phil runs.txt out
expect 'a task beyond the list is refused' ends_with 2
job local/process.sh -- nowhere.phil one.txt out
expect 'options that cannot be read' said "cannot read 'nowhere.phil'"
job local/process.sh KILOBRAGG_BIN=/nowhere -- process.phil one.txt out
expect 'a program that is not there' said "no program stills_process in /nowhere"
job local/merge.sh -- merge.phil runs.txt out merging.d_min=2
expect 'merge takes every run' called "srun --mpi=pmix $work/bin/merge merge.phil input.path=out/one input.path=out/two output.output_dir=out/merged merging.d_min=2"

# Stopped early: back into the queue, by the right name, unless Slurm has decided.
job local/process.sh KB_STATUS=75 -- process.phil one.txt out
expect 'a clean stop is requeued' called "scontrol requeue 7"
expect 'status of a clean stop' ends_with 75
job local/process.sh KB_STATUS=75 SLURM_JOB_ID=5 SLURM_ARRAY_JOB_ID=5 SLURM_ARRAY_TASK_ID=2 -- process.phil runs.txt out
expect 'the last task of an array requeues itself alone' called "scontrol requeue 5_2"
for state in COMPLETING CANCELLED PENDING; do
  job local/process.sh KB_STATUS=75 KB_STATE=$state -- process.phil one.txt out
  expect "a job that is $state is left to Slurm" not_called scontrol
  expect "status of a job that is $state" ends_with 75
done
job local/process.sh KB_STATUS=75 KB_REFUSED=1 -- process.phil one.txt out
expect 'a refused requeue says what to do' said "submit the same command again"
job local/process.sh KB_STATUS=75 SLURM_RESTART_COUNT=3 KILOBRAGG_MAX_RESTARTS=3 -- process.phil one.txt out
expect 'no endless requeueing' not_called scontrol
for failure in 1 2 3 4 137; do
  job local/process.sh KB_STATUS=$failure -- process.phil one.txt out
  expect "failure $failure is handed on" ends_with $failure
  expect "failure $failure is not requeued" not_called scontrol
done

# Signals to the batch script.
job local/process.sh KB_SIGNALS=USR1 KB_STATUS=75 -- process.phil one.txt out
expect 'srun is sent USR1' called "heard USR1"
expect 'and the job requeued' called "scontrol requeue 7"
job local/process_mpirun.sh KB_SIGNALS=USR1 KB_STATUS=75 -- process.phil one.txt out
expect 'mpirun is sent USR2' called "heard USR2"
job local/process.sh KB_SIGNALS='USR1 USR1 USR1' KB_STATUS=0 -- process.phil one.txt out
expect 'three signals are heard three times' [ "$(grep -c heard calls)" -eq 3 ]
expect 'a run that ends all the same is finished' ends_with 0
expect 'a finished run is not requeued' not_called scontrol
job local/process.sh KB_SIGNALS=USR1 KB_STATUS=138 -- process.phil one.txt out
expect 'ranks that die of the signal are requeued too' called "scontrol requeue 7"
job local/process.sh KB_SIGNALS=TERM KB_STATUS=75 KB_STATE=COMPLETING -- process.phil one.txt out
expect 'a cancelled job is not requeued' not_called scontrol

# The machines that cannot be tried here: what their scripts would start.
export SLURM_NTASKS_PER_NODE=16
for machine in perlmutter frontier; do
  for script in process process_gpu; do
    job $machine/$script.sh -- process.phil one.txt out
    expect "$machine/$script.sh" grep -q "^srun .*$work/bin/stills_process process.phil /data/one_\*.h5 output.output_dir=out/one --resume$" calls
    expect "$machine/$script.sh loads modules" called "module load PrgEnv-gnu"
  done
  job $machine/merge.sh -- merge.phil one.txt out
  expect "$machine/merge.sh" grep -q "^srun .*$work/bin/merge merge.phil input.path=out/one output.output_dir=out/merged$" calls
done
for rank in 0 3 4 15; do
  gpu=$(SLURM_LOCALID=$rank KILOBRAGG_GPUS_PER_NODE=4 KILOBRAGG_GPU_ORDER=reversed \
    "$KILOBRAGG_HOME/scripts/sbatch/one_gpu.sh" bash -c 'echo $CUDA_VISIBLE_DEVICES')
  expect "rank $rank of 16 has GPU $((3 - rank / 4))" [ "$gpu" -eq $((3 - rank / 4)) ]
done
for word in '' cpu gpu; do
  : > calls
  # The caller's own first word must not be taken for one.
  bash -c "set -eu; source '$KILOBRAGG_HOME/scripts/env/perlmutter.sh' $word" job.sh process.phil > output 2>&1 || true
  expect "perlmutter.sh '$word' loads the module ${word:-cpu}" called "module load ${word:-cpu}"
done

# The private cluster of run.sh: what ends it leaves the user's other jobs alone.
: > calls
(source "$KILOBRAGG_HOME/tests/slurm/cluster.sh" && cluster_stop) > output 2>&1
expect 'a cluster that was never started cancels no jobs' not_called scancel

if [ "$failures" -gt 0 ]; then
  echo "$failures expectations failed"
  exit 1
fi
echo "all expectations met"
