"""What `prostreg calibrate` recovers of a C-arm from 30 beads in two layers, against the truth.

40 seeded runs with marks, 20 with images: blur of 1 pixel, 1 % noise, 2 beads missing, 2 discs that are none, 6 marks
of outer beads that are up to 4 pixels off in u and v. 10 runs of three images of one C-arm, with marks and with images:
each image alone, and the three together.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1]))

from BeadImages import bead_image

from prostreg.calibration.bead_list import BeadList
from prostreg.calibration.discs import sorts_of_discs
from prostreg.calibration.joint_fit import joint_fit
from prostreg.calibration.matching import SeenBeads, match_beads
from prostreg.errors import InputError
from prostreg.geometry.camera_fit import CameraFit, fit_camera
from prostreg.geometry.carm import CArm
from prostreg.geometry.distortion import Distortion
from prostreg.geometry.pnp import pose_from_landmarks
from prostreg.geometry.rotations import rotation_from_vector

RUNS, IMAGE_RUNS, JOINT_RUNS, IMAGES = 40, 20, 10, 3
BEADS, MARKS, MARKS_OFF_PX = 30, 6, 4.0
SIDE, DETECTOR_MM, DISTANCE_MM, RADIUS_MM = 512, 230.0, 700.0, 1.5
TRUE_DISTORTION = Distortion(k1=0.8, k2=3.0)
PIXEL_MM = DETECTOR_MM / SIDE
MISSING = [10, 20]


@dataclass(frozen=True)
class Scene:
    """A C-arm and the phantom before it: pixels (n, 2) are where its beads (n, 3) are seen."""

    sdd_mm: float
    middle: NDArray[np.float64]
    points: NDArray[np.float64]
    pixels: NDArray[np.float64]


def drawn_scenes(rng: np.random.Generator, count: int = 1) -> list[Scene]:
    """A C-arm whose distance is within 5 % of the rough one, and a phantom turned by some 17 degrees per axis anew."""
    sdd_mm = rng.uniform(950, 1050)
    middle = (SIDE - 1) / 2 + rng.normal(0, 0.01 * SIDE, 2)
    points = np.append(rng.uniform(-60, 60, (BEADS, 2)), np.where(np.arange(BEADS) % 2, 40, -40)[:, None], axis=1)
    scenes = []
    for _ in range(count):
        turn = rotation_from_vector(rng.normal(0, 0.3, 3))
        seen = points @ turn.T + np.append(rng.normal(0, 5, 2), DISTANCE_MM)
        pixels = TRUE_DISTORTION.bent(seen[:, :2] / seen[:, 2:]) * sdd_mm / PIXEL_MM + middle
        scenes.append(Scene(sdd_mm, middle, points, pixels))
    return scenes


def fit_to_marks(scene: Scene, noise_px: float, rng: np.random.Generator) -> CameraFit:
    """The camera of marks that are off by noise."""
    return fit_to(scene, noisy_marks(scene, noise_px, rng))


def noisy_marks(scene: Scene, noise_px: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Places (n, 2) of the beads that are off by noise."""
    return np.asarray(scene.pixels + rng.normal(0, noise_px, (BEADS, 2)))


def fit_to(scene: Scene, pixels: NDArray[np.float64]) -> CameraFit:
    """The camera of exact marks."""
    rough = rough_carm()
    pose = pose_from_landmarks(scene.points, [(rough, pixels)]).world_from_volume
    plain = fit_camera(scene.points, pixels, (rough.intrinsics, pose))
    return fit_camera(scene.points, pixels, (plain.intrinsics, plain.camera_from_phantom), frees_distortion=True)


def seen_in_image(scene: Scene, rng: np.random.Generator) -> SeenBeads:
    """What is found in an image of the scene, from rough marks on."""
    others = rng.uniform(0.1 * SIDE, 0.9 * SIDE, (2, 2))
    drawn = np.concatenate([np.delete(scene.pixels, MISSING, axis=0), others])
    image = bead_image(drawn, (SIDE, SIDE), RADIUS_MM * scene.sdd_mm / DISTANCE_MM / PIXEL_MM, rng)
    marks = scene.pixels + rng.uniform(-MARKS_OFF_PX, MARKS_OFF_PX, scene.pixels.shape)
    outermost = np.argsort(-np.linalg.norm(scene.points[:, :2], axis=1))
    outermost = outermost[~np.isin(outermost, MISSING)]
    layers = (outermost[outermost % 2 == layer][: MARKS // 2] for layer in (0, 1))
    marks[np.setdiff1d(np.arange(BEADS), np.concatenate([*layers]))] = np.nan
    beads = BeadList([f"b{n}" for n in range(BEADS)], scene.points, marks)
    return match_beads(beads, sorts_of_discs(image, None), rough_carm(), True)


def rough_carm() -> CArm:
    """What is told to begin with."""
    return CArm.from_sdd(1000.0, (PIXEL_MM, PIXEL_MM), (SIDE, SIDE))


def offs(fit: CameraFit, scene: Scene) -> list[float]:
    """Errors of SDD in mm, principal point in pixels, k1, and of image places over the field in pixels."""
    slopes = np.stack(np.meshgrid(*[np.linspace(-0.1, 0.1, 21)] * 2), axis=-1)
    bent_off = (fit.distortion.bent(slopes) - TRUE_DISTORTION.bent(slopes)) * scene.sdd_mm / PIXEL_MM
    off = np.linalg.norm(fit.intrinsics[:2, 2] - scene.middle)
    sdd_off = abs(fit.intrinsics[0, 0] * PIXEL_MM - scene.sdd_mm)
    k1_off = abs(fit.distortion.k1 - TRUE_DISTORTION.k1)
    return [sdd_off, float(off), k1_off, float(np.linalg.norm(bent_off, axis=-1).max())]


def row(name: str, values: list[list[float]]) -> str:
    """Median (worst) of each column."""
    return f"| {name} | {' | '.join(f'{np.median(o):.2g} ({o.max():.2g})' for o in np.array(values).T)} |"


def image_row() -> str:
    """The row with images; what was found is told beside the table."""
    rng = np.random.default_rng(2)
    values, times_deviation, found, wrong = [], [], [], 0
    for _ in range(IMAGE_RUNS):
        scene = drawn_scenes(rng)[0]
        try:
            seen = seen_in_image(scene, rng)
        except InputError as error:
            print(error)
            continue
        values.append(offs(seen.fit, scene))
        centres_off = np.linalg.norm(seen.centres_px - scene.pixels, axis=1)
        found.append(int(np.isfinite(centres_off).sum()))
        wrong += int((centres_off > 1.0).sum()) + int(np.isfinite(centres_off[MISSING]).sum())
        errors = [seen.fit.intrinsics[0, 0] - scene.sdd_mm / PIXEL_MM, *(seen.fit.intrinsics[:2, 2] - scene.middle)]
        print(found[-1], "found,", " ".join(f"{off:.3g}" for off in values[-1]))
        times_deviation.append(np.abs(np.array(errors) / seen.fit.deviations[:3]))
    print(
        f"{len(values)} of {IMAGE_RUNS} fitted, found {min(found)} to {max(found)} of {BEADS - len(MISSING)} beads,"
        f" {wrong} taken for another"
    )
    print("errors over their standard deviations, SDD and principal point: median, worst", end=" ")
    print(np.median(times_deviation, axis=0).round(1), np.max(times_deviation, axis=0).round(1))
    return row("found in the image", values)


def rows_of_three(name: str, with_images: bool) -> list[str]:
    """Rows of three images of one C-arm: each alone, and together."""
    rng = np.random.default_rng(4)
    alone, together, disagreements, times_deviation = [], [], [], []
    while len(together) < JOINT_RUNS:
        scenes = drawn_scenes(rng, IMAGES)
        try:
            if with_images:
                seen = [seen_in_image(scene, rng) for scene in scenes]
                fits, pixels = [one.fit for one in seen], [one.centres_px for one in seen]
            else:
                pixels = [noisy_marks(scene, 0.1, rng) for scene in scenes]
                fits = [fit_to(scene, marks) for scene, marks in zip(scenes, pixels, strict=True)]
        except InputError as error:  # beads that were drawn upon each other
            print(error)
            continue
        joint = joint_fit([(scene.points, marks) for scene, marks in zip(scenes, pixels, strict=True)], fits)
        alone += [offs(fit, scene) for fit, scene in zip(fits, scenes, strict=True)]
        together.append(offs(joint.fits[0], scenes[0]))
        disagreements.append(joint.disagreement)
        times_deviation.append(together[-1][0] / (joint.fits[0].deviations[0] * PIXEL_MM))
    print("disagreement", np.round(disagreements, 1), "SDD off over its deviation", np.round(times_deviation, 1))
    return [row(f"{name}, one image", alone), row(f"{name}, three images together", together)]


def main() -> None:
    """Prints two tables."""
    rows = []
    for noise_px in (0.05, 0.1):
        rng = np.random.default_rng(1)
        values = []
        for _ in range(RUNS):
            scene = drawn_scenes(rng)[0]
            values.append(offs(fit_to_marks(scene, noise_px, rng), scene))
        rows.append(row(f"marked, {noise_px} px off", values))
    rows.append(image_row())
    rows_together = [*rows_of_three("marked, 0.1 px off", False), *rows_of_three("found in the image", True)]
    for title, table in (("beads", rows), ("one C-arm", rows_together)):
        print(f"| {title} | SDD off, mm | principal point off, px | k1 off | bent places off, px |")
        print("|---|---|---|---|---|")
        print("\n".join(table))


if __name__ == "__main__":
    main()
