#!/usr/bin/env python3
"""CPU seconds and peak memory of simulate_stills on EIGER 16M images of SASE pulses with 100 channels.

Usage: sixteen_megapixels.py <build> [option=value ...]

One process; every image has one crystal, and lysozyme's structure factors go to the detector's corner unless
options say otherwise. The first image carries the start (structure factors, tables of the detector), so times are
those of the images after it: drawing, rendering, counting noise, compression, writing.
"""
import os
import subprocess
import sys
import tempfile

IMAGES = 4
OPTIONS = ["detector.preset=eiger_16m", "beam.spectrum=sase", "beam.channels=100", "fraction.blanks=0",
           "fraction.doubles=0"]


def run(program, images, words):
    """CPU seconds, peak resident memory (MB) and bytes written."""
    with tempfile.TemporaryDirectory() as work:
        command = [program, f"n_images={images}", f"output.directory={work}", *OPTIONS, *words]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
        size = sum(os.path.getsize(os.path.join(at, name)) for at, _, names in os.walk(work) for name in names)
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, size


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    build, words = sys.argv[1], sys.argv[2:]
    program = os.path.join(os.path.abspath(build), "apps", "simulate_stills")
    start, _, first = run(program, 1, words)
    total, memory, size = run(program, 1 + IMAGES, words)
    print(f"start and first image {start:.2f} s, then {(total - start) / IMAGES:.3f} CPU s per image, "
          f"{(size - first) / IMAGES / 1e6:.1f} MB written per image, peak memory {memory:.0f} MB")


if __name__ == "__main__":
    main()
