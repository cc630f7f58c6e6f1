#!/usr/bin/env python3
"""Compares model_shoeboxes with another program, such as diffBragg's CPU kernel: values, derivatives, time.

Usage: diffbragg.py <peer program> <build>/tests/bench/bench_shoebox_scene

Both programs are run as `program scene.json values.bin`, on one core, and print the CPU seconds of one
evaluation ("0.123 s", the best of `repeats`, reading and writing apart). scene.json holds, with lengths of the
detector in mm, of the crystal in angstrom, angles in rad, vectors in the laboratory frame, matrices as nine
numbers by rows:

  panels       [{origin, fast, slow, pixel, size: [fast, slow]}]; origin is the corner of the first pixel
  beam         {direction (from sample to source), polarization_normal, polarization_fraction, wavelengths,
               weights (sum 1)}
  fluence, scale, oversample; tail: part of its height at which a peak may end
  crystal      {a_matrix: columns a*, b*, c*, size: N, fudge, blocks: [rotation U_m, ...], blocks_by_spread:
               [dU_m/deta, ...], spread: covariance of the rotation vectors that the blocks were drawn from}
  reflections  [[h, k, l, F^2], ...]
  boxes        [[panel, x0, x1, y0, y1], ...], half open
  parameters   [{family, index, and the derivatives of a_matrix, size, spread, shift (of all panels), and
               wavelength_offset, wavelength_scale}, ...]
               families: rotation 0-2; cell 0-5; size 0-5 (N_aa, bb, cc, ab, bc, ac); shift 0-2 (x, y, z);
               wavelength 0 offset, 1 scale; spread 0 (eta, the same about all axes)

values.bin receives float64: photons of each pixel (box after box, slow, fast), then for each parameter the
derivatives of all pixels. Photons = r_e^2 fluence scale P Omega sum_s w_s <F^2 det(N)^2 exp(-2 fudge |N d|^2 /
0.63)>, the mean over blocks, d the distance to the nearest lattice point, h = (U_m A)^-1 q.

diffBragg: source_I = weights times their number; eig_B the transpose of the inverse of a_matrix (m), U and O
unity; dB_Mats from the derivative of a_matrix; polarization_axis = normal x k0; oversample_omega where the
detector is shifted. It leaves out that polarisation changes with the detector's place: the comparison of
`shift` takes this from our derivatives. Needs numpy.
"""
import json
import os
import re
import subprocess
import sys
import tempfile

import numpy

CELL = (78.0, 78.0, 37.0)
PANELS = [((-101.0, 80.0), 0.02), ((1.0, 80.0), -0.03)]  # x, y of the origin (mm) and tilt about y (rad)
PIXELS = (1000, 1600)
PIXEL, DISTANCE, WAVELENGTH = 0.1, 100.0, 1.3
BOXES, HALF = 200, 7

CRYSTAL = ("rotation", "size")
ALL = ("rotation", "size", "size_off", "cell", "shift", "wavelength")
# name: families, channels, blocks, spread (rad), oversample, are blocks compared with the closed form?
CASES = {
    "rotation, N; 1 channel, no spread": (CRYSTAL, 1, 0, 0.0, 1, False),
    "rotation, N; 3 x 3 points": (CRYSTAL, 1, 0, 0.0, 3, False),
    "rotation, N; 6 channels, 10 blocks": (CRYSTAL, 6, 10, 1e-3, 1, False),
    "16 parameters; 6 channels, 10 blocks": (ALL, 6, 10, 1e-3, 1, False),
    "rotation, N, spread; 6 channels, 100 blocks": (CRYSTAL + ("spread",), 6, 100, 1e-3, 1, True),
}


def skew(v):
    return numpy.array([[0, -v[2], v[1]], [v[2], 0, -v[0]], [-v[1], v[0], 0]])


def turn(v):
    """Rotation by |v| about v."""
    angle = numpy.linalg.norm(v)
    if angle == 0:
        return numpy.eye(3)
    k = skew(v / angle)
    return numpy.eye(3) + numpy.sin(angle) * k + (1 - numpy.cos(angle)) * k @ k


def panels():
    for (x, y), tilt in PANELS:
        fast, slow = turn(numpy.array([0, tilt, 0])) @ [1, 0, 0], numpy.array([0.0, -1, 0])
        yield {"origin": [x, y, -DISTANCE], "fast": fast.tolist(), "slow": slow.tolist(), "pixel": PIXEL,
               "size": list(PIXELS)}


def reflections(random, a_matrix, d_min):
    """Exponential intensities (acentric) that fall with resolution."""
    limit = [int(c / d_min) for c in CELL]
    hkl = numpy.stack(numpy.meshgrid(*(range(-n, n + 1) for n in limit), indexing="ij"), -1).reshape(-1, 3)
    q = numpy.linalg.norm(hkl @ a_matrix.T, axis=1)
    hkl, q = hkl[(q > 0) & (q < 1 / d_min)], q[(q > 0) & (q < 1 / d_min)]
    return hkl, 1e4 * random.exponential(size=len(q)) * numpy.exp(-10 * q * q)


def boxes(a_matrix, hkl):
    """Around the lattice points that are nearest to the Ewald sphere, where they hit a panel."""
    q = hkl @ a_matrix.T
    k = q + [0, 0, -1 / WAVELENGTH]
    found = []
    for i in numpy.argsort(abs(numpy.linalg.norm(k, axis=1) - 1 / WAVELENGTH)):
        for number, panel in enumerate(panels()):
            frame = numpy.array([panel["fast"], panel["slow"], panel["origin"]]).T
            x, y, z = numpy.linalg.solve(frame, k[i])
            if z <= 0:
                continue
            px, py = int(x / z / PIXEL), int(y / z / PIXEL)
            if HALF <= px < PIXELS[0] - HALF and HALF <= py < PIXELS[1] - HALF:
                found.append([number, px - HALF, px + HALF + 1, py - HALF, py + HALF + 1])
        if len(found) >= BOXES:
            return found
    return found


def rotation_vectors(random, count):
    """Of spread 1, in pairs of opposite ones with exactly that covariance: few show what many would."""
    half = random.normal(size=((count + 1) // 2, 3))
    half = half @ numpy.linalg.inv(numpy.linalg.cholesky(half.T @ half / len(half))).T
    return numpy.concatenate([half, -half])[:count]


def parameters(families, a_matrix, eta):
    unit = numpy.eye(3)
    flat = lambda m: numpy.asarray(m, float).ravel().tolist()
    for family in families:
        if family == "rotation":
            for i in range(3):
                yield {"family": family, "index": i, "a_matrix": flat(skew(unit[i]) @ a_matrix)}
        elif family == "size":
            for i in range(3):
                yield {"family": family, "index": i, "size": flat(numpy.outer(unit[i], unit[i]))}
        elif family == "size_off":
            for i, (a, b) in enumerate(((0, 1), (1, 2), (0, 2))):
                both = numpy.outer(unit[a], unit[b])
                yield {"family": "size", "index": 3 + i, "size": flat(both + both.T)}
        elif family == "cell":  # tetragonal: a with b, and c
            for i, axes in enumerate(((1, 1, 0), (0, 0, 1))):
                change = a_matrix * (-numpy.array(axes) / numpy.array(CELL))
                yield {"family": family, "index": i, "a_matrix": flat(change)}
        elif family == "shift":
            for i in range(3):
                yield {"family": family, "index": i, "shift": flat(unit[i])}
        elif family == "wavelength":
            yield {"family": family, "index": 0, "wavelength_offset": 1.0}
            yield {"family": family, "index": 1, "wavelength_scale": 1.0}
        elif family == "spread":
            yield {"family": family, "index": 0, "spread": flat(2 * eta * unit)}


def make_scene(families, channels, blocks, eta, oversample):
    random = numpy.random.default_rng(1)
    a_matrix = turn(numpy.array([0.3, -0.5, 0.8])) @ numpy.diag(1 / numpy.array(CELL))
    hkl, intensity = reflections(random, a_matrix, 2.0)
    wavelengths = WAVELENGTH * (1 + numpy.linspace(-2e-3, 2e-3, channels)) if channels > 1 else [WAVELENGTH]
    weights = numpy.exp(-numpy.linspace(-1.5, 1.5, channels) ** 2 / 2) if channels > 1 else numpy.ones(1)
    vectors = rotation_vectors(random, blocks) if blocks else numpy.zeros((0, 3))
    return {
        "panels": list(panels()),
        "beam": {"direction": [0, 0, 1], "polarization_normal": [0, 1, 0], "polarization_fraction": 0.9,
                 "wavelengths": list(wavelengths), "weights": list(weights / weights.sum())},
        "fluence": 1e24, "scale": 1.0, "oversample": oversample, "tail": 1e-8, "repeats": 1,
        "crystal": {"a_matrix": a_matrix.ravel().tolist(), "fudge": 1.0,
                    "size": [15, 0.5, -0.3, 0.5, 16, 0.7, -0.3, 0.7, 30],
                    "blocks": [turn(eta * v).ravel().tolist() for v in vectors],
                    "blocks_by_spread": [(skew(v) @ turn(eta * v)).ravel().tolist() for v in vectors],
                    "spread": (eta * eta * numpy.eye(3)).ravel().tolist()},
        "reflections": [[*map(int, h), float(f)] for h, f in zip(hkl, intensity)],
        "boxes": boxes(a_matrix, hkl),
        "parameters": list(parameters(families, a_matrix, eta)),
    }


def run(program, scene, *words):
    with open("scene.json", "w") as file:
        json.dump(scene, file)
    text = subprocess.run([program, "scene.json", "values.bin", *words], check=True, capture_output=True,
                          text=True).stdout
    values = numpy.fromfile("values.bin").reshape(1 + len(scene["parameters"]), -1)
    return float(re.search(r"([0-9.]+) s", text).group(1)), values[0], values[1:]


def points(scene):
    """Middles of all pixels (mm)."""
    middles = []
    for number, x0, x1, y0, y1 in scene["boxes"]:
        panel = scene["panels"][number]
        y, x = (v + 0.5 for v in numpy.mgrid[y0:y1, x0:x1])
        middles.append(numpy.array(panel["origin"]) + panel["pixel"] *
                       (x.reshape(-1, 1) * panel["fast"] + y.reshape(-1, 1) * panel["slow"]))
    return numpy.concatenate(middles)


def log_polarisation(x, fraction):
    ray = x / numpy.linalg.norm(x, axis=1, keepdims=True)
    return numpy.log(fraction * (1 - ray[:, 0] ** 2) + (1 - fraction) * (1 - ray[:, 1] ** 2))


def without_polarisation(scene, values, derivatives):
    """Our derivatives to shifts, less what they owe to the polarisation factor."""
    derivatives, x, f = derivatives.copy(), points(scene), scene["beam"]["polarization_fraction"]
    for p, row in zip(scene["parameters"], derivatives):
        if p["family"] == "shift":
            step = 1e-3 * numpy.array(p["shift"])
            row -= values * (log_polarisation(x + step, f) - log_polarisation(x - step, f)) / 2e-3
    return derivatives


def differences(scene, ours, theirs):
    """Of values: relative, above 1e-6 of the brightest; of each family: part of the largest derivative."""
    bright = theirs[0] > 1e-6 * theirs[0].max()
    text = [f"values {numpy.max(abs(ours[0] / theirs[0] - 1)[bright]):.1e} of {bright.sum()} pixels"]
    largest = {}
    for p, a, b in zip(scene["parameters"], without_polarisation(scene, *ours), theirs[1]):
        family = p["family"]
        largest[family] = max(largest.get(family, 0), abs(a - b).max() / abs(b).max())
    return ", ".join(text + [f"{family} {value:.1e}" for family, value in largest.items()])


def of_the_sums(ours, theirs):
    """Closed form against drawn blocks: part of the brightest pixel, and all photons."""
    return (f"closed form: {abs(ours[0] - theirs[0]).max() / theirs[0].max():.1e} of the brightest pixel, "
            f"{ours[0].sum() / theirs[0].sum() - 1:+.1e} of all photons, derivatives to "
            f"{max(abs(a - b).max() / abs(b).max() for a, b in zip(ours[1], theirs[1])):.1e}")


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    peer, ours = (os.path.abspath(path) for path in sys.argv[1:3])
    with tempfile.TemporaryDirectory() as work:
        os.chdir(work)
        for name, (families, channels, blocks, eta, oversample, closed) in CASES.items():
            scene = make_scene(families, channels, blocks, eta, oversample)
            pixels = sum((x1 - x0) * (y1 - y0) for _, x0, x1, y0, y1 in scene["boxes"])
            steps = pixels * channels * max(blocks, 1) * oversample ** 2

            def line(what, seconds, ratio=""):
                print(f"  {what:12} {1e3 * seconds:9.2f} ms {1e9 * seconds / steps:8.2f} ns/step {ratio}")

            their_time, *theirs = run(peer, dict(scene, repeats=2))
            our_time, *_ = run(ours, dict(scene, repeats=5))
            print(f"{name}: {steps / 1e6:.2f} million steps")
            line("peer", their_time)
            line("ours", our_time, f"{their_time / our_time:6.0f} times")
            if closed:
                closed_time, *values = run(ours, dict(scene, repeats=5), "closed")
                line("closed form", closed_time, f"{their_time / closed_time:6.0f} times")
                print(f"  {of_the_sums(values, theirs)}")
            # To the accuracy of doubles, with peaks that do not end; blocks know no spread of their own.
            kept = [i for i, p in enumerate(scene["parameters"]) if p["family"] != "spread"]
            scene = dict(scene, tail=1e-16, parameters=[scene["parameters"][i] for i in kept])
            _, *values = run(ours, scene)
            print(f"  {differences(scene, values, (theirs[0], theirs[1][kept]))}", flush=True)


if __name__ == "__main__":
    main()
