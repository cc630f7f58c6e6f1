#!/bin/bash
# Merges the runs of a list. Usage: sbatch [-n RANKS] [--dependency=afterok:JOB] merge.sh OPTIONS.phil RUNS.txt RESULTS [name=value ...]
#SBATCH --job-name=kb-merge
#SBATCH --ntasks=4
#SBATCH --cpus-per-task=1
#SBATCH --time=01:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=%x-%j.log
set -euo pipefail
KILOBRAGG_HOME=${KILOBRAGG_HOME:-$SLURM_SUBMIT_DIR}
export OMP_NUM_THREADS=1

launch=(srun --mpi="${KILOBRAGG_SRUN_MPI:-pmix}")
source "$KILOBRAGG_HOME/scripts/sbatch/common.sh"
kb_merge "$@"
