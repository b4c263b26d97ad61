"""Registers people whom no weights were trained on, with one CMA-ES run and with several weights, on the same cases.

Usage: python Testing/Measurements/unseen_people.py --data FOLDER --out FILE [--weights NAME=FILE ...] [--number N]
           [--first N] [--people 2007_5028,...,pelvis-lumbar] [--methods cmaes,prost,prost+cmaes] [--preset paper]

FOLDER holds `llp26_NN_NAME.nii.gz` and `vhm.nii.gz` (label maps) and the files of the protocol prost-pelvis. N cases
are made of each person; poses, starts and X-rays are drawn as in it. FILE gets a row for each registration, in
JSON; what was there before is kept and not done again. Success is an mTRE below 10 mm.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from kept_rows import KeptRows

from prostreg.choices import evaluated_methods
from prostreg.evaluation.methods import registration_seed
from prostreg.evaluation.protocol import Protocol, read_protocol
from prostreg.evaluation.report.statistics import wilson_interval
from prostreg.evaluation.sources.case_source import make_case_source
from prostreg.evaluation.sources.landmarks import surface_landmarks_mm
from prostreg.files import sha256_of
from prostreg.registration.config import RegistrationConfig
from prostreg.registration.registering import register

CT = "pelvis-lumbar"
PEOPLE = ("2007_5028", "2008_0019", "2008_1342", "2008_2571", "vhm", CT)
"""Held out of the training of prost-light-population."""
GRID_MM = 3.0
"""As the CT's; people of whom only shapes are known are brought to it."""
SUCCESS_MM = 10.0


def protocol_of(name: str, data: Path, preset: str) -> tuple[Protocol, Path]:
    """The protocol prost-pelvis on one person, and the folder of its files."""
    protocol = read_protocol("prost-pelvis")
    source = {**protocol.content["source"], "simulator": preset}
    if name == CT:
        (folder,) = {path.parent for path in data.rglob("pelvis_lumbar.nii.gz")}
        return protocol.with_changes(source=source), folder
    (labels,) = [path for path in data.rglob("*.nii.gz") if path.name.removesuffix(".nii.gz").endswith(name)]
    del source["ct"]
    file = {"file": labels.name, "sha256": sha256_of(labels), "origin": "the data folder", "licence": "see there"}
    source |= {"labels": file, "grid_mm": GRID_MM}
    kept = {key: value for key, value in protocol.content.items() if key not in ("landmarks_mm", "papers")}
    return replace(protocol, content=kept).with_changes(source=source, name=name), labels.parent


def configurations(methods: list[str], weights: dict[str, Path], seed: int) -> dict[str, RegistrationConfig]:
    """Each method, once for each weights where it has a network."""
    limits: dict[str, Any] = {"time_limit_s": 600.0, "most_restarts": 32, "seed": seed}
    found = {}
    for method in methods:
        settings = {**limits, **evaluated_methods()[method]}
        if "weights" not in settings:
            found[method] = RegistrationConfig.from_dict(settings)
            continue
        for name, file in weights.items():
            found[f"{method}, {name}"] = RegistrationConfig.from_dict({**settings, "weights": str(file)})
    return found


def in_percent(hits: int, count: int) -> str:
    """A share with its interval."""
    low, high = wilson_interval(hits, count)
    return f"{100 * hits / count:.1f} % ({100 * low:.1f} to {100 * high:.1f})"


def summary(rows: list[dict[str, Any]]) -> str:
    """A line for each group of people and each method, and how many cases one method has that `cmaes` has not."""
    lines = [
        "| people | method | cases | success (95 %) | more / fewer than cmaes | median mTRE, mm | accepted; right | s |"
    ]
    lines.append("|---|---|---|---|---|---|---|---|")
    for group, belongs in (("shapes", lambda row: row["person"] != CT), (CT, lambda row: row["person"] == CT)):
        chosen = [row for row in rows if belongs(row)]
        plain = {row["case"]: row["mtre_mm"] < SUCCESS_MM for row in chosen if row["method"] == "cmaes"}
        for method in dict.fromkeys(row["method"] for row in chosen):
            of_method = [row for row in chosen if row["method"] == method]
            is_hit = {row["case"]: row["mtre_mm"] < SUCCESS_MM for row in of_method}
            more = sum(hit and not plain.get(case, True) for case, hit in is_hit.items())
            fewer = sum(not hit and plain.get(case, False) for case, hit in is_hit.items())
            accepted = [row["mtre_mm"] < SUCCESS_MM for row in of_method if row["status"] == "accepted"]
            lines.append(
                f"| {group} | {method} | {len(is_hit)} | {in_percent(sum(is_hit.values()), len(is_hit))}"
                f" | {more} / {fewer} | {np.median([row['mtre_mm'] for row in of_method]):.2f}"
                f" | {len(accepted)}; {sum(accepted)} | {np.median([row['seconds'] for row in of_method]):.1f} |"
            )
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description="Registrations of people whom no weights were trained on.")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--weights", nargs="+", default=[], metavar="NAME=FILE")
    parser.add_argument("--people", type=lambda text: text.split(","), default=list(PEOPLE))
    parser.add_argument("--methods", type=lambda text: text.split(","), default=["cmaes", "prost", "prost+cmaes"])
    parser.add_argument("--number", type=int, default=6)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--preset", default="paper")
    arguments = parser.parse_args()
    weights = {name: Path(file) for name, _, file in (given.partition("=") for given in arguments.weights)}
    kept = KeptRows(arguments.out, "key")
    for name in arguments.people:
        protocol, folder = protocol_of(name, arguments.data, arguments.preset)
        source = make_case_source(protocol, folder)
        for number in range(arguments.first, arguments.first + arguments.number):
            chosen = configurations(arguments.methods, weights, registration_seed(protocol, number))
            missing = {method: config for method, config in chosen.items() if [name, number, method] not in kept}
            if not missing:
                continue
            case = source.case(number)
            if case.landmarks_mm is None:
                case = replace(case, landmarks_mm=surface_landmarks_mm(case.ct, case.anatomy))
            for method, config in missing.items():
                result = register(case, config)
                row = {"key": [name, number, method], "person": name, "case": f"{name} {number}", "method": method}
                told = {"mtre_mm": result.mtre_mm, "status": result.status, "seconds": round(result.seconds, 2)}
                kept.add(row | told)
    print(summary(kept.rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
