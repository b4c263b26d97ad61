"""The learned part of a registration: descents on L_N from the start and from around it."""

from __future__ import annotations

from collections.abc import Callable
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray

from prostreg.geometry.frames import Matrix
from prostreg.geometry.standard_views import nearest_standard_view
from prostreg.images.volume import Volume
from prostreg.prost.canonical_view import canonical_view
from prostreg.prost.feature_projection import FeatureProjection, feature_projection
from prostreg.prost.learned_similarity import LearnedSimilarity, LearnedView
from prostreg.prost.model import LearnedModel, Usage
from prostreg.prost.network_volume import network_volume
from prostreg.registration.case import Case
from prostreg.search.learned_descent import Descent, learned_descent

SCATTER = 0.5
"""How far the further starts lie from the given one, in spreads."""

NARROWED = 0.6
"""Mean share of the start's uncertainty that descents may leave at most, to be believed."""

FAR_SHARE = 0.25
WIDENING = 1.5
"""Initial width of CMA-ES at a descent's end, in errors that descents left on X-rays outside of the training. It is
kept between a quarter of the start's spread and all of it."""


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


def is_believed(model: LearnedModel | Usage, spread: NDArray[np.float64]) -> bool:
    """True if descents narrow starts of this spread, by what they left on X-rays that the weights never saw.

    Args:
        model: how its descents did.
        spread: (6,) uncertainty of the start, rad and mm.
    """
    return float(np.mean(model.residual * model.spread / spread)) <= NARROWED


class LearnedSearch:
    """L_N of one case; the network's features of volume and X-rays are computed once.

    Only views that look like those of the training take part: those nearest to its standard view. Where there is none,
    all do, and the network is not believed.

    Args:
        case: what is registered.
        model: network and how to use it.
        start: world_from_volume at the start.
        centre_mm: the anatomy's centre in the volume frame (3,).
        spread: (6,) uncertainty of the start, rad and mm.
    """

    def __init__(
        self,
        case: Case,
        model: LearnedModel,
        start: Matrix,
        centre_mm: NDArray[np.float64],
        spread: NDArray[np.float64],
    ) -> None:
        poses = [view.carm.camera_from_world @ start for view in case.views]
        alike = [v for v, pose in zip(case.views, poses, strict=True) if nearest_standard_view(pose) == model.view]
        network, views = model.network, []
        projection = projection_of(case, model)
        with torch.no_grad():
            for view in alike or case.views:
                image, carm = canonical_view(view.xray, view.carm, network.image_size)
                views.append(LearnedView(network.fixed_features(torch.from_numpy(image)[None, None]), carm))
        self._similarity = LearnedSimilarity(network, projection, views, centre_mm, model.spread)
        self._left = np.clip(WIDENING * model.residual * model.spread / spread, FAR_SHARE, 1.0)
        self.is_believed = bool(alike) and is_believed(model, spread)

    @property
    def evaluations(self) -> int:
        """Poses compared so far, in all views."""
        return self._similarity.evaluations

    def share_left(self) -> NDArray[np.float64]:
        """The share (6,) of the start's uncertainty that is left after a descent, for each parameter."""
        return self._left if self.is_believed else np.ones(6)

    def descents(
        self,
        world_from_volume: NDArray[np.float64],
        on_step: Callable[[int, NDArray[np.float64], NDArray[np.float64]], None],
    ) -> Descent:
        """Descends from poses (n, 4, 4); the ends come back with the smallest L_N first."""
        descent = learned_descent(self._similarity, world_from_volume, on_step)
        order = np.argsort(descent.values)  # NaN comes last
        return Descent(descent.world_from_volume[order], descent.values[order], descent.steps)
