"""How often an image tells its polarity, by its signs alone and by the anatomy at its true pose, by kind of display.

.venv/bin/python Testing/Measurements/polarity_signs.py --protocol prost-pelvis-hard --cases DATA --number 40 --seed 1
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np

from prostreg.evaluation.protocol import read_protocol
from prostreg.evaluation.sources.case_source import make_case_source
from prostreg.evaluation.sources.simulated_cases import SIMULATOR, TRUTH
from prostreg.images.polarity import decided_polarity
from prostreg.images.radiation_field import find_radiation_field
from prostreg.images.xray_preparation import prepare_xray
from prostreg.registration.case import Case, View
from prostreg.registration.config import RegistrationConfig
from prostreg.registration.levels import Levels
from prostreg.registration.readings import case_read_as
from prostreg.registration.start import anatomy_centre_mm, anatomy_points_mm


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--protocol", default="prost-pelvis-hard")
    parser.add_argument("--cases", type=Path, required=True)
    parser.add_argument("--number", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    source = make_case_source(read_protocol(given.protocol).with_changes(seed=given.seed), given.cases)
    right: dict[str, list[tuple[bool, bool]]] = defaultdict(list)
    for number in range(given.number):
        truth = source._scene.true_pose(source._centre_mm, source._rng(number, TRUTH))
        seed = int(source._rng(number, SIMULATOR).integers(2**31))
        image = source._simulator.image(source._carms[0], truth, seed)
        everywhere = np.ones(image.pixels.shape, dtype=bool)
        field = find_radiation_field(image.pixels.astype(np.float32), everywhere)
        by_signs = decided_polarity(image.pixels.astype(np.float32), field, everywhere) == image.polarity
        view = View(prepare_xray(image.pixels.astype(np.float32), "auto", None), source._carms[0])
        case = Case("image", source._ct, source._anatomy, (view,), truth)
        by_anatomy = polarity_at(case) == image.polarity
        blocked = {None: "no frame", True: "dark frame", False: "bright frame"}[field.blocked_is_dark]
        for kind in (f"{image.polarity}, {image.pixels.dtype}, {blocked}", "all"):
            right[kind].append((by_signs, by_anatomy))
        if not by_anatomy:
            print(f"image {number}: the other polarity fits better at the true pose", flush=True)
    for kind, outcomes in sorted(right.items()):
        by_signs, by_anatomy = np.sum(outcomes, axis=0)
        print(f"{kind:40} of {len(outcomes)}: {by_signs} by signs, {by_anatomy} by the anatomy", flush=True)


def polarity_at(case: Case) -> str | None:
    """The polarity with which the X-ray of a case fits its anatomy better, at the start."""
    pose, points_mm = case.initial_world_from_volume, anatomy_points_mm(case)
    assert pose is not None
    levels = Levels(case, pose, points_mm, anatomy_centre_mm(points_mm), 1.0, RegistrationConfig())
    return case_read_as(case, levels.reading_at(pose)).views[0].xray.polarity


if __name__ == "__main__":
    main()
