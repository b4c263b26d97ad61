"""L_N of a case: a network, a patient's features and the features of the views, put together for a descent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from prostreg.geometry.carm import CArm
from prostreg.geometry.chart import twists_from_parameters
from prostreg.geometry.frames import Matrix, invert_rigid
from prostreg.prost.feature_projection import FeatureProjection
from prostreg.prost.network import ProSTNetwork, gradient_of


@dataclass(frozen=True, eq=False)
class LearnedView:
    """A view as the network compares it.

    Attributes:
        fixed: features of the X-ray, each with 1 in front.
        carm: of the network's image.
    """

    fixed: tuple[Tensor, ...]
    carm: CArm


class LearnedSimilarity:
    """Mean of L_N over the views.

    Args:
        network: in the state for inference.
        projection: of the patient's features.
        views: one or more.
        centre_mm: the anatomy's centre in the volume frame (3,).
        spread: what whitens the parameters (6,), as in training; rad and mm.
    """

    def __init__(
        self,
        network: ProSTNetwork,
        projection: FeatureProjection,
        views: Sequence[LearnedView],
        centre_mm: NDArray[np.float64],
        spread: NDArray[np.float64],
    ) -> None:
        self.evaluations = 0
        self.camera_from_world: Matrix = views[0].carm.camera_from_world
        self.centre_mm, self.spread = centre_mm, spread
        self._network, self._projection, self._views = network, projection, views

    def values_and_gradients(
        self, world_from_volume: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """L_N (n,) of poses (n, 4, 4), and its gradients (n, 6) in whitened parameters of the charts at the poses."""
        self.evaluations += len(world_from_volume)
        parts = [self._view(view, world_from_volume) for view in self._views]
        values, gradients = zip(*parts, strict=True)
        return np.mean(values, axis=0), np.mean(gradients, axis=0)

    def _view(
        self, view: LearnedView, world_from_volume: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        count, to_camera = len(world_from_volume), view.carm.camera_from_world
        twists_from_whitened = self._spread_twists(world_from_volume, to_camera)
        to_twist = torch.from_numpy(twists_from_whitened.astype(np.float32)).to(view.fixed[0].device)
        whitened = torch.zeros(count, 6, device=to_twist.device, requires_grad=True)
        twists = (to_twist @ whitened[..., None])[..., 0]
        moving = self._projection.moving(to_camera @ world_from_volume, twists, view.carm)
        fixed = tuple(feature.expand(count, *feature.shape[1:]) for feature in view.fixed)
        comparison = self._network.compare(moving, fixed)
        gradient = gradient_of(comparison, whitened, create_graph=False)
        return (
            comparison.similarity.detach().cpu().numpy().astype(np.float64),
            gradient.detach().cpu().numpy().astype(np.float64),
        )

    def _spread_twists(self, world_from_volume: NDArray[np.float64], to_camera: Matrix) -> NDArray[np.float64]:
        """(n, 6, 6): whitened parameters, in the first camera's axes, to twists in a camera's frame."""
        other_from_first = to_camera @ invert_rigid(self.camera_from_world)
        poses = self.camera_from_world @ world_from_volume
        return twists_from_parameters(poses, self.centre_mm, other_from_first) * self.spread
