#!/bin/bash -l
# Merges the runs of a list on one of Perlmutter's CPU nodes.
# Usage: sbatch -A ACCOUNT [--dependency=afterok:JOB] merge.sh OPTIONS.phil RUNS.txt RESULTS [name=value ...]
# Memory: 64 bytes for each observation; a node has 512 GB. (Written from NERSC's documentation, never
# run there.)
#SBATCH --job-name=kb-merge
#SBATCH --constraint=cpu
#SBATCH --qos=regular
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=128
#SBATCH --cpus-per-task=2
#SBATCH --time=00:30:00
#SBATCH --licenses=scratch
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=%x-%j.log
set -euo pipefail
KILOBRAGG_HOME=${KILOBRAGG_HOME:-$SLURM_SUBMIT_DIR}
source "$KILOBRAGG_HOME/scripts/env/perlmutter.sh" cpu

launch=(srun --cpus-per-task=2 --cpu-bind=cores --wait=300)
source "$KILOBRAGG_HOME/scripts/sbatch/common.sh"
kb_merge "$@"
