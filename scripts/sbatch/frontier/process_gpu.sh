#!/bin/bash -l
# Processes runs on Frontier with its GPUs: 16 ranks to a node, 2 to each of the 8 dies of its MI250X.
# Usage: sbatch -A PROJECT [--nodes=4] [--array=1-N] process_gpu.sh OPTIONS.phil RUNS.txt RESULTS [name=value ...]
#
# For a build against a Kokkos with HIP; with any other build the GPUs stand idle: use process.sh.
# (Written from OLCF's documentation, never run there.)
#SBATCH --job-name=kb-process
#SBATCH --partition=batch
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=16
#SBATCH --cpus-per-task=4
#SBATCH --gpus-per-node=8
# All 64 cores: with the usual 7 of 8 in each cache region, ranks of more than one core would span
# two regions and have no one closest GPU.
#SBATCH --core-spec=0
#SBATCH --time=02:00:00
#SBATCH --signal=B:USR1@120
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=%x-%A_%a.log
set -euo pipefail
KILOBRAGG_HOME=${KILOBRAGG_HOME:-$SLURM_SUBMIT_DIR}
source "$KILOBRAGG_HOME/scripts/env/frontier.sh"

# Ranks in order over the cache regions, each with the GPU that hangs at its region. srun refuses
# --ntasks-per-gpu beside the number per node that it would take from the directives above.
unset SLURM_NTASKS_PER_NODE
launch=(srun --ntasks=$((SLURM_JOB_NUM_NODES * 16)) --cpus-per-task=4 --ntasks-per-gpu=2
        --gpu-bind=closest --distribution='*:block' --wait=300)
launch_signal=USR1
source "$KILOBRAGG_HOME/scripts/sbatch/common.sh"
kb_process "$@"
