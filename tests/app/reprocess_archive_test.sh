#!/usr/bin/env bash
# examples/reprocess_archive on a small simulated run: what is done again, and that it equals a fresh start.
# Usage: reprocess_archive_test.sh FOLDER_OF_PROGRAMS
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
KILOBRAGG_BIN=$(cd "$1" && pwd)
export KILOBRAGG_BIN
reprocess=$here/../../examples/reprocess_archive/reprocess.sh
digest() { python3 "$here/../slurm/shard_digest.py" "$1"; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

expect() {
  local what=$1
  shift
  "$@" || { echo "FAILED: $what"; cat log; exit 1; }
}

"$KILOBRAGG_BIN/simulate_stills" n_images=12 fraction.blanks=0 crystal.size_um=0.4 render.oversample=1 \
  beam.channels=1 > log
cat > process.phil <<'PHIL'
indexing.known_symmetry {
  space_group = P43212
  unit_cell = 77.06 77.06 37.22 90 90 90
}
PHIL
"$KILOBRAGG_BIN/stills_process" process.phil run_0000.h5 output.output_dir=archive \
  --write-index archive/index.kbi > log

"$reprocess" archive merged_again -- merging.d_min=3 > log 2>&1
expect 'only merged' grep -q '^No image again: the options' log
expect 'merged data' test -s merged_again/merged/iobs_all.mtz

"$reprocess" archive renamed output.integrated_filename=%s_again.refl > log 2>&1
expect 'only files derived again' grep -q '^No image again, only the files' log
expect 'the new file' test -s archive/idx-0000_again.refl

"$reprocess" archive stricter spotfinder.filter.min_spot_size=4 -- merging.d_min=3 > log 2>&1
expect 'says what changed' grep -q '^spotfinder.filter.min_spot_size = 4' log
"$KILOBRAGG_BIN/stills_process" process.phil spotfinder.filter.min_spot_size=4 run_0000.h5 \
  output.output_dir=fresh > fresh.log
digest stricter > stricter.digest
digest fresh > fresh.digest
digest archive > archive.digest
expect '12 images' test "$(wc -l < fresh.digest)" -eq 12
expect 'the same as a fresh start' cmp stricter.digest fresh.digest
expect 'other results than the archive' sh -c '! cmp -s stricter.digest archive.digest'
expect 'merged data' test -s stricter/merged/iobs_all.mtz

"$reprocess" archive stricter spotfinder.filter.min_spot_size=4 > log 2>&1
digest stricter | cmp - fresh.digest
echo "reprocess_archive: as expected"
