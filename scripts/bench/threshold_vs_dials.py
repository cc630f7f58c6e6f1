#!/usr/bin/python3
"""Thresholds beside DIALS's C++ kernels in the same run: python3 threshold_vs_dials.py <bench_spotfinding>

Runs the spotfinding benchmark (one 16-Mpixel Poisson frame, mean 10) and DIALS's compiled kernels on a
frame drawn the same way, alternating, and prints CPU-time rates and their ratio. Needs DIALS's
Python modules (Debian: python3-dials).
"""
import json
import subprocess
import sys
import time

import boost_adaptbx.boost.python  # noqa: F401  registers the array types
import dials_algorithms_image_threshold_ext as kernels
import numpy as np
from scitbx.array_family import flex

ROUNDS = 3
SIZE = 2048


def dials_rate(kernel):
    """Best Mpixel/s of CPU time of one of DIALS's kernels."""
    counts = np.random.default_rng(11).poisson(10, (SIZE, SIZE)).astype(float)
    image, mask = flex.double(counts), flex.bool(flex.grid(SIZE, SIZE), True)
    strong = flex.bool(flex.grid(SIZE, SIZE))
    threshold = kernel((SIZE, SIZE), (3, 3), 6.0, 3.0, 0.0, 2)
    start = time.process_time()
    threshold(image, mask, strong)
    return SIZE * SIZE / 1e6 / (time.process_time() - start)


def our_rates(program):
    """Mpixel/s of CPU time by benchmark name."""
    done = subprocess.run(
        [program, "--benchmark_format=json", "--benchmark_min_time=0.2",
         "--benchmark_filter=threshold_frame.*/1000/1000"],
        check=True, capture_output=True, text=True)
    return {b["name"]: b["Mpixel/s"] for b in json.loads(done.stdout)["benchmarks"]}


def main():
    program = sys.argv[1]
    best, dials = {}, {"0": 0.0, "1": 0.0}
    for _ in range(ROUNDS):
        dials["0"] = max(dials["0"], dials_rate(kernels.DispersionThreshold))
        dials["1"] = max(dials["1"], dials_rate(kernels.DispersionExtendedThreshold))
        for name, rate in our_rates(program).items():
            best[name] = max(best.get(name, 0.0), rate)
    print(f"DIALS dispersion {dials['0']:.0f}, dispersion_extended {dials['1']:.0f} Mpixel/s")
    for name, rate in best.items():
        algorithm = name.rsplit("/", 1)[1]
        print(f"{name:50s} {rate:7.0f} Mpixel/s  {rate / dials[algorithm]:6.1f} x DIALS")


if __name__ == "__main__":
    main()
