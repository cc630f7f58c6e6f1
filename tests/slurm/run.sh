#!/usr/bin/env bash
# Runs the job scripts of scripts/sbatch/local on a private Slurm of one node: stops, requeues, kills,
# preemptions, arrays, and compares what comes out with an undisturbed run.
#
# Usage: tests/slurm/run.sh [PROGRAMS] [case ...]      PROGRAMS: folder of stills_process, merge and
#        simulate_stills (default build-apps/apps). Without cases: all. KILOBRAGG_SLURM_STILLS=600
#        stills are simulated first. As root it installs what is missing of Debian's Slurm; otherwise
#        slurmctld, slurmd, slurm-client and munge must be there. KILOBRAGG_SLURM_KEEP=1 keeps the
#        temporary folder. Everything it starts it stops.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
export KILOBRAGG_HOME=${KILOBRAGG_HOME:-$(cd "$here/../.." && pwd)}
bin=$KILOBRAGG_HOME/build-apps/apps
if [ $# -gt 0 ] && [ -d "$1" ]; then bin=$(cd "$1" && pwd); shift; fi
export KILOBRAGG_BIN=$bin
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
stills=${KILOBRAGG_SLURM_STILLS:-600}
for program in stills_process merge simulate_stills; do
  [ -x "$bin/$program" ] || { echo "run.sh: no $program in $bin (build the preset 'apps' first, or name the folder)" >&2; exit 2; }
done

needed=(slurmctld slurmd slurm-client munge)
missing=()
for package in "${needed[@]}"; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  [ "$(id -u)" -eq 0 ] || { echo "run.sh: missing packages: ${missing[*]} (only root can install them)" >&2; exit 2; }
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

source "$here/cluster.sh"
source "$here/cases.sh"
work=$(mktemp -d "${TMPDIR:-/tmp}/kilobragg-slurm.XXXXXX")
clean_up() {
  cluster_stop
  if [ -n "${KILOBRAGG_SLURM_KEEP:-}" ]; then echo "kept $work"; else rm -rf "$work"; fi
}
trap clean_up EXIT
trap 'exit 130' INT TERM

prepare
cluster_start "$work/slurm"
cases=("$@")
if [ ${#cases[@]} -eq 0 ]; then mapfile -t cases < <(all_cases); fi
failed=()
for name in "${cases[@]}"; do
  started=$SECONDS
  echo "== $name"
  # In the background, because 'set -e' has no force inside the condition of an 'if'.
  (set -euo pipefail; "case_$name") &
  if wait $!; then
    echo "   passed, $((SECONDS - started)) s"
  else
    echo "   FAILED, $((SECONDS - started)) s"
    failed+=("$name")
  fi
  scancel --user="$(id -un)" 2>/dev/null || true
done
if [ ${#failed[@]} -gt 0 ]; then
  echo "${#failed[@]} of ${#cases[@]} cases failed: ${failed[*]}"
  exit 1
fi
echo "all ${#cases[@]} cases passed, $SECONDS s"
