#!/usr/bin/env python3
"""Resident memory of stills_process against the number of images: scripts/memory.py [build] [images].

The frames of a small simulation are shown again and again by a virtual data set; every image is processed
in full. Prints memory (MB) after a tenth of the images, at the last one, and the most that deriving the
.expt and .refl files took. Exit status 1 if memory grew by more than a tenth while images
were processed. Needs h5py and numpy.
"""
import os
import shutil
import subprocess
import sys
import tempfile
import time

import h5py
import numpy

build = sys.argv[1] if len(sys.argv) > 1 else "build"
images = int(sys.argv[2]) if len(sys.argv) > 2 else 10000
DRAWN = 20


def virtual(source, target, count):
    """target: the metadata of source, `count` frames that lie in source."""
    shutil.copy(source, target)
    with h5py.File(target, "r+") as file:
        shape = file["/entry/data/data"].shape
        layout = h5py.VirtualLayout(shape=(count,) + shape[1:], dtype=file["/entry/data/data"].dtype)
        frames = h5py.VirtualSource(source, "/entry/data/data", shape=shape)
        for first in range(0, count, shape[0]):
            n = min(shape[0], count - first)
            layout[first:first + n] = frames[:n]
        attributes = dict(file["/entry/data/data"].attrs)
        del file["/entry/data/data"]
        file.create_virtual_dataset("/entry/data/data", layout)
        for name, value in attributes.items():
            file["/entry/data/data"].attrs[name] = value
        repeats = -(-count // shape[0])

        def longer(name, item):
            if isinstance(item, h5py.Dataset) and item.shape[:1] == (DRAWN,) and name != "entry/data/data":
                per_frame.append(name)

        per_frame = []
        file.visititems(longer)
        for name in per_frame:
            values, attributes = file[name][()], dict(file[name].attrs)
            del file[name]
            file[name] = numpy.tile(values, (repeats,) + (1,) * (values.ndim - 1))[:count]
            for key, value in attributes.items():
                file[name].attrs[key] = value


def memory(pid, key):
    """VmRSS or VmHWM in MB."""
    with open(f"/proc/{pid}/status") as status:
        for line in status:
            if line.startswith(key):
                return int(line.split()[1]) / 1024
    return 0


def main():
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([f"{build}/apps/simulate_stills", f"n_images={DRAWN}", "fraction.blanks=0", "seed=3",
                        "detector.preset=flat", "beam.channels=1", f"output.output_dir={folder}"], check=True,
                       stdout=subprocess.DEVNULL)
        virtual(f"{folder}/run_0000.h5", f"{folder}/many.h5", images)
        run = subprocess.Popen([f"{build}/apps/stills_process", f"{folder}/many.h5",
                                f"output_dir={folder}/out",
                                "indexing.known_symmetry.unit_cell=77.06,77.06,37.22,90,90,90",
                                "indexing.known_symmetry.space_group=P43212"],
                               stdout=open(f"{folder}/log", "w"), stderr=subprocess.STDOUT)
        shard = f"{folder}/out/idx-0000.shard"
        samples = []  # bytes of results, MB
        most = 0
        while run.poll() is None:
            try:
                size, now = os.path.getsize(shard), memory(run.pid, "VmRSS")
            except OSError:
                size = now = 0
            if now:
                samples.append((size, now))
            most = max(most, now)
            time.sleep(0.05)
        print(open(f"{folder}/log").read()[-900:])
        final = os.path.getsize(shard)
        while_processing = [s for s in samples if 0 < s[0] < final]
        tenth = next(mb for size, mb in while_processing if size >= final / 10)
        last = while_processing[-1][1]
        print(f"{images} images: {tenth:.1f} MB after a tenth of them, {last:.1f} MB at the last, "
              f"at most {most:.1f} MB with deriving; results {final / 1e6:.0f} MB")
        return run.returncode or (1 if last > 1.1 * tenth else 0)


sys.exit(main())
