"""Does the mirrored X-ray fit better? The guard against an image that was flipped left to right.

Bodies are nearly symmetric: a flipped image of a pelvis can be explained rather well by a wrong pose.
That pose, reflected with the patient's left and right exchanged, is near the true pose of the
unflipped image, so a short search there and a comparison block by block tell the two apart, or that
they cannot be told apart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from prostreg.geometry.carm import CArm
from prostreg.geometry.chart import PoseChart
from prostreg.geometry.frames import Matrix, invert_rigid
from prostreg.images.xray import XRay
from prostreg.registration.case import Case, View
from prostreg.registration.config import RegistrationConfig
from prostreg.registration.evidence import MirrorFit
from prostreg.registration.levels import Levels
from prostreg.registration.start import anatomy_centre_mm, anatomy_points_mm
from prostreg.search.candidate import Candidate
from prostreg.search.cmaes import cmaes_search
from prostreg.search.objective import Objective
from prostreg.search.polish import polish
from prostreg.similarity.likelihood import PatchLikelihood

SPREAD = np.array([np.deg2rad(6.0)] * 3 + [8.0, 8.0, 25.0])
POPULATION, GENERATIONS = 40, 20
POLISH_STEPS = 20

LEAST_DEVIATION = 0.01
"""Of a difference of log-likelihoods, as a share of them: of a symmetric body both poses explain all blocks alike, and
small differences are those of the two searches."""


def mirror_fit(
    case: Case, world_from_volume: Matrix, config: RegistrationConfig, on_step: Callable[[Candidate], None]
) -> MirrorFit:
    """A pose in the mirrored image, near the reflection of one found in the image as it is, beside that one.

    Both poses' DRRs explain the same pixels, each patch-wide block by a log-likelihood. How uneven the difference is
    from block to block says how much of it is chance (Vuong's test of two models, Econometrica 57, 1989).

    Args:
        case: with one view.
        world_from_volume: the pose found, rigid (4, 4).
        config: for the resolutions.
        on_step: called between evaluations; may raise to end the check.
    """
    points_mm = anatomy_points_mm(case)
    centre_mm = anatomy_centre_mm(points_mm)
    view = mirrored_view(case.views[0])
    start = reflected_pose(world_from_volume, view.carm, centre_mm)
    chart = PoseChart(start, view.carm.camera_from_world, centre_mm)
    levels = Levels(replace(case, views=(view,), others=()), start, points_mm, centre_mm, float(SPREAD[3]), config)
    (found,) = cmaes_search(
        levels.coarse, [chart], np.zeros((1, 6)), SPREAD, POPULATION, GENERATIONS, np.random.default_rng(config.seed),
        lambda _, best: on_step(best),
    )  # fmt: skip
    refined = polish(levels.middle, chart, found.parameters, POLISH_STEPS, on_step)
    pose = chart.world_from_volume_at(refined.parameters)[0]
    return MirrorFit(levels.middle.footprint_score(pose).score, _margin(levels.middle, pose, world_from_volume))


def _margin(mirrored: Objective, there: Matrix, here: Matrix) -> float:
    """The advantage of a pose in the mirrored image over one in the image as it is, in its own deviations."""
    objective = mirrored.with_similarity(PatchLikelihood)
    (image_there,) = objective.images(there[None])
    (image_here,) = objective.with_carms(CArm.mirrored).images(here[None])
    shares = objective.block_shares([torch.cat([image_there, image_here.flip(-1)])], [image_there])
    differences = shares[0] - shares[1]
    deviation = np.hypot(np.linalg.norm(differences), LEAST_DEVIATION * shares.mean(axis=0).sum())
    return float(differences.sum() / max(deviation, 1e-12))


def mirrored_view(view: View) -> View:
    """The view with its image's columns in reverse order, and the intrinsics that go with it."""
    image = np.ascontiguousarray(view.xray.line_integrals[:, ::-1])
    mask = np.ascontiguousarray(view.xray.mask[:, ::-1])
    return View(XRay(image, mask), view.carm.mirrored())


def reflected_pose(world_from_volume: Matrix, carm: CArm, centre_mm: NDArray[np.float64]) -> Matrix:
    """The pose that shows a left-right symmetric body in the mirrored image as the given one in the image."""
    mirror_camera = np.diag([-1.0, 1.0, 1.0, 1.0])
    mirror_patient = np.diag([-1.0, 1.0, 1.0, 1.0])
    mirror_patient[0, 3] = 2 * centre_mm[0]
    camera_from_volume = mirror_camera @ carm.camera_from_world @ world_from_volume @ mirror_patient
    return np.asarray(invert_rigid(carm.camera_from_world) @ camera_from_volume)
