#!/usr/bin/env python3
"""Simulates sets of stills, refines them against their pixels, and compares with the truth.

Usage: pixel_refinement.py <folder of programs> <work folder> set[:shots] ...
       pixel_refinement.py <folder of programs> <work folder> anomalous[:shots,shots,...] [--plot picture]
Sets: mono, sase, anomalous (two Yb sites; the first so many shots of one set are merged). What a set needs and
lies in the work folder already is not made again. Options of merge may follow (name=value). Python's standard
library alone; --plot needs matplotlib.
"""
import csv
import itertools
import json
import math
import os
import re
import struct
import subprocess
import sys
import time

SETS = {
    "mono": {"simulate": ["beam.channels=1"], "mates_apart": False},
    "sase": {"simulate": ["beam.channels=12", "beam.spectrum=sase", "beam.spike_width=4e-4"], "mates_apart": False},
    "anomalous": {"simulate": ["beam.channels=1", "amplitudes.anomalous=True", "amplitudes.dispersion_element=Yb"],
                  "mates_apart": True},
}
CELL = "77.06,77.06,37.22,90,90,90"
LONGEST_WAIT = 7200


def run(words, folder, log):
    """Runs a program; its CPU seconds, whole and by the steps that it announces."""
    tick = os.sysconf("SC_CLK_TCK")
    start, steps, name, before = time.time(), {}, "start", 0.0
    process = subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def cpu():
        try:
            fields = open(f"/proc/{process.pid}/stat").read().rpartition(")")[2].split()
            return (int(fields[11]) + int(fields[12])) / tick
        except (OSError, IndexError):
            return before

    with open(os.path.join(folder, log), "w") as text:
        text.write(" ".join(words) + "\n")
        for line in process.stdout:
            text.write(line)
            if step := re.match(r"STEP \d+: (.*)", line):
                now = cpu()
                steps[name] = steps.get(name, 0) + now - before
                name, before = re.sub(r", cycle \d+", "", step.group(1)), now
            if time.time() - start > LONGEST_WAIT:
                process.kill()
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{' '.join(words)} ended with {process.returncode}, see {folder}/{log}")
    total = usage.ru_utime + usage.ru_stime
    steps[name] = steps.get(name, 0) + total - before
    return {"cpu": total, "wall": time.time() - start, "steps": steps}


def remembered(path, make):
    """What `make` returns, kept as JSON."""
    if not os.path.exists(path):
        result = make()
        with open(path, "w") as file:
            json.dump(result, file, indent=1)
    with open(path) as file:
        return json.load(file)


def make_images(programs, folder, kind, shots):
    """Images and integrated lattices of a set."""
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "process.phil"), "w") as file:
        file.write(f"indexing.known_symmetry.space_group=P43212\nindexing.known_symmetry.unit_cell={CELL}\n")
    simulate = [os.path.join(programs, "simulate_stills"), f"n_images={shots}", "fraction.blanks=0",
                "fraction.doubles=0", *SETS[kind]["simulate"], "output.output_dir=."]
    process = [os.path.join(programs, "stills_process"), "process.phil", "run_master.h5", "output.output_dir=sp"]
    remembered(f"{folder}/simulate.json", lambda: run(simulate, folder, "simulate.log"))
    remembered(f"{folder}/process.json", lambda: run(process, folder, "process.log"))


def list_shots(folder, first):
    """A list of the lattices on the first so many images."""
    with open(f"{folder}/sp/idx-0000_integrated.expt") as file:
        experiments = json.load(file)
    lines = []
    for number, experiment in enumerate(experiments["experiment"]):
        image = experiments["imageset"][experiment["imageset"]]["single_file_indices"][0]
        if image < first:
            lines.append(f"sp/idx-0000_integrated.expt sp/idx-0000_integrated.refl None {number}\n")
    path = f"{folder}/first_{first}.txt"
    with open(path, "w") as file:
        file.writelines(lines)
    return os.path.basename(path), len(lines)


def refine(programs, folder, kind, first, options):
    """merge, and merge --pixels, of the first so many shots (None = all)."""
    name = f"px_{first or 'all'}" + "".join("_" + re.sub(r"[^A-Za-z0-9.-]", "_", o) for o in options)
    source = f"input.exp_ref_spec={list_shots(folder, first)[0]}" if first else "input.path=sp"
    words = [os.path.join(programs, "merge"), source, "merging.d_min=2.0",
             f"merging.merge_anomalous={not SETS[kind]['mates_apart']}", "statistics.truth.mtz_file=run_truth.mtz"]
    merge = lambda: run([*words, f"output.output_dir={name}_merge"], folder, f"{name}_merge.log")
    pixels = lambda: run([*words, "--pixels", *options, f"output.output_dir={name}"], folder, f"{name}.log")
    times = {"merge": remembered(f"{folder}/{name}_merge.json", merge),
             "pixels": remembered(f"{folder}/{name}.json", pixels)}
    return f"{folder}/{name}", times


# Matrices as rows of rows.
def product(a, b):
    return [[sum(a[i][k] * b[k][j] for k in range(3)) for j in range(3)] for i in range(3)]


def transposed(a):
    return [list(row) for row in zip(*a)]


def determinant(a):
    return sum(a[0][i] * (a[1][(i + 1) % 3] * a[2][(i + 2) % 3] - a[1][(i + 2) % 3] * a[2][(i + 1) % 3])
               for i in range(3))


def inverse(a):
    d = determinant(a)
    return [[(a[(j + 1) % 3][(i + 1) % 3] * a[(j + 2) % 3][(i + 2) % 3] -
              a[(j + 1) % 3][(i + 2) % 3] * a[(j + 2) % 3][(i + 1) % 3]) / d for j in range(3)] for i in range(3)]


def matrix(values):
    return [list(map(float, values[3 * i:3 * i + 3])) for i in range(3)]


def lattice_rotations(a):
    """Integer matrices of determinant 1 that keep the metric of A to 2 %: all ways to index one lattice."""
    metric = product(transposed(a), a)
    size = max(metric[i][i] for i in range(3))
    found = []
    for elements in itertools.product((-1, 0, 1), repeat=9):
        m = matrix(elements)
        if determinant(m) == 1:
            moved = product(transposed(m), product(metric, m))
            if all(abs(moved[i][j] - metric[i][j]) < 0.02 * size for i in range(3) for j in range(3)):
                found.append(m)
    return found


def turn(found, true, rotations):
    """Rotation vector (rad) that takes the true A to the one found, over all ways to index it."""
    best = None
    for m in rotations:
        e = product(product(found, m), inverse(true))
        w = [0.5 * (e[2][1] - e[1][2]), 0.5 * (e[0][2] - e[2][0]), 0.5 * (e[1][0] - e[0][1])]
        if e[0][0] + e[1][1] + e[2][2] > 2.9 and (best is None or norm(w) < norm(best)):
            best = w
    return best


def norm(v):
    return math.sqrt(sum(x * x for x in v))


def quantile(values, part):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else float("nan")


def half_width(values):
    return 0.5 * (quantile(values, 0.8413) - quantile(values, 0.1587))


def rms(values):
    return math.sqrt(sum(v * v for v in values) / len(values)) if values else float("nan")


def edges(a):
    return [norm(row) for row in inverse(a)]


def first_matrices(folder):
    """A of stills_process by frame."""
    with open(f"{folder}/sp/idx-0000_integrated.expt") as file:
        experiments = json.load(file)
    result = {}
    for experiment in experiments["experiment"]:
        crystal = experiments["crystal"][experiment["crystal"]]
        frame = experiments["imageset"][experiment["imageset"]]["single_file_indices"][0]
        result[frame] = inverse([crystal[f"real_space_{axis}"] for axis in "abc"])
    return result


def shot_errors(folder, results):
    """Of the parameters of shots: errors before and after, and pulls, by name. One lattice per image."""
    with open(f"{folder}/run_truth.json") as file:
        truth = json.load(file)["frames"]
    with open(f"{results}/iobs_shots.csv", newline="") as file:
        shots = [row for row in csv.DictReader(file) if row["state"] in ("refined", "limit")]
    sigmas = {}
    with open(f"{results}/iobs_shot_errors.csv", newline="") as file:
        for row in csv.DictReader(file):
            sigmas.setdefault(row["identifier"], {})[row["parameter"]] = (float(row["value"]), float(row["sigma"]))
    before = first_matrices(folder)
    rotations = lattice_rotations(matrix(truth[0]["lattices"][0]["A"]))
    errors, pulls, light = {}, {}, []
    for row in shots:
        frame = truth[int(row["frame"])]
        lattice, sigma = frame["lattices"][0], sigmas[row["identifier"]]
        true = matrix(lattice["A"])
        found = matrix([row[f"a{i}{j}"] for i in "123" for j in "123"])
        w, w_before = turn(found, true, rotations), turn(before[int(row["frame"])], true, rotations)
        if w is None or w_before is None:
            errors.setdefault("lost", []).append(1)
            continue
        errors.setdefault("orientation (deg)", []).append(math.degrees(norm(w)))
        errors.setdefault("orientation before (deg)", []).append(math.degrees(norm(w_before)))
        for i in range(3):
            pulls.setdefault("orientation", []).append(w[i] / sigma[f"RotXYZ{i}"][1])
        # The strains of a tetragonal cell: (a a + b b) / sqrt(2) and c c.
        cell, cell_before = edges(found), edges(before[int(row["frame"])])
        for name, axis, strain in (("a", 0, sigma["ucell0"][1] / math.sqrt(2)), ("c", 2, sigma["ucell1"][1])):
            error = cell[axis] / lattice["cell"][axis] - 1
            errors.setdefault(f"{name} (relative)", []).append(error)
            errors.setdefault(f"{name} before (relative)", []).append(cell_before[axis] / lattice["cell"][axis] - 1)
            pulls.setdefault(name, []).append(error / strain)
        for i in range(3):
            ratio = float(row[f"n{i + 1}{i + 1}"]) / lattice["N"]
            errors.setdefault("N (relative)", []).append(ratio - 1)
            pulls.setdefault("N", []).append((ratio - 1) * lattice["N"] / sigma[f"Nabc{i}"][1])
        spread = lattice["eta_deg"] / math.sqrt(3)
        errors.setdefault("spread (relative)", []).append(float(row["spread_1"]) / spread - 1)
        pulls.setdefault("spread", []).append((float(row["spread_1"]) - spread) /
                                              math.degrees(sigma["eta0"][1]))
        # G times the volume of a block against the illuminated cells: ln of what spots hold.
        size = float(row["n11"]) * float(row["n22"]) * float(row["n33"])
        light.append(math.log(float(row["g"]) * size / (frame["shot"] * lattice["scale"] * abs(determinant(true)))))
    middle = quantile(light, 0.5)
    errors["light of a shot (ln, relative to the others)"] = [v - middle for v in light]
    return len(shots), errors, pulls


def read_mtz(path):
    """Rows of an MTZ, as dictionaries by column."""
    with open(path, "rb") as file:
        data = file.read()
    (header,) = struct.unpack("<i", data[4:8])
    text = data[4 * (header - 1):]
    records = [text[i:i + 80].decode("latin1") for i in range(0, len(text), 80)]
    columns = [r.split()[1] for r in records if r.startswith("COLUMN")]
    rows = int(next(r for r in records if r.startswith("NCOL")).split()[2])
    values = struct.unpack(f"<{rows * len(columns)}f", data[80:80 + 4 * rows * len(columns)])
    return [dict(zip(columns, values[i * len(columns):(i + 1) * len(columns)])) for i in range(rows)]


def pulls_by_error(folder, results):
    """Widths of the pulls of F, of all and by their relative error: which have errors of the wrong size?"""
    key = lambda row: (row["H"], row["K"], row["L"])
    name = lambda row: "F(+)" if "F(+)" in row else "F"
    truth = {key(r): r[name(r)] for r in read_mtz(f"{folder}/run_truth.mtz")}
    rows = [r for r in read_mtz(f"{results}/iobs_refined_all.mtz") if key(r) in truth]
    pairs = []
    for r in rows:
        f, sigma = (r["F(+)"], r["SIGF(+)"]) if "F(+)" in r else (r["F"], r["SIGF"])
        if f > 0 and sigma > 0:
            d2 = (r["H"] ** 2 + r["K"] ** 2) / 77.06 ** 2 + r["L"] ** 2 / 37.22 ** 2
            pairs.append((sigma / f, f / truth[key(r)], d2))
    # The scale is a smooth function of resolution: through the medians of forty groups, straight in 1/d^2.
    pairs.sort(key=lambda p: p[2])
    groups = [pairs[i * len(pairs) // 40:(i + 1) * len(pairs) // 40] for i in range(40)]
    knots = []
    for group in groups:
        known = [p for p in group if p[0] < 0.1] or group
        knots.append((sum(p[2] for p in known) / len(known), quantile([p[1] for p in known], 0.5)))

    def scale(d2):
        k = min(max(1, sum(1 for knot in knots if knot[0] < d2)), len(knots) - 1)
        (x0, y0), (x1, y1) = knots[k - 1], knots[k]
        return y0 + (y1 - y0) * (d2 - x0) / (x1 - x0)

    # (F - scale F_true) / sigma(F)
    flat = sorted((p[0], (1 - scale(p[2]) / p[1]) / p[0]) for p in pairs)
    eighths = [flat[i * len(flat) // 8:(i + 1) * len(flat) // 8] for i in range(8)]
    return [(quantile([p[0] for p in part], 0.5), half_width([p[1] for p in part]), rms([p[1] for p in part]),
             sum(p[1] for p in part) / len(part)) for part in [flat, *eighths] if part]


def percent(value):
    return f"{100 * value:.1f} %"


def print_set(kind, shots, folder, results, times):
    with open(f"{results}/iobs_pixels.json") as file:
        pixels = json.load(file)
    last = pixels["cycles"][-1]
    print(f"\n### {kind}, {shots} shots: {os.path.basename(results)}\n")
    print(f"{last['refined']} of {last['shots']} shots, {last['boxes']} shoeboxes, {last['pixels']} pixels, median "
          f"sigma-Z {last['sigma_z']:.3f}, stage 2 {last['end']}\n")
    print("| | completeness | <F/sigma> | CC1/2 (I) | R1 halves | CCano halves | R1 truth | CCano truth | pulls: width, rms |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name in ("merged", "refined", "merged_common", "refined_common"):
        r = pixels[name]["overall"]
        print(f"| {name.replace('_', ', ')} | {percent(r['completeness'])} | {r['mean_f_over_sigma']:.1f} | "
              f"{percent(r['cc_half'])} | {percent(r['r1_half'])} | {percent(r['cc_ano_half'])} | "
              f"{percent(r['truth']['r1'])} | {percent(r['cc_ano_truth'])} | {r['pulls']['half_width']:.2f}, "
              f"{r['pulls']['rms']:.2f} |")
    count, errors, pulls = shot_errors(folder, results)
    print("\n| parameter of a shot | median | half width of 68 % | 95 % within |\n|---|---|---|---|")
    for name, values in errors.items():
        if name != "lost":
            print(f"| {name} | {quantile(values, 0.5):.5f} | {half_width(values):.5f} | "
                  f"{quantile([abs(v) for v in values], 0.95):.5f} |")
    if "lost" in errors:
        print(f"\n{len(errors['lost'])} of {count} shots have another orientation than the truth.")
    print("\n| pulls of | median | half width of 68 % | rms |\n|---|---|---|---|")
    for name, values in pulls.items():
        print(f"| {name} | {quantile(values, 0.5):.2f} | {half_width(values):.2f} | {rms(values):.2f} |")
    print("\n| sigma(F)/F | width of pulls | rms | mean |\n|---|---|---|---|")
    for error, width, deviation, mean in pulls_by_error(folder, results):
        print(f"| {error:.4f} | {width:.2f} | {deviation:.2f} | {mean:.2f} |")
    print("\nCPU per shot (ms): " + ", ".join(
        f"{name} {1000 * seconds / max(1, count):.0f}" for name, seconds in
        [("merge alone", times["merge"]["cpu"]),
         ("merge with pixels", times["pixels"]["cpu"])] +
        [(step, s) for step, s in times["pixels"]["steps"].items() if s > 0.02 * times["pixels"]["cpu"]]))
    sys.stdout.flush()


def plot(rows, picture):
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot
    figure, axes = pyplot.subplots(figsize=(5.6, 3.8), dpi=100)
    shots = [row[0] for row in rows]
    axes.plot(shots, [100 * row[1] for row in rows], "s--", color="grey", linewidth=1, label="merge")
    axes.plot(shots, [100 * row[2] for row in rows], "o-", linewidth=1, label="refined against pixels")
    axes.set(xscale="log", xlabel="shots", ylabel="CC of F(+) - F(-) to the truth (%)", ylim=(0, 100))
    axes.set_xticks(shots, [str(n) for n in shots])
    axes.minorticks_off()
    axes.grid(True, linewidth=0.3)
    axes.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(picture, metadata={"Software": None})
    print(f"{picture}: {os.path.getsize(picture)} bytes")


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    programs, work, *words = sys.argv[1:]
    programs, work = os.path.abspath(programs), os.path.abspath(work)
    picture = words.pop(words.index("--plot") + 1) if "--plot" in words else None
    options = [w for w in words if "=" in w]
    for word in words:
        if "=" in word or word == "--plot":
            continue
        kind, _, counts = word.partition(":")
        if kind not in SETS:
            sys.exit(f"'{kind}' is no set (there are {', '.join(SETS)})")
        counts = [int(n) for n in counts.split(",")] if counts else [300]
        folder = f"{work}/{kind}{max(counts)}"
        make_images(programs, folder, kind, max(counts))
        rows = []
        for n in counts:
            results, times = refine(programs, folder, kind, n if len(counts) > 1 else None, options)
            print_set(kind, n, folder, results, times)
            with open(f"{results}/iobs_pixels.json") as file:
                pixels = json.load(file)
            rows.append((n, *(pixels[k]["overall"]["cc_ano_truth"] for k in ("merged", "refined"))))
        if picture:
            plot(rows, picture)


if __name__ == "__main__":
    main()
