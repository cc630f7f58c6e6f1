#!/bin/bash
# Runs a program with the one NVIDIA GPU of its node that its rank shares with its neighbours.
# Usage: srun ... one_gpu.sh PROGRAM ...    Ranks are dealt to GPUs in blocks; KILOBRAGG_GPU_ORDER=reversed
# gives the first block the last GPU.
gpus=${KILOBRAGG_GPUS_PER_NODE:?how many GPUs has a node?}
ranks=${SLURM_NTASKS_PER_NODE:?is this a task of srun --ntasks-per-node?}
gpu=$((SLURM_LOCALID * gpus / ranks))
if [ "${KILOBRAGG_GPU_ORDER:-}" = reversed ]; then gpu=$((gpus - 1 - gpu)); fi
export CUDA_VISIBLE_DEVICES=$gpu
exec "$@"
