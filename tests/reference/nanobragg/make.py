#!/usr/bin/env python3
"""Makes the images of commands.txt with nanoBragg standalone (simtbx in cctbx_project, gcc -O3).

Usage: make.py <nanoBragg program>. The structure factors are those of tests/diffraction/nanobragg_test.cpp.
"""
import os
import shlex
import subprocess
import sys
import tempfile


def amplitude(h, k, l):
    return 50 + (7 * h + 13 * k + 29 * l) % 101


def main():
    program = os.path.abspath(sys.argv[1])
    here = os.path.dirname(os.path.abspath(__file__))
    with tempfile.TemporaryDirectory() as work:
        with open(os.path.join(work, "P1.hkl"), "w", encoding="ascii") as hkl:
            for h in range(-20, 21):
                for k in range(-20, 21):
                    for l in range(-20, 21):
                        hkl.write(f"{h} {k} {l} {amplitude(h, k, l)}\n")
        for line in open(os.path.join(here, "commands.txt"), encoding="ascii"):
            words = shlex.split(line)
            command = [program] + words[1:] + ["-nopgm", "-nonoise", "-noprogress"]
            subprocess.run(command, cwd=work, check=True, stdout=subprocess.DEVNULL)
            name = words[words.index("-floatimage") + 1]
            os.replace(os.path.join(work, name), os.path.join(here, name))
            print(name)


if __name__ == "__main__":
    main()
