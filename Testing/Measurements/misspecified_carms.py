"""Tells the registration a wrong C-arm, and counts what it accepts.

Usage: python Testing/Measurements/misspecified_carms.py PROTOCOL --cases FOLDER --out FILE [--number N] [--first N]
           [--distances 0.96,1,1.04] [--shifts 0,25] [--accuracy calibrated]

PROTOCOL is one of `prostreg evaluate --list` with simulated cases, or a file like one. Each case is registered once for
each factor on the source-detector distance, and once for each shift of the principal point along u, in pixels of a
field of 512. It starts near the place where the wrong C-arm hides its error, since the verdict is measured and not the
search. FILE gets a row for each registration, in JSON; what was there before is kept and not done again.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from kept_rows import KeptRows

from prostreg.evaluation.protocol import read_protocol
from prostreg.evaluation.sources.case_source import make_case_source
from prostreg.geometry.carm_change import changed_carm, hiding_pose
from prostreg.geometry.chart import PoseChart
from prostreg.geometry.frames import transform_points
from prostreg.registration.case import Case
from prostreg.registration.config import RegistrationConfig
from prostreg.registration.registering import register
from prostreg.registration.start import anatomy_centre_mm, anatomy_points_mm

FIELD_PIXELS = 512
OFFSET = np.array([np.deg2rad(3.0)] * 3 + [5.0, 5.0, 10.0])
"""Standard deviations of the start around the place where it should end."""


def misspecified(case: Case, change: np.ndarray, accuracy: str, rng: np.random.Generator) -> Case:
    """The case with another C-arm than the one that took its images, started near where that hides the change."""
    centre_mm = anatomy_centre_mm(anatomy_points_mm(case))
    chart = PoseChart(case.truth_world_from_volume, case.views[0].carm.camera_from_world, centre_mm)
    hidden = replace(chart, world_from_volume=hiding_pose(chart, change))
    start = hidden.world_from_volume_at(rng.standard_normal(6) * OFFSET)[0]
    views = tuple(
        replace(view, carm=replace(changed_carm(view.carm, change), accuracy=accuracy)) for view in case.views
    )
    return replace(case, views=views, initial_world_from_volume=start)


def row_of(case: Case, settings: dict[str, Any]) -> dict[str, Any]:
    """What the program says of a case, and how far it is from the truth."""
    result = register(case, RegistrationConfig(**settings))
    found, true = (
        transform_points(pose, case.landmarks_mm) for pose in (result.world_from_volume, case.truth_world_from_volume)
    )
    off_mm = transform_points(case.views[0].carm.camera_from_world, found) - transform_points(
        case.views[0].carm.camera_from_world, true
    )
    row = {
        "status": result.status,
        "confidence": result.confidence,
        "mtre_mm": result.mtre_mm,
        "across_mm": float(np.sqrt((off_mm[:, :2] ** 2).sum(axis=1).mean())),
        "along_mm": float(np.sqrt((off_mm[:, 2] ** 2).mean())),
        "seconds": result.seconds,
        "reasons": list(result.reasons),
    }
    if result.expected_error is not None:
        row |= {
            "expected_across_mm": result.expected_error.across_mm, "expected_along_mm": result.expected_error.along_mm
        }  # fmt: skip
    if result.carm_fit is not None:
        fit = result.carm_fit
        true_sdd_mm = fit.given_sdd_mm / settings_factor(case)
        row |= {
            "sdd_off_percent": 100 * (fit.sdd_mm / true_sdd_mm - 1),
            "sdd_deviation_percent": 100 * fit.sdd_deviation_mm / fit.given_sdd_mm,
            "principal_point": fit.principal_point,
            "principal_point_deviation_px": fit.principal_point_deviation_px,
        }
    return row


def settings_factor(case: Case) -> float:
    """The factor on the distance, which the case's name ends with."""
    return float(case.name.split(" x")[1].split(" ")[0])


def changes(arguments: argparse.Namespace) -> Iterator[tuple[float, float]]:
    """(factor on the distance, shift in pixels of a field of 512)."""
    yield from ((factor, 0.0) for factor in arguments.distances)
    yield from ((1.0, shift) for shift in arguments.shifts if shift)


def summary(rows: list[dict[str, Any]]) -> str:
    """A line for each kind of error."""
    lines = ["distance  shift  cases  accepted  of them > 10 mm  right  accepted of right  SDD off, rms %  by its sd"]
    for factor, shift in sorted({(row["factor"], row["shift_px"]) for row in rows}):
        chosen = [row for row in rows if (row["factor"], row["shift_px"]) == (factor, shift)]
        accepted = [row for row in chosen if row["status"] == "accepted"]
        right = [row for row in chosen if row["mtre_mm"] < 10]
        fits = np.array([
            (row["sdd_off_percent"], row["sdd_deviation_percent"]) for row in chosen if "sdd_off_percent" in row
        ]).reshape(-1, 2)  # fmt: skip
        off, ratio = np.sqrt((fits[:, 0] ** 2).mean()), np.sqrt(((fits[:, 0] / fits[:, 1]) ** 2).mean())
        wrong = sum(row["mtre_mm"] >= 10 for row in accepted)
        both = sum(row in accepted for row in right)
        lines.append(
            f"{factor:8.3f} {shift:6.1f} {len(chosen):6d} {len(accepted):9d} {wrong:16d} {len(right):6d} {both:18d}"
            f" {off:15.2f} {ratio:10.2f}"
        )
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description="C-arms that are not as they are said to be.")
    parser.add_argument("protocol")
    parser.add_argument("--cases", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--number", type=int, default=8)
    parser.add_argument("--first", type=int, default=0)
    numbers = lambda text: [float(part) for part in text.split(",")]  # noqa: E731
    parser.add_argument("--distances", type=numbers, default=[0.96, 1.0, 1.04])
    parser.add_argument("--shifts", type=numbers, default=[25.0])
    parser.add_argument("--accuracy", default="calibrated")
    arguments = parser.parse_args()
    protocol = read_protocol(arguments.protocol)
    source = make_case_source(protocol, arguments.cases)
    kept = KeptRows(arguments.out, "name")
    for number in range(arguments.first, arguments.first + arguments.number):
        case = None
        for factor, shift in changes(arguments):
            name = f"{protocol.name}-{number} {arguments.accuracy} x{factor} {shift:+g} px"
            if name in kept:
                continue
            case = case or source.case(number)
            carm = case.views[0].carm
            angle = shift * carm.width / FIELD_PIXELS / carm.intrinsics[0, 0]
            told = misspecified(
                case, np.array([np.log(factor), angle, 0.0]), arguments.accuracy, np.random.default_rng(number)
            )
            row = {"name": name, "factor": factor, "shift_px": shift}
            kept.add(row | row_of(replace(told, name=name), {"time_limit_s": 600.0, "most_restarts": 4}))
    print(summary(kept.rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
