#!/usr/bin/env bash
# CPU seconds per frame of stills_process and dials.stills_process on the same images, and the ratio.
# usage: scripts/bench/end_to_end.sh BUILD [set ...]      KILOBRAGG_BENCH_REPEATS=3 takes the best of 3
# KILOBRAGG_BENCH_OPTIONS="input.max_images=20" goes to both programs.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
build=$(cd "${1:-$root/build}" && pwd)
shift || true
data=${KILOBRAGG_TEST_DATA:-$root/../shared/data}
sets=("$@")
((${#sets[@]})) || sets=(thermolysin_cspad rayonix_mfx thaumatin_i24 lysozyme_nanobragg)
if [ ! -d "$data/images" ] || [ ! -d "$data/reference" ]; then
  echo "error: no images and reference runs in $data (give the folder as KILOBRAGG_TEST_DATA)" >&2
  exit 1
fi
repeats=${KILOBRAGG_BENCH_REPEATS:-1}
read -ra options <<< "${KILOBRAGG_BENCH_OPTIONS:-}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Debian's dials.stills_process misses a compiled module of which it uses nothing here.
mkdir "$work/shim"
touch "$work/shim/xfel_mono_sim_ext.py"

# User and system CPU seconds of a command, best of the repeats; its output goes to $work/log.
cpu_seconds() {
  local best="" seconds
  for ((i = 0; i < repeats; ++i)); do
    TIMEFORMAT='%U %S'
    seconds=$({ time "$@" > "$work/log" 2>&1; } 2>&1 | awk '{print $1 + $2}')
    best=$(awk -v a="$seconds" -v b="${best:-1e9}" 'BEGIN {print (a < b) ? a : b}')
  done
  echo "$best"
}

printf '| set | frames | KiloBragg (CPU s per frame) | DIALS (CPU s per frame) | ratio |\n|---|---|---|---|---|\n'
for set in "${sets[@]}"; do
  image=$data/images/$set.h5 phil=$data/reference/$set.phil
  ours=$(cpu_seconds "$build/apps/stills_process" "$phil" "$image" output.output_dir="$work/$set" "${options[@]}")
  frames=$(sed -n 's/^Summary of \([0-9]*\) inputs.*/\1/p' "$work/log")
  # DIALS 3.12 does not read every geometry of these files: it gets the detector as we read it.
  theirs=$(mkdir "$work/dials_$set" && cd "$work/dials_$set" &&
    cpu_seconds env PYTHONPATH="$work/shim" OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 \
      dials.stills_process "$phil" "$image" mp.nproc=1 \
      input.reference_geometry="$work/$set/idx-0000_refined.expt" "${options[@]}")
  if [ ! -e "$work/dials_$set/idx-0000_integrated.refl" ]; then
    echo "$set: dials.stills_process integrated nothing; its last words: $(tail -n 3 "$work/log")" >&2
    theirs=0
  fi
  row=$(awk -v set="$set" -v n="$frames" -v a="$ours" -v b="$theirs" 'BEGIN {
    if (b > 0) printf "| %s | %d | %.4f | %.3f | %.1f |", set, n, a / n, b / n, b / a
    else printf "| %s | %d | %.4f | not read | |", set, n, a / n}')
  echo "$row"
  if [ -n "${KILOBRAGG_VALIDATION_DIR:-}" ]; then
    echo "$row" >> "$KILOBRAGG_VALIDATION_DIR/speed.md"
  fi
done
