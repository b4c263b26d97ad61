"""Registers several bones that moved against each other: a pelvis and a femur in simulated X-rays, a real forearm.

Usage: python Testing/Measurements/several_bones.py simulated --data LABELS --out FILE [--cases 6] [--views 1]
           [--joints] [--out-of-joint MM] [--near] [--pictures FOLDER]
       python Testing/Measurements/several_bones.py wrist --data WRIST_FOLDER --out FILE [--pictures FOLDER]

LABELS is a label map with a sacrum (25), hips (77, 78) and proximal femora (75, 76): a CT is made of it, and the
simulator turns the femora in their joints. WRIST_FOLDER is that of real_wrist.py: the CT is made of both bones, the
ulna moved by a known motion, so that the pose of each in the X-rays is the reference of its protocol.

Each case is registered with each bone alone from the start of all, and with all bones: in turn, and then together; or,
with --joints, with all bones alone: in turn, then together, and then kept together in their joints. --out-of-joint
moves the femur's head so far out of its socket. --near begins a third as far off and ends each search sooner: that
saves time, and where bones lie in the end hardly depends on it.
FILE gets a row for each case, in JSON; what was there before is kept and not done again. The summary is printed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from kept_rows import KeptRows

from prostreg.evaluation.protocol import read_protocol
from prostreg.evaluation.sources.case_source import make_case_source
from prostreg.evaluation.sources.landmarks import surface_landmarks_mm
from prostreg.evaluation.sources.shape_ct import ct_of_labels
from prostreg.geometry.carm import CArm
from prostreg.geometry.chart import PoseChart
from prostreg.geometry.frames import Matrix, invert_rigid, transform_points
from prostreg.geometry.rotations import vector_from_rotation
from prostreg.geometry.standard_views import standard_view
from prostreg.images.grid_resampling import resampled
from prostreg.images.reading import read_labels
from prostreg.images.volume import Volume
from prostreg.images.xray_preparation import prepare_xray
from prostreg.outputs.bones_outputs import write_bones_outputs
from prostreg.registration.bones.found import BonesResult
from prostreg.registration.bones.motion import volume_motion
from prostreg.registration.bones.registering_bones import bone_case, register_bones
from prostreg.registration.case import Bone, Case, View
from prostreg.registration.config import RegistrationConfig
from prostreg.registration.registering import register
from prostreg.registration.result import Result
from prostreg.registration.start import anatomy_centre_mm, anatomy_points_mm
from prostreg.simulation.femora import turn_about
from prostreg.simulation.fluoroscopy import FluoroscopySimulator
from prostreg.simulation.presets import preset

SEED = 61001
PELVIS, FEMORA = (25, 77, 78), (75, 76)
SDD_MM, DEPTH_MM, FIELD_MM, PIXELS = 1020.0, 620.0, 400.0, 384
TURN_DEG = (5.0, 20.0)
POSE_SPREAD = np.array([np.deg2rad(8.0)] * 3 + [12.0, 12.0, 20.0])
START_SPREAD = np.array([np.deg2rad(8.0)] * 3 + [10.0, 10.0, 20.0])
ABOVE_MM = 60.0
"""The hip joint above the middle of a proximal femur."""
GRID = 2
"""The shapes' voxels are thinned so, to 3 mm."""

ULNA_TURN_DEG, ULNA_SHIFT_MM = (10.0, -6.0, 15.0), (2.0, -3.0, 2.5)
WRIST_MARGIN = (30, 70, 30)
WRIST_START = np.array([np.deg2rad(6.0), np.deg2rad(-5.0), np.deg2rad(7.0), 4.0, -5.0, 6.0])
SETTINGS = {"time_limit_s": 300.0, "most_restarts": 8}
NEAR, NEAR_SETTINGS = 0.3, {"time_limit_s": 900.0, "most_restarts": 2, "population": 40, "generations": 20}


def simulated_cases(
    labels_file: Path, count: int, views: int, out_mm: float = 0.0, nearness: float = 1.0
) -> Iterator[Case]:
    """Cases of a pelvis and its left femur; the hip joint lies in the middle of the image.

    Args:
        out_mm: by which the femur's head has left the socket, in a direction across the axis of its turn.
        nearness: factor on the starts' spread.
    """
    labels = read_labels(labels_file)
    thin = np.diag([GRID, GRID, GRID, 1.0])
    labels = Volume(labels.values[::GRID, ::GRID, ::GRID], labels.volume_from_index @ thin)
    ct = ct_of_labels(labels)
    on_ct = resampled(
        labels.values, ct.size, np.linalg.inv(labels.volume_from_index) @ ct.volume_from_index, "nearest", 0
    )
    femora = [on_ct == value for value in FEMORA]
    pelvis = np.isin(on_ct, PELVIS)
    simulator = FluoroscopySimulator(ct, replace(preset("paper"), femur_turn_deg=TURN_DEG, bodies=count), femora)
    joints_mm = list(simulator._bodies._centres_mm)
    joint_mm = transform_points(ct.volume_from_index, np.argwhere(femora[0])[:, ::-1].mean(axis=0))
    joint_mm[2] += ABOVE_MM
    turns = [np.zeros(3), np.array([0.0, np.pi / 3, 0.0])][:views]
    for number in range(count):
        rng = np.random.default_rng([SEED, number])
        base = PoseChart(standard_view("AP", joint_mm, DEPTH_MM), np.eye(4), joint_mm)
        truth = base.world_from_volume_at(POSE_SPREAD * rng.standard_normal(6))[0]
        place_mm = transform_points(truth, joint_mm)
        pitch = FIELD_MM / PIXELS
        carms = [
            CArm.from_sdd(SDD_MM, (pitch, pitch), (PIXELS, PIXELS), camera_from_world=turn_about(place_mm, turn))
            for turn in turns
        ]
        seed = number
        while simulator._bodies._number(seed) != number:  # each case its own body
            seed += 1
        put_out_of_joint(simulator, seed, joints_mm[0], out_mm)
        (motion, _) = simulator.femur_motions(seed)
        images = [simulator.image(carm, truth, seed) for carm in carms]
        seen = tuple(
            View(prepare_xray(image.pixels.astype(np.float32), image.polarity, None), carm)
            for image, carm in zip(images, carms, strict=True)
        )
        chart = PoseChart(truth, np.eye(4), joint_mm)
        start = chart.world_from_volume_at(nearness * START_SPREAD * rng.standard_normal(6))[0]
        bones = (
            Bone("pelvis", pelvis, None, truth, surface_landmarks_mm(ct, pelvis)),
            Bone("left femur", femora[0], None, truth @ motion, surface_landmarks_mm(ct, femora[0])),
        )
        out = f"-{out_mm:g}mm" if out_mm else ""
        yield Case(f"hip-{views}view{out}-{number}", ct, pelvis | femora[0], seen, start, bones=bones)


def put_out_of_joint(simulator: FluoroscopySimulator, seed: int, joint_mm: np.ndarray, out_mm: float) -> None:
    """Lets the first femur of a seed's body turn about a point so far from its joint that the head moves by that."""
    bodies = simulator._bodies
    turn = turn_about(np.zeros(3), bodies._turns_rad(bodies._number(seed))[0])[:3, :3]
    out = np.random.default_rng([SEED, seed, 1]).standard_normal(3)
    axis = vector_from_rotation(turn)
    out -= axis * (out @ axis) / (axis @ axis)
    away_mm, *_ = np.linalg.lstsq(np.eye(3) - turn, out_mm * out / np.linalg.norm(out), rcond=1e-6)
    bodies._centres_mm[0] = joint_mm + away_mm
    bodies._femora[0] = replace(bodies._femora[0], centre_mm=bodies._centres_mm[0])


def wrist_cases(folder: Path) -> Iterator[Case]:
    """The forearm from both views, and from each alone."""
    radius, ulna = (make_case_source(read_protocol(name), folder).whole_case() for name in ("wrist", "wrist-ulna"))
    poses = [case.truth_world_from_volume for case in (radius, ulna)]
    assert poses[0] is not None
    assert poses[1] is not None
    centre_mm = anatomy_centre_mm(anatomy_points_mm(ulna))
    radius_from_ulna = invert_rigid(poses[0]) @ poses[1] @ moved_by(centre_mm)
    ct, masks = both_bones(radius, ulna, radius_from_ulna)
    truths = [poses[0], poses[1] @ invert_rigid(radius_from_ulna)]
    assert radius.landmarks_mm is not None
    assert ulna.landmarks_mm is not None
    landmarks = [radius.landmarks_mm, transform_points(radius_from_ulna, ulna.landmarks_mm)]
    bones = tuple(
        Bone(name, mask, None, truth, points)
        for name, mask, truth, points in zip(("radius", "ulna"), masks, truths, landmarks, strict=True)
    )
    centre_mm = anatomy_centre_mm(anatomy_points_mm(replace(radius, ct=ct, anatomy=masks[0])))
    chart = PoseChart(poses[0], radius.views[0].carm.camera_from_world, centre_mm)
    start = chart.world_from_volume_at(WRIST_START)[0]
    for name, views in (("both", slice(0, 2)), ("first", slice(0, 1)), ("second", slice(1, 2))):
        yield Case(f"forearm-{name}", ct, masks[0] | masks[1], radius.views[views], start, bones=bones)


def moved_by(centre_mm: np.ndarray) -> Matrix:
    """The known motion of the ulna in its own CT's frame, about its centre."""
    shift = np.eye(4)
    shift[:3, 3] = ULNA_SHIFT_MM
    motion: Matrix = shift @ turn_about(centre_mm, np.deg2rad(ULNA_TURN_DEG))
    return motion


def both_bones(radius: Case, ulna: Case, radius_from_ulna: Matrix) -> tuple[Volume, list[np.ndarray]]:
    """A CT with both bones in the radius' frame, on its grid made wider, and the mask of each."""
    i, j, k = WRIST_MARGIN
    values = np.pad(radius.ct.values, ((k, k), (j, j), (i, i)))
    volume_from_index = radius.ct.volume_from_index.copy()
    volume_from_index[:3, 3] -= volume_from_index[:3, :3] @ np.array(WRIST_MARGIN)
    ulna_from_grid = np.linalg.inv(radius_from_ulna @ ulna.ct.volume_from_index) @ volume_from_index
    other = resampled(ulna.ct.values, values.shape[::-1], ulna_from_grid, "linear", 0.0)
    first = values > 0
    second = (resampled(ulna.anatomy.astype(np.uint8), values.shape[::-1], ulna_from_grid, "nearest", 0) > 0) & ~first
    together = np.where(first, values, np.where(second, other, 0.0)).astype(np.float32)
    return Volume(together, volume_from_index), [first, second]


def row_of(case: Case, alone: list[Result], found: BonesResult) -> dict[str, Any]:
    """The errors of each bone and of their relative turn: each alone if that was done, in turn, together, in joints."""
    bones = [bone for bone in found.bones if bone.result is not None]
    ways = {
        "alone": alone,
        "in turn": [bone.before or bone.free or bone.result for bone in bones],
        "together": [bone.free or bone.result for bone in bones],
    }
    if case.keeps_joints:
        ways["joints"] = [bone.result for bone in bones]
    true = volume_motion(*(bone.truth_world_from_volume for bone in (case.bones[1], case.bones[0])))
    row: dict[str, Any] = {
        "key": case.name,
        "true_turn_deg": round(float(np.rad2deg(np.linalg.norm(vector_from_rotation(true[:3, :3])))), 1),
        "seconds": round(found.seconds, 1),
        "warnings": list(found.warnings),
        "found_joints": [asdict(joint) for joint in found.joints],
        "reasons": [list(bone.result.reasons) for bone in bones],
        "together_scores": None
        if found.together is None
        else [found.together.score_before, found.together.score_after],
        "names": [bone.name for bone in case.bones],
        "ways": [way for way, chosen in ways.items() if chosen],
    }
    for way in row["ways"]:
        chosen = ways[way]
        turn, shift_mm = relative_error(case, [result.world_from_volume for result in chosen], true)
        row[way] = {
            "mtre_mm": [round(result.mtre_mm or 0.0, 3) for result in chosen],
            "status": [result.status for result in chosen],
            "confirmed": [round(result.evidence["confirmed"], 3) for result in chosen],
            "along_mm": [
                round(result.expected_error.along_mm, 2) if result.expected_error else None for result in chosen
            ],
            "turn_error_deg": round(turn, 2),
            "shift_error_mm": round(shift_mm, 2),
            "seconds": round(sum(result.seconds for result in chosen), 1),
        }
    return row


def relative_error(case: Case, poses: list[Matrix], true: Matrix) -> tuple[float, float]:
    """Degrees and mm by which the motion of the second bone against the first is wrong."""
    found = volume_motion(poses[1], poses[0])
    centre_mm = anatomy_centre_mm(anatomy_points_mm(replace(case, anatomy=case.bones[1].anatomy)))
    turn = vector_from_rotation(found[:3, :3] @ true[:3, :3].T)
    shift = transform_points(found, centre_mm) - transform_points(true, centre_mm)
    return float(np.rad2deg(np.linalg.norm(turn))), float(np.linalg.norm(shift))


def summary(rows: list[dict[str, Any]]) -> str:
    """A line for each case and way."""
    first, second = rows[0]["names"]
    lines = [
        f"| case | true turn, degrees | | {first}: mTRE, mm; verdict | {second}: mTRE, mm; verdict"
        " | relative turn and shift are wrong by | s |"
    ]
    lines.append("|---|---|---|---|---|---|---|")
    for row in rows:
        for way in row["ways"]:
            told = row[way]
            bones = " | ".join(
                f"{mm:.2f}; {status}" for mm, status in zip(told["mtre_mm"], told["status"], strict=True)
            )
            wrong = f"{told['turn_error_deg']} degrees, {told['shift_error_mm']} mm"
            lines.append(f"| {row['key']} | {row['true_turn_deg']} | {way} | {bones} | {wrong} | {told['seconds']} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description="Several bones in one case.")
    parser.add_argument("kind", choices=("simulated", "wrist"))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--cases", type=int, default=6)
    parser.add_argument("--views", type=int, default=1, choices=(1, 2))
    parser.add_argument("--joints", action="store_true")
    parser.add_argument("--out-of-joint", type=float, default=0.0, metavar="MM")
    parser.add_argument("--near", action="store_true")
    parser.add_argument("--pictures", type=Path)
    arguments = parser.parse_args()
    kept, settings = KeptRows(arguments.out, "key"), NEAR_SETTINGS if arguments.near else SETTINGS
    config, nearness = RegistrationConfig.from_dict(settings), NEAR if arguments.near else 1.0
    cases = (
        wrist_cases(arguments.data)
        if arguments.kind == "wrist"
        else simulated_cases(arguments.data, arguments.cases, arguments.views, arguments.out_of_joint, nearness)
    )
    for case in cases:
        if case.name in kept:
            continue
        case = replace(case, keeps_joints=arguments.joints)
        starts = [] if arguments.joints else [bone_case(case, b, case.initial_world_from_volume) for b in case.bones]
        alone = [register(start, config) for start in starts]
        found = register_bones(case, config)
        kept.add(row_of(case, alone, found))
        if arguments.pictures is not None:
            write_bones_outputs(arguments.pictures / case.name, case, found)
    print(summary(kept.rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
