#!/usr/bin/python3
"""Numbers about the real images, taken with h5py and numpy alone: geometry, wavelengths, sums.

usage: generate_image_numbers.py FOLDER_OF_IMAGES > expected/images.json
"""
import json
import sys
from pathlib import Path

import h5py
import numpy as np

TO_DXTBX = np.diag([-1.0, 1.0, -1.0])
MM = {"mm": 1.0, "m": 1000.0, "microns": 1e-3, "um": 1e-3}


def text(value):
    return value.decode() if isinstance(value, bytes) else str(value)


def matrix(axis):
    """4x4 matrix of a transformation, by scaling and squaring the generator (no Rodrigues)."""
    value = float(np.ravel(axis[()])[0])
    vector = np.array(axis.attrs["vector"], float)
    m = np.eye(4)
    if text(axis.attrs["transformation_type"]) == "rotation":
        angle = np.deg2rad(value) if text(axis.attrs["units"]).startswith("deg") else value
        x, y, z = vector / np.linalg.norm(vector) * angle / 2**30
        step = np.eye(3) + np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
        step += (step - np.eye(3)) @ (step - np.eye(3)) / 2
        for _ in range(30):
            step = step @ step
        u, _, v = np.linalg.svd(step)
        m[:3, :3] = u @ v
    else:
        m[:3, 3] = vector * value * MM[text(axis.attrs["units"])]
    if "offset" in axis.attrs:
        m[:3, 3] += np.array(axis.attrs["offset"], float) * MM[text(axis.attrs["offset_units"])]
    return m


def chain(axis):
    m = np.eye(4)
    while True:
        name = text(axis.attrs["depends_on"])
        if name == ".":
            return m
        axis = axis.parent[name]
        m = matrix(axis) @ m


def panels(detector):
    result = []
    for name in sorted(detector):
        module = detector[name]
        if text(module.attrs.get("NX_class", "")) != "NXdetector_module":
            continue
        fast, slow = module["fast_pixel_direction"], module["slow_pixel_direction"]
        m = chain(fast)
        offset = np.array(fast.attrs["offset"], float) * MM[text(fast.attrs["offset_units"])]
        result.append(
            {
                "fast": (TO_DXTBX @ m[:3, :3] @ fast.attrs["vector"]).tolist(),
                "slow": (TO_DXTBX @ m[:3, :3] @ slow.attrs["vector"]).tolist(),
                "origin": (TO_DXTBX @ (m @ np.append(offset, 1))[:3]).tolist(),
                "pixel_size": [float(np.ravel(fast[()])[0]), float(np.ravel(slow[()])[0])],
                "image_size": [int(n) for n in module["data_size"][()][:-3:-1]],
            }
        )
    return result


def describe(path):
    with h5py.File(path) as h:
        data, detector = h["entry/data/data"], h["entry/instrument/detector"]
        frames = []
        for i in sorted({0, len(data) // 2, len(data) - 1}):
            pixels = data[i].astype(np.int64).ravel()
            # The second sum weighs each pixel by its position, so order matters.
            frames.append(
                {
                    "frame": i,
                    "sum": int(pixels.sum()),
                    "weighted": int((pixels * (np.arange(pixels.size) % 1009)).sum()),
                }
            )
        mask = detector["pixel_mask"][()] if "pixel_mask" in detector else None
        return {
            "frames": len(data),
            "wavelengths": [float(w) for w in h["entry/instrument/beam/incident_wavelength"][()]],
            "trusted": [float(detector["underload_value"][0]), float(detector["saturation_value"][0])],
            "masked": int((mask != 0).sum()) if mask is not None else 0,
            "thickness_mm": float(detector["sensor_thickness"][()]) * 1e-3,
            "panels": panels(detector),
            "sums": frames,
        }


def main():
    folder = Path(sys.argv[1])
    print(json.dumps({p.name: describe(p) for p in sorted(folder.glob("*.h5"))}, indent=1))


if __name__ == "__main__":
    main()
