"""The learned part of a registration: descents on L_N from the start and from around it."""

from __future__ import annotations

from collections.abc import Callable
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray

from prostreg.images.volume import Volume
from prostreg.prost.canonical_view import canonical_view
from prostreg.prost.feature_projection import FeatureProjection, feature_projection
from prostreg.prost.learned_similarity import LearnedSimilarity, LearnedView
from prostreg.prost.model import LearnedModel
from prostreg.prost.network_volume import network_volume
from prostreg.registration.case import Case
from prostreg.search.learned_descent import Descent, learned_descent

SCATTER = 0.5
"""How far the further starts lie from the given one, in spreads."""

FAR_SHARE = 0.25
WIDENING = 1.5
"""CMA-ES begins at a descent's end with so many times what descents left on X-rays never trained on, but at least
with a quarter of the spread and at most with all of it."""


_projections: WeakKeyDictionary[Volume, tuple[NDArray[np.bool_], str, FeatureProjection]] = WeakKeyDictionary()


def projection_of(case: Case, model: LearnedModel) -> FeatureProjection:
    """The projection of a patient's features, computed once for a CT in memory, its anatomy and the weights."""
    kept = _projections.get(case.ct)
    if kept is not None and kept[0] is case.anatomy and kept[1] == model.card.sha256:
        return kept[2]
    network = model.network
    with torch.no_grad():
        projection = feature_projection(network, network_volume(case.ct, case.anatomy, network.volume_channels))
    _projections[case.ct] = (case.anatomy, model.card.sha256, projection)
    return projection


class LearnedSearch:
    """L_N of one case; the network's features of volume and X-rays are computed once.

    Args:
        case: what is registered.
        model: network and how to use it.
        centre_mm: the anatomy's centre in the volume frame (3,).
    """

    def __init__(self, case: Case, model: LearnedModel, centre_mm: NDArray[np.float64]) -> None:
        network = model.network
        projection = projection_of(case, model)
        with torch.no_grad():
            views = []
            for view in case.views:
                image, carm = canonical_view(view.xray, view.carm, network.image_size)
                views.append(LearnedView(network.fixed_features(torch.from_numpy(image)[None, None]), carm))
        self._similarity = LearnedSimilarity(network, projection, views, centre_mm, model.spread)
        self._model = model

    @property
    def evaluations(self) -> int:
        """Poses compared so far, in all views."""
        return self._similarity.evaluations

    def share_left(self) -> NDArray[np.float64]:
        """What is left of the start's uncertainty after a descent, as a share of it for each parameter (6,)."""
        return np.clip(WIDENING * self._model.residual, FAR_SHARE, 1.0)

    def descents(
        self,
        world_from_volume: NDArray[np.float64],
        on_step: Callable[[int, NDArray[np.float64], NDArray[np.float64]], None],
    ) -> Descent:
        """Descends from poses (n, 4, 4); the ends come back with the smallest L_N first."""
        descent = learned_descent(self._similarity, world_from_volume, on_step)
        order = np.argsort(descent.values)
        return Descent(descent.world_from_volume[order], descent.values[order], descent.steps)
