# The cases of run.sh, one function case_NAME each, and what they share. To be sourced; set by run.sh:
# $here, $bin, $work, $stills.

ranks=3 # of 4 CPUs

all_cases() { declare -F | sed -n 's/^declare -f case_//p'; }

say() { echo "   $(date '+%T.%1N') $*"; }

die() { echo "   error: $*" >&2; return 1; }

# Two simulated runs, and what an undisturbed process on one rank makes of them.
prepare() {
  mkdir -p "$work/images" "$work/jobs"
  cat > "$work/process.phil" <<'PHIL'
indexing.known_symmetry {
  space_group = P43212
  unit_cell = 77.06 77.06 37.22 90 90 90
}
PHIL
  cat > "$work/merge.phil" <<'PHIL'
merging.d_min = 2.5
PHIL
  local run count seed=0
  echo "== simulate $stills + $((stills / 3)) stills, process them undisturbed"
  for run in long short; do
    seed=$((seed + 1))
    count=$((stills / (seed == 1 ? 1 : 3)))
    # Rendered coarsely and without noise: quick to make, and still stills that index.
    mpirun -n 2 --oversubscribe "$bin/simulate_stills" n_images="$count" seed="$seed" \
      output.output_dir="$work/images" output.prefix="$run" render.oversample=1 beam.channels=2 \
      crystal.size_um=0.2 noise.poisson=False > "$work/simulate_$run.log"
    "$bin/stills_process" "$work/process.phil" "$work/images/${run}_0*.h5" \
      output.output_dir="$work/reference/$run" > "$work/reference_$run.log"
    digest "$work/reference/$run" > "$work/reference_$run.digest"
    say "$run: $(wc -l < "$work/reference_$run.digest") images, shards of $(shard_bytes "$work/reference/$run") bytes"
  done
  merge_alone reference
  echo "long $work/images/long_0*.h5" > "$work/long.txt"
  printf '# two runs\n\nlong %s\nshort %s\n' "$work/images/long_0*.h5" "$work/images/short_0*.h5" > "$work/both.txt"
}

digest() { /usr/bin/env python3 "$here/shard_digest.py" "$1"; }

merge_alone() {
  "$bin/merge" "$work/merge.phil" input.path="$work/$1/long" output.output_dir="$work/$1/merged_long" \
    > "$work/$1/merge_long.log"
}

shard_bytes() { { cat "$1"/*.shard 2>/dev/null || true; } | wc -c; }

# submit NAME SCRIPT [sbatch options ...] -- ARGUMENTS: the job's number; its output goes to NAME/job.log.
submit() {
  local name=$1 script=$2
  local -a options=()
  shift 2
  while [ "$1" != -- ]; do options+=("$1"); shift; done
  shift
  mkdir -p "$work/$name"
  (cd "$work/jobs" && sbatch --parsable --ntasks="$ranks" --output="$work/$name/job.log" \
    "${options[@]}" "$KILOBRAGG_HOME/scripts/sbatch/local/$script" "$@")
}

# Processes the long run into $work/NAME/long.
submit_long() {
  local name=$1 script=$2
  shift 2
  submit "$name" "$script" "$@" -- "$work/process.phil" "$work/long.txt" "$work/$name"
}

job_field() { scontrol show job --oneliner "$1" 2>/dev/null | grep -o "\b$2=[^ ]*" | head -n 1 | cut -d= -f2; }

wait_for_state() {
  local job=$1 wanted=$2 state=
  for _ in $(seq 1200); do
    state=$(job_field "$job" JobState)
    case " ${wanted//|/ } " in *" $state "*) return 0 ;; esac
    case "$state" in
      FAILED | TIMEOUT | NODE_FAIL | CANCELLED) die "job $job is $state, not $wanted"; return 1 ;;
    esac
    sleep 0.25
  done
  die "job $job is still $state after 300 s, not $wanted"
}

# Waits until FOLDER holds this percentage of what the undisturbed run wrote.
wait_for_part() {
  local folder=$1 percent=$2 whole now=0
  whole=$(shard_bytes "$work/reference/$(basename "$folder")")
  for _ in $(seq 3000); do
    now=$(shard_bytes "$folder")
    if [ $((now * 100)) -ge $((whole * percent)) ]; then
      [ "$now" -lt "$whole" ] || { die "the run was over before it could be disturbed: raise KILOBRAGG_SLURM_STILLS"; return 1; }
      say "$((now * 100 / whole)) % done"
      return 0
    fi
    sleep 0.1
  done
  die "only $now of $whole bytes in $folder after 300 s"
}

show_job() { sed -n 's/^\(\[.*\)/      \1/p' "$work/$1/job.log"; }

# The results of the long run are those of the undisturbed one: shards image by image, merged data
# byte by byte.
same_results() {
  local name=$1 kind
  digest "$work/$name/long" > "$work/$name/digest"
  cmp "$work/reference_long.digest" "$work/$name/digest" || return 1
  merge_alone "$name"
  for kind in all odd even; do
    cmp "$work/reference/merged_long/iobs_$kind.mtz" "$work/$name/merged_long/iobs_$kind.mtz" || return 1
  done
  say "$(wc -l < "$work/$name/digest") images and the merged data are those of the undisturbed run"
}

# What a killed run left is whole, part of the result, and not all of it.
part_of_results() {
  local name=$1
  digest "$work/$name/long" > "$work/$name/part"
  [ -z "$(comm -13 "$work/reference_long.digest" "$work/$name/part")" ] || { die "what was left is not part of the result"; return 1; }
  [ "$(wc -l < "$work/$name/part")" -lt "$(wc -l < "$work/reference_long.digest")" ] || { die "nothing was left to do"; return 1; }
  say "$(wc -l < "$work/$name/part") images survived"
}

# The processes of a job's ranks under srun, those of the ranks given or all.
pids_of_ranks() {
  local job=$1 folder name variables rank
  shift
  for folder in /proc/[0-9]*; do
    { read -r name < "$folder/comm"; } 2>/dev/null || continue
    [ "$name" = stills_process ] || continue
    variables=$(tr '\0' '\n' 2>/dev/null < "$folder/environ") || continue
    grep -qx "SLURM_JOB_ID=$job" <<< "$variables" || continue
    rank=$(sed -n 's/^SLURM_PROCID=//p' <<< "$variables")
    case " ${*:-$rank} " in *" $rank "*) echo "${folder#/proc/}" ;; esac
  done
}

signal_ranks() {
  local signal=$1 job=$2
  local -a pids
  shift 2
  mapfile -t pids < <(pids_of_ranks "$job" "$@")
  [ ${#pids[@]} -gt 0 ] || { die "no process of rank ${*:-any} of job $job"; return 1; }
  say "kill -$signal to ${#pids[@]} of $ranks ranks"
  kill -s "$signal" "${pids[@]}"
}

restarts_are() {
  local now
  now=$(job_field "$1" Restarts)
  [ "$now" = "$2" ] || die "job $1 was restarted $now times, not $2"
}

wait_for_line() {
  local _
  for _ in $(seq 400); do
    ! grep -q -- "$2" "$work/$1/job.log" || return 0
    sleep 0.25
  done
  die "'$2' did not come within 100 s"
}

logged() { grep -q -- "$2" "$work/$1/job.log" || die "'$2' is not in the job's output"; }

# --- (a) to the end -----------------------------------------------------------------------------------

case_plain_srun() {
  local job
  job=$(submit_long plain_srun process.sh)
  wait_for_state "$job" COMPLETED
  restarts_are "$job" 0
  show_job plain_srun
  same_results plain_srun
  say "the same job once more"
  job=$(submit_long plain_srun process.sh)
  wait_for_state "$job" COMPLETED
  same_results plain_srun
}

case_plain_mpirun() {
  local job
  job=$(submit_long plain_mpirun process_mpirun.sh)
  wait_for_state "$job" COMPLETED
  restarts_are "$job" 0
  show_job plain_mpirun
  same_results plain_mpirun
}

# --- (b) a warning to the batch script: clean stop, requeue, resume -----------------------------------

warned() {
  local name=$1 script=$2 job
  job=$(submit_long "$name" "$script")
  wait_for_part "$work/$name/long" 20
  say "scancel -b -s USR1"
  scancel --batch --signal=USR1 "$job"
  wait_for_state "$job" COMPLETED
  show_job "$name"
  logged "$name" 'ended with status 75'
  restarts_are "$job" 1
  same_results "$name"
}

case_warned_srun() { warned warned_srun process.sh; }
case_warned_mpirun() { warned warned_mpirun process_mpirun.sh; }

# The real thing: Slurm warns before the time limit. Its timer looks around every half minute, so the
# ranks are held until the warning comes.
case_time_limit() {
  local job
  job=$(submit_long time_limit process.sh --time=1 --signal=B:USR1@50)
  wait_for_part "$work/time_limit/long" 20
  signal_ranks STOP "$job"
  wait_for_line time_limit 'signal USR1'
  signal_ranks CONT "$job"
  wait_for_line time_limit 'requeued, goes on'
  # Else a slow machine would be warned again at every start.
  scontrol update JobId="$job" TimeLimit=60
  wait_for_state "$job" COMPLETED
  show_job time_limit
  logged time_limit 'ended with status 75'
  [ "$(job_field "$job" Restarts)" -ge 1 ] || die "job $job was not requeued"
  same_results time_limit
}

# --- (c) preemption -----------------------------------------------------------------------------------

preempted() {
  local name=$1 script=$2 partition=$3 job urgent
  job=$(submit_long "$name" "$script" --partition="$partition")
  wait_for_part "$work/$name/long" 20
  urgent=$(cd "$work/jobs" && sbatch --parsable --partition=high --ntasks=4 --output="$work/$name/urgent.log" --wrap='sleep 2')
  say "job $urgent takes the node"
  wait_for_state "$urgent" COMPLETED
  part_of_results "$name"
  wait_for_state "$job" COMPLETED
  show_job "$name"
  restarts_are "$job" 1
  same_results "$name"
}

case_preempted_srun() { preempted preempted_srun process.sh low; }
case_preempted_mpirun() { preempted preempted_mpirun process_mpirun.sh low; }

# With a grace time Slurm sends TERM first and leaves the job running: the script itself gives the node back.
case_preempted_grace() {
  preempted preempted_grace process.sh patient
  logged preempted_grace 'ended with status 75'
  logged preempted_grace 'requeued, goes on'
}

# --- (d) ended from outside: nothing finished is lost -------------------------------------------------

# The same command once more finishes a run that was ended.
finish_ended() {
  local name=$1 script=$2 job=$3
  while [ -n "$(squeue --noheader --jobs="$job" 2>/dev/null)" ]; do sleep 0.25; done
  say "job $job is $(job_field "$job" JobState)"
  restarts_are "$job" 0
  part_of_results "$name"
  job=$(submit_long "$name" "$script")
  wait_for_state "$job" COMPLETED
  show_job "$name"
  same_results "$name"
}

cancelled() {
  local name=$1 script=$2 job
  job=$(submit_long "$name" "$script")
  wait_for_part "$work/$name/long" 20
  say "scancel"
  scancel "$job"
  finish_ended "$name" "$script" "$job"
}

case_cancelled_srun() { cancelled cancelled_srun process.sh; }
case_cancelled_mpirun() { cancelled cancelled_mpirun process_mpirun.sh; }

# All ranks at once without warning, as a node that runs out of memory does it.
case_killed() {
  local job
  job=$(submit_long killed process.sh)
  wait_for_part "$work/killed/long" 20
  signal_ranks KILL "$job"
  finish_ended killed process.sh "$job"
}

# --- (e) any one process that hears a signal is enough ------------------------------------------------

case_ranks_only() {
  local job
  job=$(submit_long ranks_only process.sh)
  wait_for_part "$work/ranks_only/long" 20
  say "scancel -s USR1: to the ranks, not to the batch script"
  scancel --signal=USR1 "$job"
  wait_for_state "$job" COMPLETED
  show_job ranks_only
  logged ranks_only 'ended with status 75'
  restarts_are "$job" 1
  same_results ranks_only
}

one_rank() {
  local name=$1 rank=$2 signal=$3 job
  job=$(submit_long "$name" process.sh)
  wait_for_part "$work/$name/long" 20
  signal_ranks "$signal" "$job" "$rank"
  wait_for_state "$job" COMPLETED
  show_job "$name"
  logged "$name" 'ended with status 75'
  restarts_are "$job" 1
  same_results "$name"
}

case_rank_0_alone() { one_rank rank_0_alone 0 TERM; }
case_rank_2_alone() { one_rank rank_2_alone 2 USR1; }

# --- (f) an array over two runs, one of them disturbed, and the merge that waits for both -------------

case_array_and_merge() {
  local name=array_and_merge output process merge kind
  mkdir -p "$work/$name/logs"
  output=$(cd "$work/$name/logs" && "$KILOBRAGG_HOME/scripts/sbatch/submit.sh" local "$work/process.phil" \
    "$work/both.txt" "$work/$name" "$work/merge.phil" --ntasks=2)
  process=$(sed -n 's/^process \([0-9]*\).*/\1/p' <<< "$output")
  merge=$(sed -n 's/^merge \([0-9]*\).*/\1/p' <<< "$output")
  wait_for_part "$work/$name/short" 20
  # The last task carries the number of the whole array: a careless requeue would stop the other too.
  say "scancel -b -s USR1 to task 2"
  scancel --batch --signal=USR1 "${process}_2"
  wait_for_state "$merge" COMPLETED
  cat "$work/$name/logs"/*.log | sed -n 's/^\(\[.*\)/      \1/p' | sort
  restarts_are "${process}_1" 0
  restarts_are "${process}_2" 1
  digest "$work/$name/short" | cmp - "$work/reference_short.digest"
  "$bin/merge" "$work/merge.phil" input.path="$work/reference/long" input.path="$work/reference/short" \
    output.output_dir="$work/reference/merged" > "$work/reference/merge.log"
  for kind in all odd even; do
    cmp "$work/reference/merged/iobs_$kind.mtz" "$work/$name/merged/iobs_$kind.mtz"
  done
  same_results "$name"
}
