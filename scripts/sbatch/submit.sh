#!/usr/bin/env bash
# Submits a job array that processes every run of a list, and the merge that waits for all of it.
# Usage: scripts/sbatch/submit.sh FOLDER OPTIONS.phil RUNS.txt RESULTS MERGE.phil [sbatch options ...]
#   FOLDER   local, perlmutter or frontier: whose process.sh and merge.sh. KILOBRAGG_PROCESS names
#            another script for processing, such as process_gpu.sh. The sbatch options, such as
#            -A ACCOUNT, go to both jobs. KILOBRAGG_AT_ONCE runs are processed at a time (default: all).
# Prints the numbers of both jobs.
set -euo pipefail
if [ $# -lt 5 ]; then
  sed -n '2,7s/^# \{0,1\}//p' "$0" >&2
  exit 2
fi
machine=$1 options=$2 runs=$3 results=$4 merge_options=$5
shift 5
export KILOBRAGG_HOME=${KILOBRAGG_HOME:-$(cd "$(dirname "$0")/../.." && pwd)}
scripts=$KILOBRAGG_HOME/scripts/sbatch/$machine
[ -d "$scripts" ] || { echo "submit.sh: no folder '$machine' beside it" >&2; exit 2; }
for file in "$options" "$runs" "$merge_options"; do
  [ -r "$file" ] || { echo "submit.sh: cannot read '$file'" >&2; exit 2; }
done
n=$(grep -v -c -e '^[[:space:]]*$' -e '^[[:space:]]*#' "$runs" || true)
[ "$n" -gt 0 ] || { echo "submit.sh: '$runs' names no run" >&2; exit 2; }

at_once=${KILOBRAGG_AT_ONCE:+%$KILOBRAGG_AT_ONCE}
process=$(sbatch --parsable "$@" --array="1-$n$at_once" "$scripts/${KILOBRAGG_PROCESS:-process.sh}" \
  "$options" "$runs" "$results")
# afterok waits for the last restart of every task; if one fails for good the merge is taken back.
merge=$(sbatch --parsable "$@" --dependency="afterok:${process%%;*}" --kill-on-invalid-dep=yes \
  "$scripts/merge.sh" "$merge_options" "$runs" "$results")
echo "process ${process%%;*} ($n runs)"
echo "merge ${merge%%;*}"
