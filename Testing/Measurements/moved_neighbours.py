"""Registers one bone of a row that has moved along the beam against its neighbours since the CT was made.

Usage: python Testing/Measurements/moved_neighbours.py --cases FOLDER --out FILE [--protocol prost-spine] [--label 29]
           [--seed 62002] [--number 8] [--shifts=-6,-3,0,3,6]

The images are the protocol's; in the CT that is registered the bone is shifted by whole voxels, as near to so many mm
away from the source as that comes. Each begins at its true pose, with one restart. FILE gets a row for each
registration, in JSON; what was there before is kept and not done again. The summary is printed.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from kept_rows import KeptRows

from prostreg.evaluation.protocol import read_protocol
from prostreg.evaluation.sources.case_source import make_case_source
from prostreg.geometry.frames import transform_points
from prostreg.images.volume import Volume
from prostreg.registration.case import Case
from prostreg.registration.config import RegistrationConfig
from prostreg.registration.registering import register
from prostreg.registration.start import anatomy_centre_mm, anatomy_points_mm

SETTINGS = {"time_limit_s": 600.0, "most_restarts": 1}
MUSCLE_HU = 50.0
WRONG_MM = 10.0


def with_bone_moved(case: Case, along_mm: float) -> Case:
    """The case whose CT has its anatomy so much farther from the source than the image shows it."""
    ct, truth = case.ct, case.truth_world_from_volume
    assert truth is not None
    beam = (case.views[0].carm.camera_from_world @ truth)[2, :3]
    shift = np.rint(np.linalg.solve(ct.volume_from_index[:3, :3], along_mm * beam)).astype(int)
    values, anatomy = ct.values.copy(), np.zeros_like(case.anatomy)
    values[case.anatomy] = MUSCLE_HU
    here = np.nonzero(case.anatomy)
    there = tuple(
        np.clip(axis + step, 0, size - 1) for axis, step, size in zip(here, shift[::-1], anatomy.shape, strict=True)
    )
    values[there], anatomy[there] = ct.values[here], True
    moved = np.eye(4)
    moved[:3, 3] = ct.volume_from_index[:3, :3] @ shift
    truth = truth @ np.linalg.inv(moved)
    assert case.landmarks_mm is not None
    return replace(
        case,
        ct=Volume(values, ct.volume_from_index),
        anatomy=anatomy,
        initial_world_from_volume=truth,
        truth_world_from_volume=truth,
        landmarks_mm=transform_points(moved, case.landmarks_mm),
    )


def row_of(case: Case) -> dict[str, Any]:
    """What the program says of a case, and how far it is from the truth."""
    result = register(case, RegistrationConfig(**SETTINGS))
    centre_mm = anatomy_centre_mm(anatomy_points_mm(case))
    camera = case.views[0].carm.camera_from_world
    assert case.truth_world_from_volume is not None
    found, true = (
        transform_points(camera @ pose, centre_mm) for pose in (result.world_from_volume, case.truth_world_from_volume)
    )
    return {
        "status": result.status,
        "mtre_mm": result.mtre_mm,
        "depth_mm": float(found[2] - true[2]),
        "expected_mm": None if result.expected_error is None else result.expected_error.along_mm,
        "reasons": list(result.reasons),
    }


def summary(rows: list[dict[str, Any]]) -> str:
    """A line for each shift."""
    lines = [
        "| bone moved along the beam | cases | depth off, rms / worst | accepted | of those above 10 mm |",
        "|---|---|---|---|---|",
    ]
    for shift_mm in sorted({row["shift_mm"] for row in rows}):
        chosen = [row for row in rows if row["shift_mm"] == shift_mm]
        off_mm = np.array([row["depth_mm"] for row in chosen])
        accepted = [row for row in chosen if row["status"] == "accepted"]
        wrong = sum(row["mtre_mm"] > WRONG_MM for row in accepted)
        spread_mm, worst_mm = np.sqrt((off_mm**2).mean()), np.abs(off_mm).max()
        lines.append(
            f"| {shift_mm:g} mm | {len(chosen)} | {spread_mm:.1f} / {worst_mm:.1f} mm | {len(accepted)} | {wrong} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--protocol", default="prost-spine")
    parser.add_argument("--label", type=int, default=29)
    parser.add_argument("--seed", type=int, default=62002)
    parser.add_argument("--number", type=int, default=8)
    parser.add_argument("--shifts", default="-6,-3,0,3,6")
    given = parser.parse_args()
    protocol = read_protocol(given.protocol)
    content = {**protocol.content["source"], "anatomy": [given.label]}
    source = make_case_source(protocol.with_changes(source=content, seed=given.seed), given.cases)
    kept = KeptRows(given.out, "key")
    for number in range(given.number):
        for shift_mm in map(float, given.shifts.split(",")):
            key = [given.label, given.seed, number, shift_mm]
            if key not in kept:
                row = row_of(with_bone_moved(source.case(number), shift_mm))
                kept.add({"key": key, "shift_mm": shift_mm, **row})
    print(summary(kept.rows))


if __name__ == "__main__":
    main()
