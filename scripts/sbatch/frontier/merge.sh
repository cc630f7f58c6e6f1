#!/bin/bash -l
# Merges the runs of a list on one node of Frontier.
# Usage: sbatch -A PROJECT [--dependency=afterok:JOB] merge.sh OPTIONS.phil RUNS.txt RESULTS [name=value ...]
# Memory: 64 bytes for each observation; a node has 512 GB. (Written from OLCF's documentation, never
# run there.)
#SBATCH --job-name=kb-merge
#SBATCH --partition=batch
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=56
#SBATCH --cpus-per-task=1
#SBATCH --time=00:30:00
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=%x-%j.log
set -euo pipefail
KILOBRAGG_HOME=${KILOBRAGG_HOME:-$SLURM_SUBMIT_DIR}
source "$KILOBRAGG_HOME/scripts/env/frontier.sh"

launch=(srun --cpus-per-task=1 --cpu-bind=threads --wait=300)
source "$KILOBRAGG_HOME/scripts/sbatch/common.sh"
kb_merge "$@"
