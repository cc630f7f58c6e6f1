# Environment for building and running KiloBragg on Frontier (OLCF). To be sourced:
#   source scripts/env/frontier.sh
#
# Written from OLCF's documentation and never run there: expect to adjust versions of modules.
# Libraries without a module (docs/slurm.md lists them) come from $KILOBRAGG_DEPS, a folder with bin,
# include and lib, such as the view of a Spack environment. Boost too: the machine's module belongs
# to another compiler.

# The functions behind 'module' read variables that are not set.
case $- in *u*) kb_unset_is_error=1 ;; *) kb_unset_is_error= ;; esac
set +u

module load PrgEnv-gnu # g++ by the wrapper CC, with Cray MPICH
# Needed for a Kokkos with HIP, harmless otherwise. Versions of cpe, rocm and compiler belong together;
# OLCF's user guide has the table.
module load rocm craype-accel-amd-gfx90a
module load cmake
# The serial HDF5: each rank opens files for itself. Never beside cray-hdf5-parallel.
module load cray-hdf5
if [ -n "${KILOBRAGG_DEPS:-}" ]; then
  export PATH=$KILOBRAGG_DEPS/bin:$PATH
  export CMAKE_PREFIX_PATH=$KILOBRAGG_DEPS${CMAKE_PREFIX_PATH:+:$CMAKE_PREFIX_PATH}
  export LD_LIBRARY_PATH=$KILOBRAGG_DEPS/lib:$KILOBRAGG_DEPS/lib64${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
fi
# Without this, programs run with the default versions of Cray's libraries, not the loaded ones.
export LD_LIBRARY_PATH=${CRAY_LD_LIBRARY_PATH:+$CRAY_LD_LIBRARY_PATH:}$LD_LIBRARY_PATH
export CC=cc CXX=CC

export OMP_NUM_THREADS=1 # one rank, one core
# Images are read, never written, while others read them; locks cost a round trip per file or fail.
export HDF5_USE_FILE_LOCKING=FALSE
# Messages hold host memory only; 1 needs Cray's GPU transport library in the program.
export MPICH_GPU_SUPPORT_ENABLED=0
# At thousands of ranks many messages meet at rank 0: let the network card match in software when its
# own table is full, instead of failing.
export FI_CXI_RX_MATCH_MODE=hybrid

# Lustre (/lustre/orion): the default layout grows with the file and suits shards and images below
# 128 GB. Larger image files that hundreds of ranks read: before copying, give their folder more servers,
#   lfs setstripe -p capacity -c 16 FOLDER     (never -c -1: that is hundreds)
# /ccs/home and /ccs/proj are NFS: not for results.

[ -z "$kb_unset_is_error" ] || set -u
unset kb_unset_is_error
