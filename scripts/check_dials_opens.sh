#!/bin/sh
# Opens composite files with DIALS: check_dials_opens.sh PREFIX, e.g. out/idx-0000. Exit status 77
# means that DIALS is not installed here and nothing was checked.
set -eu
prefix=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
python=${DIALS_PYTHON:-/usr/bin/python3}
if ! command -v dials.show >/dev/null || ! "$python" -c 'import dials.array_family.flex' 2>/dev/null; then
  echo "SKIPPED: no DIALS here (install the package dials, or set DIALS_PYTHON)"
  exit 77
fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# Every file, and that ids, identifiers and experiments belong together.
"$python" - "$prefix" <<'PYTHON'
import sys
from dials.array_family import flex
from dxtbx.model.experiment_list import ExperimentList

prefix = sys.argv[1]
for kind in "strong", "indexed", "refined", "integrated":
    experiments = ExperimentList.from_file(f"{prefix}_{kind}.expt", check_format=False)
    table = flex.reflection_table.from_file(f"{prefix}_{kind}.refl")
    table.assert_experiment_identifiers_are_consistent(experiments)
    assert len(table.experiment_identifiers()) == len(experiments)
    for i, experiment in enumerate(experiments):
        rows = table.select(table["id"] == i)
        for name in "xyzobs.px.value", "xyzcal.px", "s1":
            assert name not in rows or len(rows[name]) == len(rows)
        if experiment.crystal is not None and len(rows):
            # What a DIALS crystal says about d is what the table says.
            rows.compute_d_single(experiment) if "d" not in rows else None
            cell = experiment.crystal.get_unit_cell()
            d = cell.d(rows["miller_index"])
            assert flex.max(flex.abs(d - rows["d"])) < 1e-3 * flex.max(d), (prefix, kind, i)
    print(f"{prefix}_{kind}: {len(experiments)} experiments, {len(table)} reflections")
PYTHON

for kind in strong refined integrated; do
  dials.show "${prefix}_$kind.expt" "${prefix}_$kind.refl" >"$scratch/show.log" 2>&1 ||
    { cat "$scratch/show.log"; echo "dials.show failed on $kind"; exit 1; }
done
for kind in refined integrated; do
  (cd "$scratch" && dials.report "${prefix}_$kind.expt" "${prefix}_$kind.refl" >report.log 2>&1) ||
    { tail -30 "$scratch/report.log"; echo "dials.report failed on $kind"; exit 1; }
  test -s "$scratch/dials.report.html" || { echo "dials.report wrote nothing on $kind"; exit 1; }
done
echo "DIALS opens ${prefix}_*"
