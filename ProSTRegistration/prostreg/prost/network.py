"""The interface of all ProST networks: features of the volume, features of the X-ray, and a similarity between them.

The similarity L_N is made to have a gradient with respect to the pose that points away from the true one (C. Gao et
al., "Generalizing spatial transformers to projective geometry", MICCAI 2020, section 2.2). What depends on the volume
or on the X-ray alone is computed once; a descent repeats only the projection and the comparison.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor, nn


class Comparison(NamedTuple):
    """The comparison of projected features with an X-ray.

    Attributes:
        similarity: L_N (n,), smaller is better.
        pose_estimate: (n, 6) pose of the moving side in whitened chart parameters around the standard view; None for
            networks that are not trained to tell it.
    """

    similarity: Tensor
    pose_estimate: Tensor | None


def gradient_of(comparison: Comparison, whitened: Tensor, create_graph: bool) -> Tensor:
    """Gradient (n, 6) of L_N (n,) with respect to the whitened parameters (n, 6) that it was computed from.

    Training shapes it, and a descent follows it. Whitened parameters are those of the pose chart at the pose itself
    (turns about the anatomy's centre, shifts along the viewing ray), divided by the spread of the starts. In them a
    descent step of 1 against the gradient of half the squared distance ends at the truth, and depth, which an image
    shows least, does not outweigh the rest.
    """
    (gradient,) = torch.autograd.grad(comparison.similarity.sum(), whitened, create_graph=create_graph)
    return gradient


class ProSTNetwork(nn.Module, ABC):
    """A learned similarity.

    Attributes:
        volume_channels: 1, the anatomy; or 2, the anatomy and all bone of the CT.
        feature_channels: C, of the volume's features and of their projection.
        image_size: side in pixels of the square images that are compared.
        learns_volume_features: False where the volume's channels are projected as they are.
    """

    volume_channels: int = 1
    feature_channels: int
    image_size: int
    learns_volume_features: bool = True

    @abstractmethod
    def volume_features(self, attenuation: Tensor) -> Tensor:
        """Features (n, C, k, j, i) of attenuation volumes (n, volume_channels, k, j, i), in 1/mm."""

    @abstractmethod
    def fixed_features(self, xray: Tensor) -> tuple[Tensor, ...]:
        """Features, each with n in front, of X-rays (n, 1, image_size, image_size)."""

    @abstractmethod
    def similarity(self, moving: Tensor, fixed: tuple[Tensor, ...]) -> Tensor:
        """L_N (n,), smaller is better, of projected features (n, C, image_size, image_size) and an X-ray's features."""

    def compare(self, moving: Tensor, fixed: tuple[Tensor, ...]) -> Comparison:
        """`similarity`, and what the network says of the moving side's pose on the way."""
        return Comparison(self.similarity(moving, fixed), None)

    def fixed_pose_estimate(self, fixed: tuple[Tensor, ...]) -> Tensor | None:
        """The pose that an X-ray's features tell, (n, 6) as in `Comparison`; None where they tell none."""
        return None
