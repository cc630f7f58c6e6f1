#!/usr/bin/env bash
# Installs, builds with warnings as errors, runs every check and every test that needs only this
# repository. Prints ctest's summary last. This is README's second command and all that CI runs.
set -euo pipefail
cd "$(dirname "$0")/.."
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1

scripts/setup.sh test
echo "== format";  scripts/check_format.sh
echo "== rooms";   python3 scripts/check_rooms.py
echo "== ROOMS.md"; python3 scripts/make_rooms.py --check
echo "== configure"
cmake --preset ci >/dev/null
echo "== build"
cmake --build build-ci
echo "== every header alone"
cmake --build build-ci --target headers_alone
echo "== install"
scripts/check_install.sh build-ci
echo "== tests"
ctest --test-dir build-ci -j "$(nproc)" -LE data --output-on-failure
