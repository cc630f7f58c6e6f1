#!/usr/bin/env bash
# Measures on the real data and rewrites the tables of docs/validation.md between their markers, unless
# a test fails: then the measured rows are in what it prints.
# Usage: scripts/validate.sh [BUILD]      the data are in $KILOBRAGG_TEST_DATA, as for the tests
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
build=${1:-$root/build}
export KILOBRAGG_VALIDATION_DIR
KILOBRAGG_VALIDATION_DIR=$(mktemp -d)
trap 'rm -rf "$KILOBRAGG_VALIDATION_DIR"' EXIT

ctest --test-dir "$build" -L data --no-tests=error --output-on-failure
if command -v dials.stills_process > /dev/null; then
  "$root/scripts/bench/end_to_end.sh" "$build"
fi

python3 - "$root/docs/validation.md" "$KILOBRAGG_VALIDATION_DIR" << 'PYTHON'
import pathlib, re, sys

document, measured = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
text = document.read_text()
for table in sorted(measured.glob("*.md")):
    rows = "".join(sorted(table.read_text().splitlines(keepends=True)))
    marker = f"<!-- measured: {table.stem} -->\n"
    text, found = re.subn(re.escape(marker) + r".*?<!-- end -->",
                          lambda match: marker + rows + "<!-- end -->", text, flags=re.S)
    print(f"{table.stem}: {len(rows.splitlines())} rows" if found else f"{table.stem}: no place for it")
document.write_text(text)
PYTHON
