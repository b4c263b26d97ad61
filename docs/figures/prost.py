"""Draws how a ProST network finds a pose, and how far around the truth its similarity leads to it.

python docs/figures/prost.py --cases DATA      (DATA holds the CT that the protocol prost-pelvis names; first adapt the
network to it: the weights adapted to this CT are drawn beside the shipped ones)
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray

from prostreg.evaluation.protocol import read_protocol
from prostreg.evaluation.sources.case_source import make_case_source
from prostreg.geometry.chart import moved_poses
from prostreg.outputs.figure_style import DPI, INK, polish_axes
from prostreg.prost.canonical_view import canonical_view
from prostreg.prost.feature_projection import feature_projection
from prostreg.prost.learned_similarity import LearnedSimilarity, LearnedView
from prostreg.prost.model import LearnedModel, load_model
from prostreg.prost.network_volume import network_volume
from prostreg.prost.shipped import shipped_weights
from prostreg.prost.weight_cache import find_adapted
from prostreg.registration.case import Case
from prostreg.registration.pipeline import mtre_mm
from prostreg.registration.start import anatomy_centre_mm, anatomy_points_mm
from prostreg.search.learned_descent import learned_descent
from prostreg.simulation.fluoroscopy import FluoroscopySimulator
from prostreg.training.convexity import convexity
from prostreg.training.figures import draw_convexity
from prostreg.training.patient_scene import adaptation_config
from prostreg.training.trainer import TrainingPatient
from prostreg.training.xray_bank import simulated_bank

FOLDER = Path(__file__).resolve().parent
CASE_NUMBER, CONVEXITY_XRAYS, SEED = 1, 16, 2024
OFFSETS = np.array([[0.0] * 6, [1, -0.7, 0.8, 1, 0.5, 0.7], [-0.8, 1, -0.6, -0.7, 1, -0.8], [0.5, 1, 1, 0, -1, 1]])
"""Starts that are descended from: the case's own, and others around it, in spreads."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=Path, required=True, metavar="DATA")
    case = make_case_source(read_protocol("prost-pelvis"), parser.parse_args().cases).case(CASE_NUMBER)
    shipped, adapted = shipped_weights(), find_adapted(case.ct, case.anatomy)
    if shipped is None or adapted is None:
        raise SystemExit("Shipped weights and weights adapted to this CT are needed: see prostreg adapt --help")
    models = {"shipped": load_model(shipped), "adapted": load_model(adapted)}
    draw_descent(case, models["adapted"]).savefig(FOLDER / "prost-descent.png", dpi=DPI)
    for name, model in models.items():
        draw_around(case, model, f"A held-out pelvis, {name} weights").savefig(
            FOLDER / f"prost-convexity-{name}.png", dpi=DPI
        )


def draw_descent(case: Case, model: LearnedModel) -> Figure:
    """The network's comparison at the start and at the end, and the way between."""
    network, centre_mm = model.network, anatomy_centre_mm(anatomy_points_mm(case))
    projection = feature_projection(network, network_volume(case.ct, case.anatomy, network.volume_channels))
    image, carm = canonical_view(case.views[0].xray, case.views[0].carm, network.image_size)
    with torch.no_grad():
        view = LearnedView(network.fixed_features(torch.from_numpy(image)[None, None]), carm)
    similarity = LearnedSimilarity(network, projection, [view], centre_mm, model.spread)
    starts = np.repeat(case.initial_world_from_volume[None], len(OFFSETS), axis=0)
    starts = moved_poses(starts, centre_mm, OFFSETS * model.spread)
    way: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []
    descent = learned_descent(similarity, starts, lambda step, poses, values: way.append((poses.copy(), values)))
    errors_mm = np.array([[mtre_mm(case, pose) for pose in (*poses,)] for poses, _ in way])
    figure = Figure(figsize=(11.0, 5.6), layout="constrained")
    (top, bottom) = figure.subplots(2, 4)
    for axes, picture, title in _pictures(projection, image, carm, starts[0], descent.world_from_volume[0]):
        cell = top[axes] if axes < 4 else bottom[axes - 4]
        cell.imshow(picture, cmap="gray")
        cell.set_title(title, fontsize=10, color=INK)
        cell.axis("off")
    for cell, values, label in ((bottom[2], errors_mm, "mTRE, mm"), (bottom[3], np.array([v for _, v in way]), "L_N")):
        cell.plot(values[:, 1:], color="#0072B2", linewidth=1, alpha=0.5)
        cell.plot(values[:, 0], color="#D55E00", linewidth=2)
        cell.set_xlabel("descent step", fontsize=9)
        polish_axes(cell, label)
    return figure


def _pictures(projection, image, carm, start, end):  # type: ignore[no-untyped-def]
    """Place, picture and title of what is shown."""
    with torch.no_grad():
        poses = carm.camera_from_world @ np.stack([start, end])
        drrs = projection.moving(poses, torch.zeros(2, 6), carm).numpy()
    yield 0, image, "X-ray, as the network sees it"
    yield 1, drrs[0, 0], "start: the anatomy"
    yield 2, drrs[0, 1], "start: all bone of the CT"
    yield 3, _blended(image, drrs[0, 0]), "start: anatomy over X-ray"
    yield 4, _blended(image, drrs[1, 0]), "end of the descent"
    yield 5, drrs[1, 1], "end: all bone of the CT"


def _blended(image: NDArray[np.float32], drr: NDArray[np.float32]) -> NDArray[np.float32]:
    """The X-ray in grey with the DRR in orange."""
    grey = np.clip(image, 0, 1)
    share = np.clip(drr / max(float(np.quantile(drr[drr > 0], 0.98)), 1e-6), 0, 1)[..., None] if drr.any() else 0.0
    orange = np.array([0.84, 0.37, 0.0], dtype=np.float32)
    return np.clip(np.repeat(grey[..., None], 3, axis=2) * (1 - 0.6 * share) + 0.6 * share * orange, 0, 1)


def draw_around(case: Case, model: LearnedModel, title: str) -> Figure:
    """The six-axis figure on X-rays of this CT that no adaptation has seen."""
    scene = adaptation_config(case, model, SEED).scene
    simulator = FluoroscopySimulator(case.ct, scene.simulator)
    bank = simulated_bank(simulator, case, scene, model.network.image_size, CONVEXITY_XRAYS, (SEED,))
    prepared = TrainingPatient(case, model.network)
    around = convexity(model.network, model.spread, [prepared], [bank], CONVEXITY_XRAYS)
    return draw_convexity(around, title)


if __name__ == "__main__":
    main()
