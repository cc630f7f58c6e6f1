#!/bin/bash -l
# Processes runs on Perlmutter's CPU nodes: one rank on each of the 128 cores of a node.
# Usage: sbatch -A ACCOUNT [--nodes=4] [--array=1-N] process.sh OPTIONS.phil RUNS.txt RESULTS [name=value ...]
#
# Put RESULTS and the images on $PSCRATCH. The account is named on the command line or by
# SBATCH_ACCOUNT. --qos=preempt is cheaper: such jobs may be stopped after two hours and are then
# requeued and resumed like any other. (Written from NERSC's documentation, never run there.)
#SBATCH --job-name=kb-process
#SBATCH --constraint=cpu
#SBATCH --qos=regular
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=128
#SBATCH --cpus-per-task=2
#SBATCH --time=02:00:00
#SBATCH --licenses=scratch
#SBATCH --signal=B:USR1@120
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=%x-%A_%a.log
set -euo pipefail
KILOBRAGG_HOME=${KILOBRAGG_HOME:-$SLURM_SUBMIT_DIR}
source "$KILOBRAGG_HOME/scripts/env/perlmutter.sh" cpu

# 2 hardware threads make a core; srun has to be told again, it does not take it from sbatch.
# --wait: if one rank dies the others are not left waiting for it until the time is over.
launch=(srun --cpus-per-task=2 --cpu-bind=cores --wait=300)
launch_signal=USR1
source "$KILOBRAGG_HOME/scripts/sbatch/common.sh"
kb_process "$@"
