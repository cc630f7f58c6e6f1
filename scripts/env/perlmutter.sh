# Environment for building and running KiloBragg on Perlmutter (NERSC). To be sourced:
#   source scripts/env/perlmutter.sh          CPU nodes (the same as: ... cpu)
#   source scripts/env/perlmutter.sh gpu      GPU nodes, for a build against a Kokkos with CUDA
#
# Written from NERSC's documentation and never run there: expect to adjust versions of modules.
# Libraries without a module (docs/slurm.md lists them) come from $KILOBRAGG_DEPS, a folder with bin,
# include and lib, such as the view of a Spack environment.

# Sourced without a word, $1 is the first argument of the script that does it.
case ${1:-} in cpu | gpu) kb_nodes=$1 ;; *) kb_nodes=cpu ;; esac
# The functions behind 'module' read variables that are not set.
case $- in *u*) kb_unset_is_error=1 ;; *) kb_unset_is_error= ;; esac
set +u

module load "$kb_nodes" # cpu or gpu: takes the other one out
module load PrgEnv-gnu  # g++ by the wrapper CC, with Cray MPICH
module load cmake
# The serial HDF5: each rank opens files for itself, and the serial one is enough beside MPI. The
# module cray-hdf5-parallel would do as well; never load both.
module load cray-hdf5
if [ "$kb_nodes" = gpu ]; then
  module load cudatoolkit craype-accel-nvidia80
fi
if [ -n "${KILOBRAGG_DEPS:-}" ]; then
  export PATH=$KILOBRAGG_DEPS/bin:$PATH
  export CMAKE_PREFIX_PATH=$KILOBRAGG_DEPS${CMAKE_PREFIX_PATH:+:$CMAKE_PREFIX_PATH}
  export LD_LIBRARY_PATH=$KILOBRAGG_DEPS/lib:$KILOBRAGG_DEPS/lib64${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
fi
# Cray's modules take effect at run time through this one where they are not the default versions.
export LD_LIBRARY_PATH=${CRAY_LD_LIBRARY_PATH:+$CRAY_LD_LIBRARY_PATH:}$LD_LIBRARY_PATH
export CC=cc CXX=CC

export OMP_NUM_THREADS=1 # one rank, one core
# Images are read, never written, while others read them; locks cost a round trip per file or fail.
export HDF5_USE_FILE_LOCKING=FALSE
# Messages hold host memory only. The module gpu sets this to 1, which needs Cray's GPU transport
# library in the program and refuses to start without it.
export MPICH_GPU_SUPPORT_ENABLED=0
# At thousands of ranks many messages meet at rank 0: let the network card match in software when its
# own table is full, instead of failing.
export FI_CXI_RX_MATCH_MODE=hybrid

# Lustre ($PSCRATCH): a file lies on one server by default. Shards, one per rank, are right so. Images
# that hundreds of ranks read from a few large files are not: before copying them there, give the
# folder more servers (8, 24 or 72), for example
#   mkdir $PSCRATCH/r0042; stripe_medium $PSCRATCH/r0042     (10 to 100 GB in a file; stripe_large above)

[ -z "$kb_unset_is_error" ] || set -u
unset kb_nodes kb_unset_is_error
