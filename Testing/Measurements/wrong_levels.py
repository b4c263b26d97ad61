"""Starts one bone of a row on each of its neighbours, and counts what the program accepts.

Usage: python Testing/Measurements/wrong_levels.py PROTOCOL --out FILE [--cases FOLDER] [--labels 31,30,29]
           [--levels 0,-1,1,-2,2] [--number N] [--first N] [--simulator paper] [--phantom-seed N]

PROTOCOL is one of `prostreg evaluate --list` with simulated cases, or a file like one; `phantom` needs no data. Of each
case, every label of the row is registered alone, and starts near the place of the bone that lies so many levels below
it. FILE gets a row for each registration, in JSON; what was there before is kept and not done again.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from kept_rows import KeptRows

from prostreg.evaluation.protocol import Protocol, read_protocol
from prostreg.evaluation.sources.case_source import make_case_source
from prostreg.geometry.chart import PoseChart
from prostreg.registration.case import Case
from prostreg.registration.config import RegistrationConfig
from prostreg.registration.registering import register
from prostreg.registration.start import anatomy_centre_mm, anatomy_points_mm

OFFSET = np.array([np.deg2rad(3.0)] * 3 + [5.0, 5.0, 10.0])
"""Standard deviations of the start around the place where it is put."""

SETTINGS = {"time_limit_s": 600.0, "most_restarts": 4}
WRONG_MM = 10.0


def of_one_bone(protocol: Protocol, label: int, arguments: argparse.Namespace) -> Protocol:
    """The protocol with one label as its anatomy."""
    source = {**protocol.content["source"], "anatomy": [label], "simulator": arguments.simulator}
    if arguments.phantom_seed is not None:
        source["phantom_seed"] = arguments.phantom_seed
    return protocol.with_changes(source=source)


def started_beside(case: Case, offset_mm: np.ndarray, rng: np.random.Generator) -> Case:
    """The case with a start near the place that lies an offset (3,), in the volume frame, from the true one."""
    points_mm = anatomy_points_mm(case)
    moved = np.eye(4)
    moved[:3, 3] = offset_mm
    carm = case.views[0].carm
    chart = PoseChart(case.truth_world_from_volume @ moved, carm.camera_from_world, anatomy_centre_mm(points_mm))
    start = chart.world_from_volume_at(rng.standard_normal(6) * OFFSET)[0]
    return replace(case, initial_world_from_volume=start, landmarks_mm=points_mm[::20])


def row_of(case: Case) -> dict[str, Any]:
    """What the program says of a case, and how far it is from the truth."""
    result = register(case, RegistrationConfig(**SETTINGS))
    return {
        "status": result.status,
        "confidence": result.confidence,
        "mtre_mm": result.mtre_mm,
        "seconds": result.seconds,
        "confirmed": result.evidence["confirmed"],
        "reasons": list(result.reasons),
    }


def summary(rows: list[dict[str, Any]]) -> str:
    """A line for each number of levels."""
    lines = ["| levels off | cases | accepted, right | accepted, wrong | uncertain, right / wrong | failed | s |"]
    lines.append("|---|---|---|---|---|---|---|")
    for levels in sorted({abs(row["levels"]) for row in rows}):
        chosen = [row for row in rows if abs(row["levels"]) == levels]
        right, wrong = (
            [row["status"] for row in chosen if (row["mtre_mm"] < WRONG_MM) == is_right] for is_right in (True, False)
        )
        seconds = np.median([row["seconds"] for row in chosen])
        lines.append(
            f"| {levels} | {len(chosen)} | {right.count('accepted')} | {wrong.count('accepted')}"
            f" | {right.count('uncertain')} / {wrong.count('uncertain')}"
            f" | {(right + wrong).count('failed')} | {seconds:.1f} |"
        )
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description="Bones that are started on their neighbours.")
    numbers = lambda text: [int(part) for part in text.split(",")]  # noqa: E731
    parser.add_argument("protocol")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--cases", type=Path)
    parser.add_argument("--labels", type=numbers, default=[31, 30, 29])
    parser.add_argument("--levels", type=numbers, default=[0, -1, 1, -2, 2])
    parser.add_argument("--number", type=int, default=2)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--simulator", default="paper")
    parser.add_argument("--phantom-seed", type=int)
    arguments = parser.parse_args()
    protocol = read_protocol(arguments.protocol)
    sources = [make_case_source(of_one_bone(protocol, label, arguments), arguments.cases) for label in arguments.labels]
    kept = KeptRows(arguments.out, "name")
    for number in range(arguments.first, arguments.first + arguments.number):
        cases = [source.case(number) for source in sources]
        centres_mm = [anatomy_centre_mm(anatomy_points_mm(case)) for case in cases]
        for index, case in enumerate(cases):
            for levels in arguments.levels:
                name = f"{case.name} label {arguments.labels[index]} {levels:+d}"
                if name in kept or not 0 <= index + levels < len(cases):
                    continue
                rng = np.random.default_rng([number, index, levels + 100])
                started = started_beside(case, centres_mm[index + levels] - centres_mm[index], rng)
                kept.add({"name": name, "levels": levels} | row_of(replace(started, name=name)))
    print(summary(kept.rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
