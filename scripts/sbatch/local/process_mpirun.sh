#!/bin/bash
# The same as process.sh where srun cannot start MPI programs: OpenMPI's mpirun inside the allocation.
# Usage: sbatch [-n RANKS] [--array=1-N] process_mpirun.sh OPTIONS.phil RUNS.txt RESULTS [name=value ...]
# When Slurm ends such a job without warning (plain scancel, preemption), the ranks die within about
# two seconds without seeing a signal; what they had found is in the shards.
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

# mpirun hands USR2 on to the ranks and keeps USR1 for itself.
launch=(mpirun -n "${KILOBRAGG_RANKS:-$SLURM_NTASKS}" --oversubscribe)
launch_signal=USR2
source "$KILOBRAGG_HOME/scripts/sbatch/common.sh"
kb_process "$@"
