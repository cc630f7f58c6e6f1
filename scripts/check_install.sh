#!/usr/bin/env bash
# Installs a build into a scratch folder, runs an installed program and builds a project against it.
# Usage: scripts/check_install.sh BUILD_DIR
set -euo pipefail
build=$(cd "$1" && pwd)
cd "$(dirname "$0")/.."
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cmake --install "$build" --prefix "$scratch/prefix" >/dev/null
for program in stills_process merge simulate_stills; do
  "$scratch/prefix/bin/$program" --version
done
cmake -S examples/library -B "$scratch/example" -DCMAKE_PREFIX_PATH="$scratch/prefix" >/dev/null
cmake --build "$scratch/example" >/dev/null
if "$scratch/example/find_spots" /no/such/file 2>/dev/null; then exit 1; fi
echo "install: programs run, a project builds against the package"
