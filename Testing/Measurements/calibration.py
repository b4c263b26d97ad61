"""What `prostreg calibrate` recovers of a C-arm from 30 beads in two layers, against the truth: 40 seeded runs."""

from __future__ import annotations

import numpy as np

from prostreg.geometry.camera_fit import fit_camera
from prostreg.geometry.carm import CArm
from prostreg.geometry.distortion import Distortion
from prostreg.geometry.pnp import pose_from_landmarks
from prostreg.geometry.rotations import rotation_from_vector

RUNS, BEADS = 40, 30
DETECTOR_MM, K1, K2 = 230.0, 0.8, 3.0


def one_run(side: int, noise_px: float, rng: np.random.Generator) -> list[float]:
    """Errors of SDD in mm, principal point in pixels, k1, and of image places over the field in pixels."""
    pixel_mm, sdd_mm = DETECTOR_MM / side, rng.uniform(950, 1050)
    middle = (side - 1) / 2 + rng.normal(0, 0.01 * side, 2)
    points = np.append(rng.uniform(-60, 60, (BEADS, 2)), np.where(np.arange(BEADS) % 2, 40, -40)[:, None], axis=1)
    turn = rotation_from_vector(rng.normal(0, 0.3, 3))
    seen = points @ turn.T + np.append(rng.normal(0, 5, 2), 700.0)
    truth = Distortion(k1=K1, k2=K2)
    focal_px = sdd_mm / pixel_mm
    pixels = truth.bent(seen[:, :2] / seen[:, 2:]) * focal_px + middle + rng.normal(0, noise_px, (BEADS, 2))
    rough = CArm.from_sdd(1000.0, (pixel_mm, pixel_mm), (side, side))
    pose = pose_from_landmarks(points, [(rough, pixels)]).world_from_volume
    plain = fit_camera(points, pixels, (rough.intrinsics, pose))
    fit = fit_camera(points, pixels, (plain.intrinsics, plain.camera_from_phantom), frees_distortion=True)
    slopes = np.stack(np.meshgrid(*[np.linspace(-0.1, 0.1, 21)] * 2), axis=-1)
    bent_off = (fit.distortion.bent(slopes) - truth.bent(slopes)) * focal_px
    off = np.linalg.norm(fit.intrinsics[:2, 2] - middle)
    sdd_off = abs(fit.intrinsics[0, 0] * pixel_mm - sdd_mm)
    return [sdd_off, float(off), abs(fit.distortion.k1 - K1), float(np.linalg.norm(bent_off, axis=-1).max())]


def main() -> None:
    """Prints a table."""
    print("| image | noise of the marks | SDD off, mm | principal point off, px | k1 off | bent places off, px |")
    print("|---|---|---|---|---|---|")
    for side in (512,):
        for noise_px in (0.05, 0.1):
            rng = np.random.default_rng(1)
            offs = np.array([one_run(side, noise_px, rng) for _ in range(RUNS)])
            cells = [f"{np.median(o):.2g} ({o.max():.2g})" for o in offs.T]
            print(f"| {side} | {noise_px} px | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
