"""Measures how one bone of a real wrist registers to two calibrated X-rays, and to each of them alone.

Usage: python Testing/Measurements/real_wrist.py DATA_FOLDER --out FOLDER

DATA_FOLDER is the wrist_biplane folder: geometry.json, cam01 and cam02 with frame_0099.tif, ct_bones/rad.nii.gz
(BrownBiomechanics Autoscoper sample data). There is no ground truth. The first registration, from a rough pose and
from both views, gives the reference, to be judged by eye in its overlay; then starts 15 degrees and 15 mm off it are
registered from both views and from each alone, and compared with it in 3D and as projected into
every view, the unused one included.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from prostreg.geometry.carm import CArm
from prostreg.geometry.chart import PoseChart
from prostreg.geometry.frames import Matrix, invert_rigid, transform_points
from prostreg.images.reading import read_ct
from prostreg.images.xray_preparation import prepare_xray
from prostreg.images.xray_reading import read_xray_image
from prostreg.outputs.case_outputs import write_case_outputs
from prostreg.registration.case import Case, View
from prostreg.registration.config import RegistrationConfig
from prostreg.registration.pipeline import register
from prostreg.registration.result import Result
from prostreg.registration.start import anatomy_centre_mm, anatomy_points_mm

ROUGH_CENTRE_WORLD_MM = (95.7, 170.0, 91.8)
"""The middle of the radius, triangulated by eye from its shaft in the two images."""

STARTS = 5
OFF_DEG, OFF_MM = 15.0, 15.0


def wrist_case(folder: Path) -> Case:
    """The radius, both views, and a rough pose: the bone upright in the image, turned by eye."""
    cameras = json.loads((folder / "geometry.json").read_text(encoding="utf-8"))["cameras"]
    ct = read_ct(folder / "ct_bones" / "rad.nii.gz")
    views = tuple(_view(folder / name / "frame_0099.tif", cameras[name]) for name in ("cam01", "cam02"))
    case = Case("radius", ct, ct.values > 0, views)
    rough = np.array([[1.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
    rough[:3, 3] = ROUGH_CENTRE_WORLD_MM - rough[:3, :3] @ anatomy_centre_mm(anatomy_points_mm(case))
    return replace(case, initial_world_from_volume=rough)


def _view(image: Path, camera: dict) -> View:
    left, _, right = np.linalg.svd(camera["R"])
    camera_from_world = np.eye(4)
    camera_from_world[:3, :3], camera_from_world[:3, 3] = left @ right, camera["t_mm"]
    carm = CArm(np.array(camera["K"]), tuple(camera["image_size"]), camera_from_world)
    return View(prepare_xray(read_xray_image(image).pixels, "bone-dark", None), carm)


def start_off(case: Case, reference: Matrix, number: int) -> Matrix:
    """A pose turned by 15 degrees about a random axis and shifted by 15 mm in a random direction."""
    rng = np.random.default_rng([15, number])
    axis, direction = (vector / np.linalg.norm(vector) for vector in rng.standard_normal((2, 3)))
    centre = anatomy_centre_mm(anatomy_points_mm(case))
    chart = PoseChart(reference, case.views[0].carm.camera_from_world, centre)
    return chart.world_from_volume_at(np.concatenate([np.deg2rad(OFF_DEG) * axis, OFF_MM * direction]))[0]


def comparison(case: Case, found: Matrix, reference: Matrix) -> dict:
    """Mean distance of the bone's points in mm, in 3D and per view as projected (at the bone), and the angle."""
    points = anatomy_points_mm(case)
    here, there = transform_points(found, points), transform_points(reference, points)
    turn = (invert_rigid(reference) @ found)[:3, :3]
    projected = []
    for view in case.views:
        pixels = np.linalg.norm(view.carm.project_world(here) - view.carm.project_world(there), axis=1).mean()
        depth = transform_points(view.carm.camera_from_world, there)[:, 2].mean()
        projected.append(round(float(pixels * depth / view.carm.intrinsics[0, 0]), 2))
    return {
        "distance_mm": round(float(np.linalg.norm(here - there, axis=1).mean()), 2),
        "angle_deg": round(float(np.rad2deg(np.arccos(np.clip((np.trace(turn) - 1) / 2, -1, 1)))), 2),
        "projected_mm": projected,
    }


def registered(case: Case, start: Matrix, views: tuple[View, ...], seed: int, **settings: float) -> Result:
    config = RegistrationConfig(seed=seed, **settings)
    return register(replace(case, views=views, initial_world_from_volume=start), config)


def main() -> int:
    parser = argparse.ArgumentParser(description="The real wrist.")
    parser.add_argument("data_folder", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    case = wrist_case(arguments.data_folder)
    wide = {"spread_rotation_deg": 30.0, "spread_shift_mm": 15.0, "spread_depth_mm": 15.0}
    first = registered(case, case.initial_world_from_volume, case.views, 0, **wide)
    reference = first.world_from_volume
    arguments.out.mkdir(parents=True, exist_ok=True)
    write_case_outputs(arguments.out / "reference", case, first)
    print(f"reference: {first.status}, confidence {first.confidence:.3f}, {first.seconds:.1f} s")
    for name, views in (("both", case.views), ("first", case.views[:1]), ("second", case.views[1:])):
        for number in range(STARTS):
            start = start_off(case, reference, number)
            result = registered(
                case, start, views, number, spread_rotation_deg=10.0, spread_shift_mm=10.0, spread_depth_mm=15.0
            )
            row = {"views": name, "start": number, "status": result.status, "seconds": round(result.seconds, 1)}
            print(json.dumps(row | comparison(case, result.world_from_volume, reference)), flush=True)
            if number == 0:
                write_case_outputs(
                    arguments.out / name, replace(case, views=views, initial_world_from_volume=start), result
                )
    return 0


if __name__ == "__main__":
    sys.exit(main())
