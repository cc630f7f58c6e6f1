#!/usr/bin/env bash
# Installs, builds, simulates a run of stills, processes it and merges it: README's first command.
# Usage: scripts/demo.sh [stills] [directory]     (default: 300 stills in demo-run)
set -euo pipefail
cd "$(dirname "$0")/.."
stills=${1:-300}
run=${2:-demo-run}
ranks=2
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
mpi=(mpirun -n "$ranks" --oversubscribe)

scripts/setup.sh build
echo "== build"
cmake --preset apps >/dev/null
cmake --build build-apps
bin=$PWD/build-apps/apps

mkdir -p "$run"
cd "$run"
echo "== simulate $stills stills of lysozyme"
"${mpi[@]}" "$bin/simulate_stills" output.prefix=run n_images="$stills"

echo "== process: images become spots, lattices, intensities"
cat > process.phil <<'PHIL'
indexing.known_symmetry {
  space_group = P43212
  unit_cell = 77.06 77.06 37.22 90 90 90
}
PHIL
"${mpi[@]}" "$bin/stills_process" process.phil run_master.h5 output.output_dir=processed

echo "== merge: intensities become one data set"
"${mpi[@]}" "$bin/merge" input.path=processed merging.d_min=2.0 merging.merge_anomalous=True \
  statistics.truth.mtz_file=run_truth.mtz output.output_dir=merged output.prefix=demo
