"""The validation of a network on X-rays it never learned from: is its gradient right, and does a descent arrive?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from prostreg.geometry.chart import moved_poses, parameters_between
from prostreg.prost.feature_projection import FeatureProjection
from prostreg.prost.learned_similarity import LearnedSimilarity, LearnedView
from prostreg.prost.network import ProSTNetwork
from prostreg.search.learned_descent import learned_descent
from prostreg.training.config import ImagingSetup
from prostreg.training.xray_bank import XrayBank

MOST_OFFSET = 2.5
"""In spreads; further starts would leave the image."""

NEAR = 0.5
"""A descent has arrived when the root mean square of its whitened parameters is below this: CMA-ES does the rest."""


@dataclass(frozen=True)
class Validation:
    """The behaviour of a network from starts drawn as in training.

    Attributes:
        cases: number of X-rays.
        cosine: mean cosine between the gradient and the way from the truth, in whitened parameters.
        right_direction: share of the six parameters, over all cases, that a descent step moves the right way.
        before: median root mean square of the whitened parameters at the start.
        after: the same after the descent.
        arrived: share of the cases that ended near the truth.
        residual: standard deviation (6,) of what is left in each parameter, in spreads, without the worst tenth.
    """

    cases: int
    cosine: float
    right_direction: float
    before: float
    after: float
    arrived: float
    residual: tuple[float, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, rounded for people."""
        return {
            name: [round(v, 3) for v in value] if isinstance(value, tuple) else round(value, 3)
            for name, value in asdict(self).items()
        }


def validate(
    network: ProSTNetwork,
    projections: Sequence[FeatureProjection],
    banks: Sequence[XrayBank],
    centres_mm: Sequence[NDArray[np.float64]],
    scene: ImagingSetup,
    seed: int,
    on_step: Callable[[], None] = lambda: None,
) -> Validation:
    """Descends from one start for each X-ray of the banks; equal seeds give equal starts.

    Args:
        on_step: called at every step of every descent; may raise to end the validation.
    """
    network.eval()
    before: list[NDArray[np.float64]] = []
    after: list[NDArray[np.float64]] = []
    gradients: list[NDArray[np.float64]] = []
    for number, (bank, projection, centre_mm) in enumerate(zip(banks, projections, centres_mm, strict=True)):
        rng = np.random.default_rng([seed, number])
        for index, truth in enumerate(bank.camera_from_volume):
            offset = np.clip(scene.starts.parameters(rng) / scene.spread, -MOST_OFFSET, MOST_OFFSET)
            start = moved_poses(truth[None], centre_mm, (offset * scene.spread)[None])
            objective = _objective(network, projection, bank, index, centre_mm, scene)
            gradients.append(objective.values_and_gradients(start)[1][0])
            ended = learned_descent(objective, start, lambda *_: on_step()).world_from_volume
            for poses, left in ((start, before), (ended, after)):
                left.append(parameters_between(poses, truth[None], centre_mm)[0] / scene.spread)
    network.train()
    return _summary(np.array(before), np.array(after), np.array(gradients))


def _objective(
    network: ProSTNetwork,
    projection: FeatureProjection,
    bank: XrayBank,
    index: int,
    centre_mm: NDArray[np.float64],
    scene: ImagingSetup,
) -> LearnedSimilarity:
    device = next(network.parameters()).device
    with torch.no_grad():
        fixed = network.fixed_features(torch.from_numpy(bank.images[index][None, None]).to(device))
    return LearnedSimilarity(network, projection, [LearnedView(fixed, bank.carm(index))], centre_mm, scene.spread)


def _summary(before: NDArray[np.float64], after: NDArray[np.float64], gradients: NDArray[np.float64]) -> Validation:
    lengths = np.linalg.norm(before, axis=1) * np.linalg.norm(gradients, axis=1)
    left = np.sqrt((after**2).mean(axis=1))
    kept = left <= np.quantile(left, 0.9)
    return Validation(
        cases=len(before),
        cosine=float((-(before * gradients).sum(axis=1) / np.maximum(lengths, 1e-12)).mean()),
        right_direction=float((before * gradients < 0).mean()),
        before=float(np.median(np.sqrt((before**2).mean(axis=1)))),
        after=float(np.median(left)),
        arrived=float((left < NEAR).mean()),
        residual=tuple(float(v) for v in np.sqrt((after[kept] ** 2).mean(axis=0))),
    )
