"""Opens a simulated run's master with dxtbx and compares it with the true models and the files of the ranks.

compare_master.py FOLDER: status 77 without dxtbx or h5py, 1 where they differ.
"""

import json
import pathlib
import sys

try:
    import h5py
    import numpy as np
    from dxtbx.model.experiment_list import ExperimentList, ExperimentListFactory
except ImportError as missing:
    print(f"SKIPPED: {missing}")
    sys.exit(77)

folder = pathlib.Path(sys.argv[1])
images = ExperimentListFactory.from_filenames([str(folder / "run_master.h5")], load_models=True)
truth = json.loads((folder / "run_truth.json").read_text())["frames"]
true_models = ExperimentList.from_file(str(folder / "run_truth.expt"), check_format=False)
frames = np.concatenate([h5py.File(path)["entry/data/data"][()] for path in sorted(folder.glob("run_0*.h5"))])
assert len(images) == len(truth) == len(frames), (len(images), len(truth), len(frames))

true_detector = true_models[0].detector
for number, (image, drawn) in enumerate(zip(images, truth)):
    assert image.imageset.indices()[0] == number
    assert abs(image.beam.get_wavelength() - drawn["wavelength"]) < 1e-6
    assert len(image.detector) == len(true_detector)
    raw = image.imageset.get_raw_data(0)
    pixels = np.concatenate([panel.as_numpy_array().ravel() for panel in raw])
    assert (pixels == frames[number].ravel()).all(), number

farthest = 0.0
for seen, true in zip(images[0].detector, true_detector):
    assert seen.get_image_size() == true.get_image_size()
    assert seen.get_thickness() == true.get_thickness() and seen.get_material() == true.get_material()
    width, height = seen.get_image_size()
    for px in (0, 0), (width, 0), (width, height), (width / 3, height / 2):
        apart = np.subtract(seen.get_pixel_lab_coord(px), true.get_pixel_lab_coord(px))
        farthest = max(farthest, float(np.linalg.norm(apart)))
# Attenuation is taken at the first frame's wavelength there, at the mean one here: a micrometre.
assert farthest < 2e-3, farthest
print(f"{len(images)} frames, {len(true_detector)} panels, farthest apart {farthest:.2e} mm")
