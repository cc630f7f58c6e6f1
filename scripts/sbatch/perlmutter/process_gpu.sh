#!/bin/bash -l
# Processes runs on Perlmutter's GPU nodes: 16 ranks on the 64 cores of a node, 4 to each A100.
# Usage: sbatch -A ACCOUNT [--nodes=4] [--array=1-N] process_gpu.sh OPTIONS.phil RUNS.txt RESULTS [name=value ...]
#
# For a build against a Kokkos with CUDA; with any other build the GPUs stand idle: use process.sh.
# The GPU account of a project may be named ..._g. (Written from NERSC's documentation, never run there.)
#SBATCH --job-name=kb-process
#SBATCH --constraint=gpu
#SBATCH --qos=regular
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=16
#SBATCH --cpus-per-task=8
#SBATCH --gpus-per-node=4
#SBATCH --time=02:00:00
#SBATCH --licenses=scratch
#SBATCH --signal=B:USR1@120
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=%x-%A_%a.log
set -euo pipefail
KILOBRAGG_HOME=${KILOBRAGG_HOME:-$SLURM_SUBMIT_DIR}
source "$KILOBRAGG_HOME/scripts/env/perlmutter.sh" gpu
export KILOBRAGG_GPUS_PER_NODE=4 KILOBRAGG_GPU_ORDER=reversed

# Every rank sees all four GPUs of the node (--gpu-bind=none); one_gpu.sh leaves it the one beside
# its cores. The cores are numbered against the GPUs: cores 0-15 are next to GPU 3.
launch=(srun --cpus-per-task=8 --cpu-bind=cores --gpu-bind=none --wait=300
        "$KILOBRAGG_HOME/scripts/sbatch/one_gpu.sh")
launch_signal=USR1
source "$KILOBRAGG_HOME/scripts/sbatch/common.sh"
kb_process "$@"
