"""The convexity of a similarity around the truth: its course along each of the six pose parameters.

The figure that both papers show (C. Gao et al., MICCAI 2020 and IEEE TMI 43(1):275-285, 2024): L_N beside the
similarity that CMA-ES climbs, each along one parameter while the others are true.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from prostreg.geometry.chart import PARAMETERS, PoseChart
from prostreg.projector.selection import Projector, make_projector
from prostreg.prost.learned_similarity import LearnedSimilarity, LearnedView
from prostreg.prost.network import ProSTNetwork
from prostreg.registration.config import RegistrationConfig
from prostreg.similarity.correlation import PatchGradNcc
from prostreg.training.trainer import TrainingPatient
from prostreg.training.xray_bank import XrayBank

LEARNED, INTENSITY = "L_N", "Patch-GradNCC"
SIMILARITIES = (LEARNED, INTENSITY)
REACH = 2.5
"""Spreads to either side."""

POINTS = 21
XRAYS_PER_PATIENT = 8
PATCH_STRIDE_PX = 2
"""As in the registration's search."""


@dataclass(frozen=True, eq=False)
class Convexity:
    """Courses of similarities around the truth.

    Attributes:
        spread: (6,) of the starts, rad and mm.
        offsets: (m,) from the truth, in spreads.
        curves: for each similarity (xrays, 6, m), smaller is better, each scaled to 0 to 1.
    """

    spread: NDArray[np.float64]
    offsets: NDArray[np.float64]
    curves: dict[str, NDArray[np.float64]]

    def right_share(self, similarity: str) -> NDArray[np.float64]:
        """Share (6,) of the range, over all X-rays, on which a step downhill brings it nearer to the truth."""
        middles = (self.offsets[1:] + self.offsets[:-1]) / 2
        return np.asarray((np.diff(self.curves[similarity], axis=2) * middles > 0).mean(axis=(0, 2)))

    def to_dict(self) -> dict[str, Any]:
        """Plain values: for each parameter and similarity the share, and median and quartiles of the curves."""
        return {
            "xrays": len(self.curves[LEARNED]),
            "offsets_spreads": _rounded(self.offsets),
            "spread_rad_mm": [float(value) for value in self.spread],
            "parameters": {
                name: {similarity: self._described(similarity, index) for similarity in self.curves}
                for index, name in enumerate(PARAMETERS)
            },
        }

    def _described(self, similarity: str, parameter: int) -> dict[str, Any]:
        curves = self.curves[similarity][:, parameter]
        low, high = np.quantile(curves, [0.25, 0.75], axis=0)
        return {
            "right_share": round(float(self.right_share(similarity)[parameter]), 3),
            "mean": _rounded(curves.mean(axis=0)),
            "lower_quartile": _rounded(low),
            "upper_quartile": _rounded(high),
        }


def convexity(
    network: ProSTNetwork,
    spread: NDArray[np.float64],
    patients: Sequence[TrainingPatient],
    banks: Sequence[XrayBank],
    xrays_per_patient: int = XRAYS_PER_PATIENT,
) -> Convexity:
    """The courses of L_N and of the intensity similarity for X-rays of some patients, at the network's resolution.

    Args:
        network: left in evaluation mode.
        spread: (6,) what whitens its parameters, rad and mm.
        patients: not trained on.
        banks: their X-rays with the true poses.
        xrays_per_patient: the first ones of each bank.
    """
    network.eval()
    offsets = np.linspace(-REACH, REACH, POINTS)
    curves: dict[str, list[NDArray[np.float64]]] = {similarity: [] for similarity in SIMILARITIES}
    for patient, bank in zip(patients, banks, strict=True):
        projector = make_projector(patient.channels[0])
        with torch.no_grad():
            projection = patient.projection(network)
        for number in range(min(xrays_per_patient, len(bank.images))):
            chart = PoseChart(bank.camera_from_volume[number], np.eye(4), patient.centre_mm)
            poses = [chart.world_from_volume_at(np.outer(offsets, row)) for row in np.diag(spread)]
            objective = LearnedSimilarity(
                network, projection, [_learned_view(network, bank, number)], patient.centre_mm, spread
            )
            learned = np.array([objective.values_and_gradients(along)[0] for along in poses])
            curves[LEARNED].append(_scaled(learned))
            curves[INTENSITY].append(_scaled(-_scores(projector, bank, number, poses)))
    return Convexity(spread, offsets, {name: np.array(values) for name, values in curves.items()})


def _learned_view(network: ProSTNetwork, bank: XrayBank, number: int) -> LearnedView:
    image = torch.from_numpy(bank.images[number][None, None]).to(next(network.parameters()).device)
    with torch.no_grad():
        return LearnedView(network.fixed_features(image), bank.carm(number))


def _scores(
    projector: Projector, bank: XrayBank, number: int, poses: Sequence[NDArray[np.float64]]
) -> NDArray[np.float64]:
    """Patch-GradNCC (6, m) of the anatomy alone; larger is better."""
    image = torch.from_numpy(bank.images[number])
    radius = RegistrationConfig().patch_radius_px
    scorer = PatchGradNcc(image, image != 0, radius, PATCH_STRIDE_PX).scorer()
    return np.array([scorer(projector.project(along, bank.carm(number))) for along in poses])


def _scaled(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each row from 0 to 1; a flat one is 0."""
    low, high = values.min(axis=1, keepdims=True), values.max(axis=1, keepdims=True)
    return np.asarray((values - low) / np.where(high > low, high - low, 1.0))


def _rounded(values: NDArray[np.float64]) -> list[float]:
    return [round(float(value), 4) for value in values]
