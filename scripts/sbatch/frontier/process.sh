#!/bin/bash -l
# Processes runs on Frontier: one rank on each of the 56 cores that a node gives to jobs.
# Usage: sbatch -A PROJECT [--nodes=4] [--array=1-N] process.sh OPTIONS.phil RUNS.txt RESULTS [name=value ...]
#
# Put RESULTS and the images on /lustre/orion. Jobs of up to 91 nodes get two hours; longer runs go on
# after a requeue. A user may have 100 jobs in the queue, array tasks counted, and four that wait for
# a place: list several runs as one line if there are more. (Written from OLCF's documentation, never
# run there.)
#SBATCH --job-name=kb-process
#SBATCH --partition=batch
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=56
#SBATCH --cpus-per-task=1
#SBATCH --time=02:00:00
#SBATCH --signal=B:USR1@120
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=%x-%A_%a.log
set -euo pipefail
KILOBRAGG_HOME=${KILOBRAGG_HOME:-$SLURM_SUBMIT_DIR}
source "$KILOBRAGG_HOME/scripts/env/frontier.sh"

# --wait: if one rank dies the others are not left waiting for it until the time is over.
launch=(srun --cpus-per-task=1 --cpu-bind=threads --wait=300)
launch_signal=USR1
source "$KILOBRAGG_HOME/scripts/sbatch/common.sh"
kb_process "$@"
