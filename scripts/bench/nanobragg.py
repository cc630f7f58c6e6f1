#!/usr/bin/env python3
"""Runs nanoBragg standalone and our renderer on the same command lines: CPU seconds and images.

Usage: nanobragg.py <nanoBragg program> <build>/tests/bench/bench_nanobragg_image <P1.hkl>

nanoBragg_standalone.c is in cctbx_project (simtbx/nanoBragg); gcc -O3 builds it. Images with random
mosaic blocks differ (other random numbers): only their times are compared. Needs numpy.
"""
import os
import re
import resource
import subprocess
import sys
import tempfile

import numpy

BASE = ("-cell 78 78 37 90 90 90 -misset 10 20 30 -distance 100 -detpixels 1024 -pixel 0.1 -lambda 1.3 "
        "-fluence 1e24 -nopgm -nonoise -noprogress").split()
CASES = {
    "gauss, 5 channels, 10 blocks": "-N 15 -oversample 1 -gauss_xtal -dispersion 1 -dispsteps 5 "
                                    "-mosaic_spread 0.5 -mosaic_dom 10",
    "square, the same": "-N 15 -oversample 1 -square_xtal -dispersion 1 -dispsteps 5 "
                        "-mosaic_spread 0.5 -mosaic_dom 10",
    "round, the same": "-N 15 -oversample 1 -round_xtal -dispersion 1 -dispsteps 5 "
                       "-mosaic_spread 0.5 -mosaic_dom 10",
    "gauss, N 15": "-N 15 -oversample 1 -gauss_xtal",
    "gauss, N 40, 3 x 3 points": "-N 40 -oversample 3 -gauss_xtal",
    "tophat, N 20": "-N 20 -oversample 2 -tophat_spots",
    "square, N 10": "-N 10 -oversample 1 -square_xtal",
    "round, N 10": "-N 10 -oversample 1 -round_xtal",
    "gauss, N 10 20 30, 10 channels": "-Na 10 -Nb 20 -Nc 30 -oversample 1 -gauss_xtal -dispersion 1 "
                                      "-dispsteps 10",
    "gauss, divergence, 4 layers": "-N 15 -oversample 1 -gauss_xtal -hdivrange 2 -hdivstep 0.5 "
                                   "-vdivrange 1 -vdivstep 0.5 -detector_thick 450 -detector_abs 250 "
                                   "-detector_thicksteps 4",
}


def cpu_seconds(command):
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before, text


def main():
    theirs, ours, hkl = (os.path.abspath(path) for path in sys.argv[1:4])
    with tempfile.TemporaryDirectory() as work:
        os.chdir(work)
        nothing, _ = cpu_seconds([theirs, "-hkl", hkl] + BASE + ["-N", "1", "-detpixels", "8", "-oversample", "1"])
        print(f"{'case':34} {'nanoBragg':>10} {'ours':>8} {'ratio':>6}  largest relative difference")
        for name, words in CASES.items():
            words = BASE + words.split()
            their_time, _ = cpu_seconds([theirs, "-hkl", hkl] + words + ["-floatimage", "theirs.bin"])
            _, text = cpu_seconds([ours, "-hkl", hkl] + words + ["-floatimage", "ours.bin"])
            our_time = float(re.match(r"[0-9.]+", text).group())
            their_time -= nothing  # reading of the structure factors
            difference = "(other blocks)"
            if "-mosaic_spread" not in words:
                a, b = (numpy.fromfile(file, numpy.float32).astype(float) for file in ("ours.bin", "theirs.bin"))
                bright = numpy.maximum(a, b) > 1e-6 * b.max()
                difference = f"{(abs(a - b) / numpy.maximum(a, b).clip(1e-300))[bright].max():.1e} of {bright.sum()} pixels"
            print(f"{name:34} {their_time:10.2f} {our_time:8.4f} {their_time / our_time:6.0f}  {difference}")


if __name__ == "__main__":
    main()
