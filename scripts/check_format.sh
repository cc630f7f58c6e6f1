#!/usr/bin/env bash
# Fails if any C++ file differs from what clang-format makes of it; --fix rewrites them.
set -euo pipefail
cd "$(dirname "$0")/.."
format=$(command -v clang-format-14 || command -v clang-format || true)
if [ -z "$format" ] || ! "$format" --version | grep -q 'version 14\.'; then
  echo "SKIPPED: needs clang-format 14 (other versions lay code out differently); found: ${format:-none}"
  exit 0
fi
mapfile -t files < <(git ls-files '*.cpp' '*.hpp')
if [ "${1:-}" = --fix ]; then
  exec "$format" -i "${files[@]}"
fi
"$format" --dry-run --Werror "${files[@]}"
