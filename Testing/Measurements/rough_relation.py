"""Tells C-arms of further views elsewhere than they stand, and registers as if they were known, and roughly known.

Usage: python Testing/Measurements/rough_relation.py PROTOCOL --out FILE [--cases FOLDER] [--number N] [--first N]
           [--rotation-deg 3] [--translation-mm 10] [--told known rough]

PROTOCOL is one of `prostreg evaluate --list` with cases of several views, or a file like one. Every C-arm but the first
is told turned and shifted at the anatomy by normal numbers of these deviations about and along each axis, drawn by the
protocol's seed. FILE gets a row for each case and way of telling, in JSON; what was there before is kept.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from kept_rows import KeptRows

from prostreg.evaluation.protocol import read_protocol
from prostreg.evaluation.sources.case_source import make_case_source
from prostreg.geometry.chart import PoseChart
from prostreg.registration.case import Case, RoughRelation
from prostreg.registration.config import RegistrationConfig
from prostreg.registration.registering import register
from prostreg.registration.relation.each_view import seen_as_found
from prostreg.registration.start import anatomy_centre_mm, anatomy_points_mm


def moved_views(case: Case, relation: RoughRelation, rng: np.random.Generator) -> Case:
    """The case with its further C-arms told elsewhere than they stand."""
    centre_mm = anatomy_centre_mm(anatomy_points_mm(case))
    deviations = np.array([np.deg2rad(relation.rotation_deg)] * 3 + [relation.translation_mm] * 3)
    views = [case.views[0]]
    for view in case.views[1:]:
        chart = PoseChart(case.truth_world_from_volume, view.carm.camera_from_world, centre_mm)
        moved = chart.world_from_volume_at(rng.standard_normal(6) * deviations)[0]
        told = view.carm.camera_from_world @ moved @ np.linalg.inv(case.truth_world_from_volume)
        views.append(replace(view, carm=replace(view.carm, camera_from_world=told)))
    return replace(case, views=tuple(views))


def row_of(case: Case, true: Case, settings: dict[str, Any]) -> dict[str, Any]:
    """What the program says of a case, and how far pose and C-arms are from the truth."""
    result = register(case, RegistrationConfig(**settings))
    centre_mm = anatomy_centre_mm(anatomy_points_mm(case))
    off = []
    for found, told in zip(seen_as_found(case, result).views[1:], true.views[1:], strict=True):
        chart = PoseChart(true.truth_world_from_volume, told.carm.camera_from_world, centre_mm)
        seen = np.linalg.inv(told.carm.camera_from_world) @ found.carm.camera_from_world @ true.truth_world_from_volume
        off.append(chart.parameters_of(seen).tolist())
    return {
        "status": result.status, "mtre_mm": result.mtre_mm, "seconds": result.seconds, "reasons": list(result.reasons),
        "cameras_off": off,
    }  # fmt: skip


def main() -> int:
    """Runs what is left, and prints a line for each registration."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("protocol")
    parser.add_argument("--cases", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--number", type=int, default=10)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--rotation-deg", type=float, default=3.0)
    parser.add_argument("--translation-mm", type=float, default=10.0)
    parser.add_argument("--told", nargs="+", choices=("known", "rough"), default=["known", "rough"])
    given = parser.parse_args()
    protocol = read_protocol(given.protocol)
    source, kept = make_case_source(protocol, given.cases), KeptRows(given.out, "name")
    relation = RoughRelation(given.rotation_deg, given.translation_mm)
    for number in range(given.first, given.first + given.number):
        true = source.case(number)
        moved = moved_views(true, relation, np.random.default_rng([protocol.seed, number]))
        for told in given.told:
            case = moved if told == "known" else replace(moved, relation=relation)
            name = f"{true.name} {given.rotation_deg:g} deg {given.translation_mm:g} mm, told as {told}"
            if name not in kept:
                kept.add({"name": name, **row_of(case, true, dict(protocol.settings))})
    return 0


if __name__ == "__main__":
    sys.exit(main())
