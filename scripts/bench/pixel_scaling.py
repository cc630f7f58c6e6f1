#!/usr/bin/env python3
"""A model, from measured parts, of what refinement against pixels takes on many nodes.

Prints the time of a cycle and of a whole refinement on CPU cores, part by part; docs/performance.md quotes it.
Every measured part is an option, so that figures of another machine can take its place:

    scripts/bench/pixel_scaling.py [--shots 524288] [--nodes 256] [--cores 64] ...
"""
import argparse
import math


def parse():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--shots", type=int, default=2**19)
    p.add_argument("--nodes", type=int, default=256)
    p.add_argument("--cores", type=int, default=64, help="of a node")
    p.add_argument("--cycles", type=int, default=3)
    p.add_argument("--iterations", type=int, default=330,
                   help="evaluations of all stages 2 and both half sets together, each half set half an evaluation")
    p.add_argument("--factors", type=int, default=200_000)
    p.add_argument("--boxes", type=int, default=900, help="shoeboxes of a shot")
    p.add_argument("--stage1-ms", type=float, nargs="+", default=[1.55, 0.88, 0.53],
                   help="CPU ms of a shoebox in each cycle, the last for all others too; with cutting and backgrounds "
                        "(JUNGFRAU 16M, 50 SASE channels, 3 x 3 points per pixel)")
    p.add_argument("--decode", type=float, default=0.02, help="CPU s to read and decode an image")
    p.add_argument("--image-mb", type=float, default=8, help="compressed image on disk")
    p.add_argument("--disk-gb", type=float, default=500, help="of the file system, per s")
    p.add_argument("--lit-pixels", type=int, default=25_000, help="of a shot, that stage 2 streams over")
    p.add_argument("--ns-per-pixel", type=float, default=1.45)
    p.add_argument("--stream-shared", type=float, default=2.0,
                   help="slow-down where all cores of a node stream at once")
    p.add_argument("--latency-us", type=float, default=20)
    p.add_argument("--link-gb", type=float, default=10, help="of one node, per s, each way")
    p.add_argument("--exact-ns", type=float, default=15, help="per element of an exact product")
    return p.parse_args()


def main():
    o = parse()
    ranks = o.nodes * o.cores
    shots = math.ceil(o.shots / ranks)
    read = max(shots * o.decode, o.shots * o.image_mb / 1e3 / o.disk_gb)
    per_box = [o.stage1_ms[min(cycle, len(o.stage1_ms) - 1)] for cycle in range(o.cycles)]
    stage1 = [shots * o.boxes * ms / 1e3 for ms in per_box]
    stream = shots * o.lit_pixels * o.ns_per_pixel * 1e-9 * o.stream_shared
    # One message of two 64-bit integers per factor: reduce-scatter and all-gather between nodes.
    message = 16 * o.factors
    reduce = 2 * message / (o.link_gb * 1e9) + 2 * math.log2(ranks) * o.latency_us * 1e-6
    # L-BFGS with ten pairs: 28 products, each rank a part of the shared variables; 24 small messages.
    lbfgs = 28 * (o.factors / ranks + 2 * shots) * o.exact_ns * 1e-9 + 24 * math.log2(ranks) * o.latency_us * 1e-6
    lbfgs += 40 * o.factors * 0.4e-9
    evaluation = stream + reduce + lbfgs
    print(f"{o.shots} shots on {o.nodes} nodes of {o.cores} cores: {shots} shots per core")
    print(f"{'reading images, per cycle':44} {read:9.1f} s")
    for cycle, seconds in enumerate(stage1, 1):
        print(f"{'stage 1, cycle ' + str(cycle):44} {seconds:9.1f} s")
    print(f"{'evaluation of stage 2: streaming':44} {1e3 * stream:9.2f} ms")
    print(f"{'  all-reduce of ' + str(o.factors) + ' factors':44} {1e3 * reduce:9.2f} ms")
    print(f"{'  L-BFGS':44} {1e3 * lbfgs:9.2f} ms")
    print(f"{'stage 2, all cycles and half sets':44} {o.iterations * evaluation:9.1f} s")
    total = o.cycles * read + sum(stage1) + o.iterations * evaluation
    print(f"{'all, ' + str(o.cycles) + ' cycles':44} {total:9.1f} s = {total / 60:.1f} min")
    memory = shots * o.lit_pixels * 12 / 1e6
    print(f"{'memory of kernels per rank':44} {memory:9.1f} MB")


if __name__ == "__main__":
    main()
