#!/usr/bin/env bash
# Processes an archived run again with other parameters, doing again only what they touch.
#
# Usage: reprocess.sh ARCHIVE NEW [options of stills_process ...] [-- options of merge ...]
#   ARCHIVE   output folder of the first run, made with
#               stills_process options.phil images ... output.output_dir=ARCHIVE --write-index ARCHIVE/index.kbi
#             so that it holds stills_process.phil, index.kbi and the shards
#   NEW       where new results go; merged data in NEW/merged
#   Options are name=value or .phil files and are laid over those of the archive. Without "--" nothing is merged.
# KILOBRAGG_BIN is the folder of the programs (default: PATH), KILOBRAGG_LAUNCH starts them ("mpirun -n 64",
# "srun"). Run the same command again to go on after an interruption. README.md says what is done again when.
set -euo pipefail
[ $# -ge 2 ] || { sed -n '4,11s/^# \{0,1\}//p' "$0" >&2; exit 2; }
archive=$1 new=$2
shift 2
process=() merge=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do process+=("$1"); shift; done
merging=$#
[ $# -eq 0 ] || { shift; merge=("$@"); }
read -r -a launch <<< "${KILOBRAGG_LAUNCH:-}"
program() { echo "${KILOBRAGG_BIN:+$KILOBRAGG_BIN/}$1"; }
for file in stills_process.phil index.kbi; do
  [ -r "$archive/$file" ] || { echo "reprocess.sh: no $file in '$archive' (not an archived run)" >&2; exit 2; }
done

# The options in effect, one "path = value" per line.
options_in_effect() {
  "$(program stills_process)" -c "$@" | awk '
    $2 == "{" && NF == 2 { path[++depth] = $1; next }
    $1 == "}"            { --depth; next }
                         { sub(/^ +/, ""); name = ""
                           for (i = 1; i <= depth; ++i) name = name path[i] "."
                           print name $0 }'
}
before=$(options_in_effect "$archive/stills_process.phil")
after=$(options_in_effect "$archive/stills_process.phil" "${process[@]}")
changed=$(grep -v -x -F -f <(echo "$before") <<< "$after" || true)
images=$(grep -v -e '^output\.' -e '^mp\.' <<< "$changed" || true)

mkdir -p "$new"
if [ -n "$images" ]; then
  printf 'Every image again, because of\n%s\n' "$images"
  # The index knows the files, the frames and where their bytes lie: no file is searched through.
  "${launch[@]}" "$(program stills_process)" "$archive/stills_process.phil" "${process[@]}" "$archive/index.kbi" \
    output.output_dir="$new" --write-index "$new/index.kbi" --resume
  results=$new
elif [ -n "$changed" ]; then
  printf 'No image again, only the files derived from the shards, beside them, because of\n%s\n' "$changed"
  "$(program stills_process)" "$archive/stills_process.phil" "${process[@]}" "$archive"/idx-*.shard
  results=$archive
else
  echo "No image again: the options of stills_process are those of the archive"
  results=$archive
fi

if [ "$merging" -gt 0 ]; then
  "${launch[@]}" "$(program merge)" "${merge[@]}" input.path="$results" output.output_dir="$new/merged"
fi
