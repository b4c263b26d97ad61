"""Projected features of a patient as a function of a small motion, so that L_N can be differentiated by the pose.

Where the features are not learned, the fused projector gives images and derivatives, and a step is linear: enough for
the gradient of L_N and for the double backward, which differentiates that gradient by the network's weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from prostreg.geometry.carm import CArm
from prostreg.geometry.se3 import exp_se3
from prostreg.images.volume import Volume
from prostreg.projector.selection import make_projector
from prostreg.prost.network import ProSTNetwork
from prostreg.prost.projection import project_features


class FeatureProjection(Protocol):
    """Projects one patient's features."""

    def moving(self, camera_from_volume: NDArray[np.float64], twists: Tensor, carm: CArm) -> Tensor:
        """Images (n, C, height, width) of poses (n, 4, 4) moved by twists (n, 6), small and differentiable.

        A twist (rotation in rad about the source, translation in mm) moves points of the camera frame.
        """


class RenderedFeatures(NamedTuple):
    """Images (n, C, h, w) and their derivatives (n, 6, C, h, w) by the components of a twist."""

    images: Tensor
    derivatives: Tensor

    def moved(self, twists: Tensor) -> Tensor:
        """The images moved by twists (n, 6), to first order."""
        steps = torch.bmm(twists[:, None], self.derivatives.flatten(2).to(twists))
        return self.images.to(twists) + steps.reshape(self.images.shape)


class FusedFeatures:
    """Given features, by a fused projector; exact at twists of zero, linear in them.

    Args:
        channels: attenuation, one volume per channel.
    """

    def __init__(self, channels: Sequence[Volume]) -> None:
        self._projectors = [make_projector(volume) for volume in channels]

    def moving(self, camera_from_volume: NDArray[np.float64], twists: Tensor, carm: CArm) -> Tensor:
        return self.rendered(camera_from_volume, carm).moved(twists)

    def rendered(self, camera_from_volume: NDArray[np.float64], carm: CArm) -> RenderedFeatures:
        """Images and derivatives of poses (n, 4, 4): they depend on no weights and can be made ahead."""
        rendered = [p.render_with_derivative(camera_from_volume, carm) for p in self._projectors]
        images = torch.from_numpy(np.stack([image for image, _ in rendered], axis=1))
        derivatives = torch.from_numpy(np.stack([derivative for _, derivative in rendered], axis=2))
        return RenderedFeatures(images, derivatives)


class TorchFeatures:
    """Learned features, by the ProST module: differentiable in features and pose.

    Args:
        features: (C, k, j, i), per mm.
        volume_from_index: (4, 4).
    """

    def __init__(self, features: Tensor, volume_from_index: NDArray[np.float64]) -> None:
        self._features = features
        self._volume_from_index = torch.from_numpy(volume_from_index).to(features)

    def moving(self, camera_from_volume: NDArray[np.float64], twists: Tensor, carm: CArm) -> Tensor:
        poses = exp_se3(twists) @ torch.from_numpy(camera_from_volume).to(twists)
        camera_from_pixel = torch.from_numpy(np.linalg.inv(carm.intrinsics)).to(twists)
        return project_features(self._features[None], self._volume_from_index, poses, 0, camera_from_pixel, carm.size)


def feature_projection(network: ProSTNetwork, channels: Sequence[Volume]) -> FeatureProjection:
    """The projection that suits a network: its features are computed here, once."""
    if not network.learns_volume_features:
        return FusedFeatures(channels)
    device = next(network.parameters()).device
    values = torch.from_numpy(np.stack([volume.values for volume in channels])[None]).to(device)
    return TorchFeatures(network.volume_features(values)[0].to(values), channels[0].volume_from_index)
