"""Finds the references of the wrist protocols again, and checks whether each view alone finds the same bone.

Usage: python Testing/Measurements/real_wrist.py WRIST_FOLDER --out FOLDER [--bones radius,ulna]

WRIST_FOLDER holds geometry.json, cam01 and cam02 with frame_0099.tif, and ct_bones (BrownBiomechanics Autoscoper sample
data). For each bone: one registration to both views from a rough pose, to be judged by eye in its overlay and compared
with the protocol's reference; then the poses from each view alone, for every start of the protocol, against each other.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from view_consistency import projected_distances_mm, view_consistency

from prostreg.evaluation.protocol import read_protocol
from prostreg.evaluation.sources.case_source import make_case_source
from prostreg.outputs.case_outputs import write_case_outputs
from prostreg.registration.config import RegistrationConfig
from prostreg.registration.pipeline import mtre_mm
from prostreg.registration.registering import register
from prostreg.registration.start import anatomy_centre_mm, anatomy_points_mm

ROUGH = {
    "radius": ("wrist", [[1, 0, 0], [0, 0, 1], [0, -1, 0]], (95.7, 170.0, 91.8)),
    "ulna": ("wrist-ulna", [[0, 1, 0], [0, 0, 1], [1, 0, 0]], (114.4, 167.2, 115.2)),
}
"""Protocol, rotation by eye (the bone upright in the image), and the shaft's middle triangulated by eye."""

WIDE = {"spread_rotation_deg": 30.0, "spread_shift_mm": 15.0, "spread_depth_mm": 15.0, "time_limit_s": 600.0}


def rounded(values: np.ndarray) -> list:
    return np.round(values, 2).tolist()


def find_reference(source, rotation: list, centre_world_mm: tuple, folder: Path) -> None:
    """Registers to both views from the rough pose; writes the overlay and says how far the stored reference is."""
    case = source.whole_case()
    rough = np.eye(4)
    rough[:3, :3] = rotation
    rough[:3, 3] = centre_world_mm - rough[:3, :3] @ anatomy_centre_mm(anatomy_points_mm(case))
    case = replace(case, initial_world_from_volume=rough)
    result = register(case, RegistrationConfig(seed=0, **WIDE))
    write_case_outputs(folder, case, result)
    row = {"status": result.status, "seconds": round(result.seconds, 1), "from_reference_mm": rounded(result.mtre_mm)}
    print(json.dumps(row | {"world_from_volume": np.round(result.world_from_volume, 9).tolist()}), flush=True)


def compare_views(source, settings: dict) -> None:
    """Each start of the protocol from each view alone."""
    whole = source.whole_case()
    for start in range(len(source) // 3):
        cases = [source.case(3 * start + alone) for alone in (1, 2)]
        poses = [register(case, RegistrationConfig(seed=start, **settings)).world_from_volume for case in cases]
        found = view_consistency(whole, poses)
        joint, reference = found.joint_world_from_volume, whole.truth_world_from_volume
        row = {
            "start": start,
            "each_from_reference_mm": [rounded(mtre_mm(whole, pose)) for pose in poses],
            "apart_mm": rounded(found.apart_mm),
            "gap_mm": rounded(found.gap_mm),
            "remaining_mm": rounded(found.remaining_mm),
            "joint_from_reference_mm": rounded(mtre_mm(whole, joint)),
            "joint_projected_mm": rounded(projected_distances_mm(whole, joint, reference)),
            "consistent": found.is_consistent,
        }
        print(json.dumps(row), flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description="The real wrist.")
    parser.add_argument("data_folder", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--bones", default="radius,ulna")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    for bone in arguments.bones.split(","):
        name, rotation, centre_world_mm = ROUGH[bone]
        protocol = read_protocol(name)
        source = make_case_source(protocol, arguments.data_folder)
        print(bone)
        find_reference(source, rotation, centre_world_mm, arguments.out / bone)
        compare_views(source, dict(protocol.settings))
    return 0


if __name__ == "__main__":
    sys.exit(main())
