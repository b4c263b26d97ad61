"""Registers simulated cases without any start, and counts those that are found, from wherever they were seen.

Usage: python Testing/Measurements/without_start.py PROTOCOL --out FILE [--cases FOLDER] [--number N] [--first N]
           [--view NAME] [--turn-deg 35] [--seconds 60]

PROTOCOL is one of `prostreg evaluate --list` with simulated cases, or a file like one; `phantom` needs no data. The
patient is seen from the standard view, turned about each of the camera's axes by angles of that standard deviation; 0
keeps the protocol's own. FILE gets a row for each case, in JSON; what was there before is kept and not done again.
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
from prostreg.geometry.standard_views import STANDARD_VIEWS
from prostreg.registration.config import RegistrationConfig
from prostreg.registration.registering import register

TURNS = ("tilt_u_deg", "tilt_v_deg", "in_plane_deg")
FOUND_MM = 10.0


def seen_from(protocol: Protocol, view: str, turn_deg: float) -> Protocol:
    """The protocol with one view of all patients, and other turns of them."""
    source = {**protocol.content["source"], "views": [{"standard_view": view}]}
    if turn_deg > 0:
        source["truth"] = {**source["truth"], **{turn: {"normal": [0, turn_deg]} for turn in TURNS}}
    return protocol.with_changes(source=source)


def summary(rows: list[dict[str, Any]]) -> str:
    """A line for each view."""
    lines = ["| seen from | cases | found | accepted, right | accepted, wrong | median error, mm | median s |"]
    lines.append("|---|---|---|---|---|---|---|")
    for seen in sorted({row["seen"] for row in rows}):
        chosen = [row for row in rows if row["seen"] == seen]
        found = [row for row in chosen if row["mtre_mm"] < FOUND_MM]
        accepted = [row["mtre_mm"] < FOUND_MM for row in chosen if row["status"] == "accepted"]
        error_mm = f"{np.median([row['mtre_mm'] for row in found]):.2f}" if found else "-"
        lines.append(
            f"| {seen} | {len(chosen)} | {len(found)} | {accepted.count(True)} | {accepted.count(False)}"
            f" | {error_mm} | {np.median([row['seconds'] for row in chosen]):.1f} |"
        )
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description="Cases without a start.")
    parser.add_argument("protocol")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--cases", type=Path)
    parser.add_argument("--number", type=int, default=6)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--view", choices=STANDARD_VIEWS, default="AP")
    parser.add_argument("--turn-deg", type=float, default=0.0)
    parser.add_argument("--seconds", type=float, default=60.0)
    arguments = parser.parse_args()
    protocol = seen_from(read_protocol(arguments.protocol), arguments.view, arguments.turn_deg)
    source, kept = make_case_source(protocol, arguments.cases), KeptRows(arguments.out, "name")
    seen = f"{arguments.view}, turned by {arguments.turn_deg:g} degrees" if arguments.turn_deg else arguments.view
    for number in range(arguments.first, arguments.first + arguments.number):
        name = f"{protocol.name} {number} {seen}"
        if name not in kept:
            case = replace(source.case(number), initial_world_from_volume=None)
            result = register(case, RegistrationConfig(time_limit_s=arguments.seconds))
            kept.add(
                {
                    "name": name, "seen": seen, "status": result.status, "confidence": result.confidence,
                    "mtre_mm": result.mtre_mm, "seconds": result.seconds, "reasons": list(result.reasons),
                }
            )  # fmt: skip
    print(summary(kept.rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
