"""How often an image tells its polarity, by its signs alone and by the anatomy at its true pose, by group of a study.

Difficult images of every anatomy and patient of the confidence study whose files are there, correctly told.

.venv/bin/python Testing/Measurements/polarity_signs.py --cases DATA --number 120 --seed 1 [--groups pelvis-a,hip-e]
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

import numpy as np

from prostreg.errors import InputError
from prostreg.evaluation.confidence.study import read_study
from prostreg.evaluation.sources.case_source import make_case_source
from prostreg.evaluation.sources.simulated_cases import SIMULATOR, SimulatedCases
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
    parser.add_argument("--preset", default="hard")
    parser.add_argument("--cases", type=Path, required=True)
    parser.add_argument("--groups", default="", help="names, by commas; all if left out")
    parser.add_argument("--number", type=int, default=40, help="of images of each group")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    wanted, total = set(filter(None, given.groups.split(","))), Counter[str]()
    for group in read_study().groups:
        if given.preset in group.protocols and (not wanted or group.name in wanted):
            protocol = group.protocols[given.preset].with_changes(seed=given.seed, misspecified=[])
            try:
                source = make_case_source(protocol, given.cases)
            except InputError as error:
                print(f"{group.name}: left out. {error}", flush=True)
                continue
            assert isinstance(source, SimulatedCases)
            outcomes = Counter[str]()
            for number in range(given.number):
                outcomes.update(outcomes_of_image(source, group.name, number))
            print(line(group.name, outcomes), flush=True)
            total.update(outcomes)
    print(line("all", total), flush=True)


def outcomes_of_image(source: SimulatedCases, group: str, number: int) -> list[str]:
    """What tells the polarity of one image rightly."""
    truth = source._true_pose(number)
    image = source._simulator.image(source._carms[0], truth, int(source._rng(number, SIMULATOR).integers(2**31)))
    pixels, everywhere = image.pixels.astype(np.float32), np.ones(image.pixels.shape, dtype=bool)
    field = find_radiation_field(pixels, everywhere)
    is_signed = decided_polarity(pixels, field, everywhere) == image.polarity
    view = View(prepare_xray(pixels, "auto", None), source._carms[0])
    fits = polarity_at(Case("image", source._ct, source._anatomy, (view,), truth)) == image.polarity
    if not fits:
        print(f"{group}, image {number}: the other polarity fits better at the true pose", flush=True)
    found = ["images", *["signs"] * is_signed, *["anatomy"] * fits]
    return found + (["signs wrong", *["told by the anatomy"] * fits] if not is_signed else [])


def line(name: str, outcomes: Counter[str]) -> str:
    """The words on a group."""
    return (
        f"{name:20} of {outcomes['images']}: {outcomes['signs']} by signs, {outcomes['anatomy']} by the anatomy;"
        f" where the signs are wrong: {outcomes['told by the anatomy']} of {outcomes['signs wrong']}"
    )


def polarity_at(case: Case) -> str | None:
    """The polarity with which the X-ray of a case fits its anatomy better, at the start."""
    pose, points_mm = case.initial_world_from_volume, anatomy_points_mm(case)
    assert pose is not None
    levels = Levels(case, pose, points_mm, anatomy_centre_mm(points_mm), 1.0, RegistrationConfig())
    return case_read_as(case, levels.reading_at(pose)).views[0].xray.polarity


if __name__ == "__main__":
    main()
