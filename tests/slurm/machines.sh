#!/usr/bin/env bash
# Runs the job scripts of Perlmutter and Frontier on a Slurm whose one node pretends to be one of theirs
# (cores, hardware threads, GPUs, features), with stand-ins for 'module' and the programs: does Slurm
# take every directive, and how many ranks start with which GPU? Nothing is learnt of modules, MPI or
# speed there. Usage: tests/slurm/machines.sh
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
export KILOBRAGG_HOME=${KILOBRAGG_HOME:-$(cd "$here/../.." && pwd)}
source "$here/cluster.sh"
work=$(mktemp -d "${TMPDIR:-/tmp}/kilobragg-machines.XXXXXX")
trap 'cluster_stop; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

mkdir -p "$work/bin" "$work/jobs"
# The program's stand-in says where it runs; with merge's it differs in nothing.
cat > "$work/bin/stills_process" <<'PROGRAM'
#!/usr/bin/env bash
echo "rank $SLURM_PROCID of $SLURM_NTASKS gpu ${CUDA_VISIBLE_DEVICES:-${ROCR_VISIBLE_DEVICES:-none}}"
PROGRAM
cp "$work/bin/stills_process" "$work/bin/merge"
chmod +x "$work/bin"/*
export KILOBRAGG_BIN=$work/bin
module() { :; }
export -f module
touch "$work/a.phil"
echo 'one images.h5' > "$work/runs.txt"

failures=0
# expect MACHINE SCRIPT RANKS GPUS: so many ranks run, so many different GPUs are seen, evenly shared.
expect() {
  local script=$1/$2.sh log=$work/$1-$2.log ranks gpus shares
  (cd "$work/jobs" && sbatch --quiet --wait --output="$log" "$KILOBRAGG_HOME/scripts/sbatch/$script" \
    "$work/a.phil" "$work/runs.txt" "$work/results") || true
  ranks=$(grep -c '^rank ' "$log" || true)
  gpus=$(sed -n 's/^rank .* gpu //p' "$log" | sort | uniq -c)
  shares=$(awk '{print $1}' <<< "$gpus" | sort -u | wc -l)
  echo "$script: $ranks ranks; ranks for each GPU: $(awk '{printf "%s%s x%s", sep, $2, $1; sep = ", "}' <<< "$gpus")"
  if [ "$ranks" -ne "$3" ] || [ "$(wc -l <<< "$gpus")" -ne "$4" ] || [ "$shares" -ne 1 ]; then
    failures=$((failures + 1))
    echo "FAILED: expected $3 ranks on $4 GPUs"
    sed 's/^/  /' "$log"
  fi
}

# node SOCKETS CORES THREADS GPUS: pretends; the GPUs are plain files.
node() {
  local folder=$work/slurm-$1-$4 gpu
  mkdir -p "$folder"
  for ((gpu = 0; gpu < $4; ++gpu)); do touch "$folder/gpu$gpu"; done
  echo "Name=gpu File=$folder/gpu[0-$(($4 - 1))]" > "$folder/gres.conf"
  cluster_node="SocketsPerBoard=$1 CoresPerSocket=$2 ThreadsPerCore=$3 CPUs=$(($1 * $2 * $3)) RealMemory=1000 Features=cpu,gpu Gres=gpu:$4"
  cluster_more="PartitionName=batch Nodes=$(hostname -s) PriorityTier=1
Licenses=scratch:10
GresTypes=gpu
AllowSpecResourcesUsage=YES"
  cluster_start "$folder"
}

node 2 64 2 1
expect perlmutter process 128 1
expect perlmutter merge 128 1
cluster_stop
node 1 64 2 4
expect perlmutter process_gpu 16 4
cluster_stop
node 1 64 1 8
expect frontier process 56 1
expect frontier merge 56 1
# --gpu-bind=closest needs real GPUs and cores: only the ranks are counted.
expect frontier process_gpu 16 1
cluster_stop
[ "$failures" -eq 0 ] || exit 1
echo "all job scripts ran as expected"
