#!/usr/bin/env python3
"""Draws the renderer's time against the number of pixels that it lights, one core.

Usage: cost_vs_lit_pixels.py <build>/tests/bench/bench_nanobragg_image [picture]
       (the picture is docs/images/cost_vs_lit_pixels.png unless told otherwise)

Gaussian peaks of one lattice: resolution limit, block size, mosaic spread and image size are changed in turn.
A pixel is lit when it receives more than 1e-6 of the brightest. Needs numpy and matplotlib.
"""
import os
import re
import subprocess
import sys
import tempfile

import matplotlib
import numpy

matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402

CELL = (78, 78, 37)
BASE = {"d_min": 2.0, "N": 20, "gaussian_spread": 0.1, "detpixels": 2048}
SERIES = {
    "resolution limit 8 to 1.5 Å": ("d_min", (8, 6, 5, 4, 3, 2.5, 2, 1.75, 1.5)),
    "N 60 to 8": ("N", (60, 40, 30, 20, 15, 12, 10, 8)),
    "mosaic spread 0 to 1°": ("gaussian_spread", (0, 0.05, 0.1, 0.2, 0.4, 0.7, 1)),
    "image 2 to 37 Mpixel, 2.5 Å": ("detpixels", (1500, 2048, 3072, 4096, 6144)),
}


def write_amplitudes(path, d_min):
    """Random intensities with a fall-off, all indices to d_min."""
    random = numpy.random.default_rng(1)
    limit = [int(c / d_min) for c in CELL]
    hkl = numpy.stack(numpy.meshgrid(*(range(-n, n + 1) for n in limit), indexing="ij"), -1).reshape(-1, 3)
    q = numpy.linalg.norm(hkl / numpy.array(CELL), axis=1)
    hkl, q = hkl[(q > 0) & (q < 1 / d_min)], q[(q > 0) & (q < 1 / d_min)]
    f = 100 * numpy.sqrt(random.exponential(size=len(q)) * numpy.exp(-10 * q * q))
    numpy.savetxt(path, numpy.column_stack([hkl, f]), "%d %d %d %.3f")


def measure(program, **change):
    """Lit pixels, pixels of the image, CPU seconds, and pixels evaluated, once per peak that reaches them."""
    p = {**BASE, **change}
    if "detpixels" in change:
        p["d_min"] = 2.5  # all on the smallest detector
    write_amplitudes("P1.hkl", p.pop("d_min"))
    words = (["-hkl", "P1.hkl", "-cell", *map(str, CELL), "90", "90", "90", "-misset", "10", "20", "30"] +
             "-distance 100 -pixel 0.1 -lambda 1.3 -fluence 1e24 -oversample 1 -gauss_xtal -tail 1e-6".split() +
             ["-repeats", "5", "-floatimage", "image.bin"] +
             [word for name, value in p.items() for word in ("-" + name, str(value))])
    text = subprocess.run([program, *words], check=True, capture_output=True, text=True).stdout
    image = numpy.fromfile("image.bin", numpy.float32)
    seconds, evaluated = re.match(r"([0-9.]+) s, \d+ peaks, (\d+) pixels", text).groups()
    return int((image > 1e-6 * image.max()).sum()), image.size, float(seconds), int(evaluated)


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    program = os.path.abspath(sys.argv[1])
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    picture = os.path.abspath(sys.argv[2] if len(sys.argv) > 2 else
                              os.path.join(root, "docs/images/cost_vs_lit_pixels.png"))
    figure, axes = pyplot.subplots(figsize=(5.6, 3.8), dpi=100)
    ends = []
    with tempfile.TemporaryDirectory() as work:
        os.chdir(work)
        for (name, (parameter, values)), marker in zip(SERIES.items(), "osD^"):
            found = numpy.array([measure(program, **{parameter: value}) for value in values])
            for value, (lit, size, seconds, evaluated) in zip(values, found):
                print(f"{parameter:16} {value:6} {size / 1e6:6.1f} Mpixel {int(lit):8} lit {1e3 * seconds:8.2f} ms "
                      f"{1e9 * seconds / lit:7.1f} ns per lit pixel, {evaluated / lit:5.1f} peaks in each",
                      flush=True)
            axes.plot(found[:, 0], 1e3 * found[:, 2], marker + "-", markersize=5, linewidth=1, label=name)
            ends.append(found)
        ends = numpy.concatenate(ends)
    line = numpy.array([ends[:, 0].min(), ends[:, 0].max()])
    axes.plot(line, 1e3 * line * numpy.median(ends[:, 2] / ends[:, 0]), "--", color="grey", linewidth=1,
              label=f"{1e9 * numpy.median(ends[:, 2] / ends[:, 0]):.0f} ns per lit pixel")
    axes.set(xscale="log", yscale="log", xlabel="lit pixels", ylabel="CPU time of an image (ms)")
    axes.grid(True, which="major", linewidth=0.3)
    axes.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(picture, metadata={"Software": None})
    print(f"{picture}: {os.path.getsize(picture)} bytes")


if __name__ == "__main__":
    main()
