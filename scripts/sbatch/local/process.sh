#!/bin/bash
# Processes runs on any cluster whose srun starts MPI programs by PMIx (Debian's OpenMPI, most others).
# Usage: sbatch [-n RANKS] [--array=1-N] process.sh OPTIONS.phil RUNS.txt RESULTS [name=value ...]
#SBATCH --job-name=kb-process
#SBATCH --ntasks=4
#SBATCH --cpus-per-task=1
#SBATCH --time=04:00:00
#SBATCH --signal=B:USR1@120
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=%x-%A_%a.log
set -euo pipefail
KILOBRAGG_HOME=${KILOBRAGG_HOME:-$SLURM_SUBMIT_DIR}
export OMP_NUM_THREADS=1 HDF5_USE_FILE_LOCKING=FALSE

launch=(srun --mpi="${KILOBRAGG_SRUN_MPI:-pmix}")
launch_signal=USR1
source "$KILOBRAGG_HOME/scripts/sbatch/common.sh"
kb_process "$@"
