"""The GPU beside the CPU: first whether both give the same, and only then how fast each is.

python Testing/Measurements/gpu_parity_and_times.py --out FOLDER [--quick]

1. Parity: images, derivatives, scores and gradients of many poses and cameras, of a smooth volume and of noise. Where
   they differ by more than rounding, it ends here with exit code 1.
2. Poses a second in batches of 1, 64 and 1024: images, images with derivatives, scores. 256 x 256 pixels, 256^3 voxels.
3. Registrations of the phantom on each device: seconds, stages, and how far the poses lie apart.

Writes FOLDER/gpu.json and FOLDER/gpu.log; what there is no GPU for is skipped, and said. --quick is for a try.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from prostreg.geometry.carm import CArm
from prostreg.geometry.chart import PoseChart, moved_poses
from prostreg.geometry.frames import mean_distance_mm
from prostreg.geometry.standard_views import standard_view
from prostreg.images.volume import Volume
from prostreg.images.xray import XRay
from prostreg.machine import processor_name, versions
from prostreg.parallel import cores
from prostreg.projector.cuda_driver import driver_version
from prostreg.projector.selection import Projector, make_projector
from prostreg.registration.case_file import read_case
from prostreg.registration.config import RegistrationConfig
from prostreg.registration.device.gpu import MOST_DIFFERENCE, Gpu, found_gpu
from prostreg.registration.registering import register
from prostreg.samples.demo_case import write_phantom_case
from prostreg.search.objective import Objective
from prostreg.similarity.correlation import PatchGradNcc

BATCHES = (1, 64, 1024)
LEAST_SECONDS, MOST_REPEATS = 0.5, 200
"""A batch is repeated until then; the median of all counts."""

SPREAD = np.array([0.2, 0.2, 0.2, 8.0, 8.0, 25.0])
VIEWS = ("AP", "left lateral")


class Scene:
    """Blobs, or noise, that fill half of a volume, with a C-arm.

    Args:
        voxels: along each side of the volume, which has 256 mm.
        pixels: along each side of the image.
    """

    def __init__(self, voxels: int, pixels: int, is_noise: bool = False) -> None:
        spacing_mm, rng = 256.0 / voxels, np.random.default_rng(1)
        places = (np.indices((voxels,) * 3, dtype=np.float32) + 0.5) * spacing_mm
        values = np.zeros((voxels,) * 3, np.float32)
        for centre, width in zip(rng.uniform(80, 176, (8, 3)), rng.uniform(10, 25, 8), strict=True):
            squares = sum((axis - place) ** 2 for axis, place in zip(places, centre, strict=True))
            values += np.where(squares < (3 * width) ** 2, 0.01 * np.exp(-squares / (2 * width**2)), 0)
        if is_noise:
            values = np.where(values > 0.001, 0.02 * rng.random(values.shape, np.float32), 0).astype(np.float32)
        self.volume = Volume(values, np.diag([spacing_mm, 1.02 * spacing_mm, 0.97 * spacing_mm, 1.0]))
        self.centre_mm = self.volume.centre_mm
        views = [standard_view(name, self.centre_mm, 700.0) for name in VIEWS]
        self.carms = [CArm.from_sdd(1000.0, (360.0 / pixels,) * 2, (pixels, pixels), None, view) for view in views]

    def poses(self, count: int) -> np.ndarray:
        """camera_from_volume (n, 4, 4) around the first view."""
        parameters = np.random.default_rng(2).normal(0, 1, (count, 6)) * SPREAD
        return moved_poses(np.repeat(self.carms[0].camera_from_world[None], count, axis=0), self.centre_mm, parameters)

    def objective(self, projector: Projector) -> Objective:
        images = make_projector(self.volume).render(np.stack([c.camera_from_world for c in self.carms]), *self.carms)
        views = [(XRay(i, np.ones(i.shape, bool)), carm) for i, carm in zip(images, self.carms, strict=True)]
        return Objective(projector, views, self.centre_mm, 5, 2, PatchGradNcc)


class Log:
    """Rows for the JSON, each told at once and written to the log."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self.rows, self._lines = folder, [], []

    def note(self, part: str, what: str, **values: Any) -> None:
        self.rows.append({"part": part, "what": what, **values})
        told = "  ".join(
            f"{key} {value:.4g}" if type(value) is float else f"{key} {value}" for key, value in values.items()
        )
        self._lines.append(f"{part:9} {what}: {told}")
        print(self._lines[-1], flush=True)
        (self._folder / "gpu.log").write_text("\n".join(self._lines) + "\n", encoding="utf-8")
        (self._folder / "gpu.json").write_text(json.dumps(self.rows, indent=1), encoding="utf-8")


def parity(log: Log, voxels: int, pixels: int) -> bool:
    """True if the GPU gives what the CPU gives."""
    good = True
    for is_noise in (False, True):
        scene = Scene(voxels, pixels, is_noise)
        projectors = [make_projector(scene.volume, device=device) for device in ("cuda", "cpu")]
        poses = scene.poses(2)
        images = [projector.project_with_derivative(poses, *scene.carms).cpu().numpy() for projector in projectors]
        alone = projectors[0].project(poses, *scene.carms).cpu().numpy()
        compared = {"image": (alone, images[1][:, 0])}
        compared |= {f"derivative {n}": (images[0][:, n], images[1][:, n]) for n in range(1, 7)}
        if not is_noise:  # a pose of noise has no neighbours to compare
            chart = PoseChart(np.eye(4), scene.carms[0].camera_from_world, scene.centre_mm)
            parameters = 0.3 * np.random.default_rng(3).normal(0, 1, (40, 6)) * SPREAD
            objectives = [scene.objective(projector) for projector in projectors]
            found = [objective.scores_and_gradients(chart, parameters) for objective in objectives]
            scores = [objective.scores(chart.world_from_volume_at(parameters)) for objective in objectives]
            compared |= {"scores": tuple(scores), "scores with gradients": (found[0][0], found[1][0])}
            compared |= {f"gradient {n + 1}": (found[0][1][:, n], found[1][1][:, n]) for n in range(6)}
        for what, (there, here) in compared.items():
            difference = float(np.abs(there - here).max() / np.abs(here).max())
            log.note("parity", f"{what} of {'noise' if is_noise else 'blobs'}", difference=difference)
            # Derivatives of noise jump where a crossing falls on the other side of a voxel's border.
            good &= difference <= MOST_DIFFERENCE * (30 if is_noise and what != "image" else 1)
    return good


def times(log: Log, device: str, voxels: int, pixels: int, batches: tuple[int, ...]) -> None:
    scene = Scene(voxels, pixels)
    began = time.perf_counter()
    projector = make_projector(scene.volume, device=device)
    projector.render(scene.poses(1), scene.carms[0])
    log.note("times", f"{device}: volume there and first image", seconds=time.perf_counter() - began)
    objective, carm = scene.objective(projector), scene.carms[0]
    for count in batches:
        poses = scene.poses(count)
        world_from_volume = np.linalg.inv(carm.camera_from_world) @ poses
        works: dict[str, Callable[[], Any]] = {
            "image": lambda poses=poses: projector.project(poses, carm),
            "image and derivative": lambda poses=poses: projector.project_with_derivative(poses, carm),
            "score in two views": lambda poses=world_from_volume: objective.scores(poses),
        }
        for what, work in works.items():
            seconds = _median_seconds(work, projector.device)
            log.note("times", f"{device}: {what}, batch of {count}", seconds=seconds, poses_per_second=count / seconds)


def searches(log: Log, devices: list[str], seeds: int, settings: dict[str, Any]) -> None:
    """Registrations of the phantom, on each device in turn."""
    with tempfile.TemporaryDirectory() as folder:
        case = read_case(write_phantom_case(Path(folder) / "phantom", 3))
    for seed in range(seeds):
        poses = {}
        for device in devices:
            result = register(case, RegistrationConfig(seed=seed, device=device, **settings))
            poses[device] = result.world_from_volume
            log.note(
                "search", f"{device}, seed {seed}", ran_on=result.device, status=result.status, seconds=result.seconds,
                mtre_mm=result.mtre_mm, stages={stage.name: round(stage.seconds, 3) for stage in result.stages},
                warnings=list(result.warnings),
            )  # fmt: skip
        if len(poses) == 2:
            apart = mean_distance_mm(poses["cpu"], poses["cuda"], case.landmarks_mm)
            log.note("search", f"poses of both devices, seed {seed}", apart_mm=float(apart))


def hardware(log: Log, gpu: Gpu) -> None:
    log.note("hardware", "cpu", name=processor_name(), cores=cores(), versions=versions())
    if gpu.fault is not None:
        log.note("hardware", "gpu skipped", **asdict(gpu))
        return
    log.note("hardware", "gpu", **asdict(gpu), driver=driver_version(), cuda=torch.version.cuda)


def _median_seconds(work: Callable[[], Any], device: torch.device) -> float:
    def run() -> float:
        began = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - began

    run()
    taken: list[float] = []
    while sum(taken) < LEAST_SECONDS and len(taken) < MOST_REPEATS:
        taken.append(run())
    return float(np.median(taken))


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--quick", action="store_true", help="small sizes: figures of it say nothing")
    chosen = parser.parse_args(words)
    voxels, pixels = (48, 48) if chosen.quick else (256, 256)
    batches = (1, 4) if chosen.quick else BATCHES
    settings = {"method": "cmaes", "population": 16, "generations": 4, "search_pixels": 24, "judge_pixels": 32,
                "polish_pixels": 40} if chosen.quick else {}  # fmt: skip
    log, gpu = Log(chosen.out), found_gpu()
    hardware(log, gpu)
    devices = ["cpu"] if gpu.fault else ["cpu", "cuda"]
    if "cuda" in devices and not parity(log, voxels, pixels):
        log.note("parity", "the GPU does not give what the CPU gives: nothing is timed")
        return 1
    for device in devices:
        times(log, device, voxels, pixels, batches)
    searches(log, devices, 1 if chosen.quick else 3, settings)
    return 0


if __name__ == "__main__":
    sys.exit(main())
