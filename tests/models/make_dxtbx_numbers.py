#!/usr/bin/python3
"""Writes dxtbx_numbers.json: geometry, crystal and symmetry numbers from dxtbx and cctbx, which the
tests of room `models` must reproduce. Run with a Python that has dxtbx and cctbx; the JSON is kept beside this script."""
import json
import math
import pathlib
import random

from cctbx.array_family import flex
from cctbx import crystal, miller, sgtbx, uctbx
from dxtbx.model import Crystal, Detector, Panel, ParallaxCorrectedPxMmStrategy
from dxtbx.model.experiment_list import BeamFactory
from scitbx import matrix

random.seed(3)


def random_axes():
    axis = matrix.col([random.gauss(0, 1) for _ in range(3)]).normalize()
    r = axis.axis_and_angle_as_r3_rotation_matrix(random.uniform(-0.4, 0.4))
    return r * matrix.col((1, 0, 0)), r * matrix.col((0, -1, 0))


def panel_case(parallax):
    fast, slow = random_axes()
    origin = matrix.col((random.uniform(-80, -40), random.uniform(40, 80), random.uniform(-250, -80)))
    panel = Panel()
    panel.set_frame(fast, slow, origin)
    panel.set_pixel_size((0.075, 0.172))
    panel.set_image_size((1000, 700))
    case = {"fast": list(fast), "slow": list(slow), "origin": list(origin),
            "pixel_size": [0.075, 0.172], "image_size": [1000, 700]}
    if parallax:
        mu, t0 = random.uniform(1.0, 5.0), random.uniform(0.2, 1.0)
        panel.set_px_mm_strategy(ParallaxCorrectedPxMmStrategy(mu, t0))
        case["mu"], case["t0"] = mu, t0
    beam = BeamFactory.make_beam(wavelength=1.3, sample_to_source=(0, 0, 1))
    points = []
    for _ in range(8):
        px = (random.uniform(0, 1000), random.uniform(0, 700))
        mm = panel.pixel_to_millimeter(px)
        lab = panel.get_pixel_lab_coord(px)
        s1 = matrix.col(lab).normalize() / 1.3
        points.append({"px": px, "mm": mm, "lab": lab, "px_of_mm": panel.millimeter_to_pixel(mm),
                       "px_of_ray": panel.get_ray_intersection_px(s1), "s1": list(s1),
                       "d": panel.get_resolution_at_pixel(beam.get_s0(), px)})
    case["points"] = points
    return case


def hierarchy_case():
    detector = Detector()
    root = detector.hierarchy()
    f, s = random_axes()
    root.set_frame(f, s, (1.5, -2.5, -120))
    group = root.add_group()
    f, s = random_axes()
    group.set_local_frame(f, s, (10, 20, 0.3))
    panel = group.add_panel()
    f, s = random_axes()
    panel.set_local_frame(f, s, (-5, 4, 0.1))
    frames = {}
    for name, node in (("root", root), ("group", group), ("panel", panel)):
        frames[name] = {"local": [list(node.get_local_fast_axis()), list(node.get_local_slow_axis()),
                                  list(node.get_local_origin())],
                        "lab": [list(node.get_fast_axis()), list(node.get_slow_axis()),
                                list(node.get_origin())]}
    return frames


def crystal_case(cell, symbol):
    sg = sgtbx.space_group_info(symbol).group()
    b = matrix.sqr(uctbx.unit_cell(cell).fractionalization_matrix()).transpose()
    u = matrix.col([random.gauss(0, 1) for _ in range(3)]).normalize()
    u = u.axis_and_angle_as_r3_rotation_matrix(random.uniform(0, math.pi))
    a = u * b
    real = a.inverse()
    model = Crystal(real[0:3], real[3:6], real[6:9], space_group=sg)
    ms = miller.build_set(crystal.symmetry(unit_cell=cell, space_group=sg), anomalous_flag=False, d_min=8)
    indices = list(ms.indices())
    sample = []
    for _ in range(12):
        h = tuple(random.randint(-9, 9) for _ in range(3))
        if h == (0, 0, 0):
            continue
        symmetry = crystal.symmetry(unit_cell=cell, space_group=sg)
        m = miller.set(symmetry, flex.miller_index([h]), anomalous_flag=False).map_to_asu()
        sample.append({"hkl": h, "asu": list(m.indices()[0]), "absent": sg.is_sys_absent(h),
                       "centric": sg.is_centric(h), "epsilon": sg.epsilon(h),
                       "d": uctbx.unit_cell(cell).d(h)})
    return {"cell": cell, "symbol": symbol, "hall": sg.type().hall_symbol(),
            "patterson": str(sg.build_derived_patterson_group().info().symbol_and_number()),
            "u": list(u), "a_matrix": list(model.get_A()), "b": list(model.get_B()),
            "u_of_model": list(model.get_U()), "cell_of_model": list(model.get_unit_cell().parameters()),
            "real_space": [list(v) for v in model.get_real_space_vectors()],
            "unique_to_8A": len(indices), "reflections": sample}


cases = {
    "panels": [panel_case(False), panel_case(False), panel_case(True), panel_case(True)],
    "hierarchy": hierarchy_case(),
    "crystals": [crystal_case(*c) for c in (
        ((77.06, 77.06, 37.22, 90, 90, 90), "P 43 21 2"), ((92.9, 92.9, 130.4, 90, 90, 120), "P 61 2 2"),
        ((41.9, 75.7, 102, 90, 90, 90), "P 21 21 21"), ((96.4, 96.4, 96.4, 90, 90, 90), "P 21 3"),
        ((60, 45, 80, 90, 104, 90), "P 1 21 1"), ((60, 45, 80, 90, 104, 90), "C 1 2 1"),
        ((31, 42, 53, 84, 97, 109), "P 1"), ((100, 100, 120, 90, 90, 120), "R 3 :H"),
        ((80, 80, 80, 90, 90, 90), "F 4 3 2"))],
}
path = pathlib.Path(__file__).with_name("dxtbx_numbers.json")
path.write_text(json.dumps(cases, indent=1, default=list) + "\n")
