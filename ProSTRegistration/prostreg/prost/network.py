"""What all ProST networks have in common: features of the volume, features of the X-ray, and a similarity between them.

The similarity L_N is made to have a gradient with respect to the pose that points away from the true one (C. Gao et
al., "Generalizing spatial transformers to projective geometry", MICCAI 2020, section 2.2). What depends on the volume
or on the X-ray alone is computed once; a descent repeats only the projection and the comparison.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn


class ProSTNetwork(nn.Module, ABC):
    """A learned similarity.

    Attributes:
        feature_channels: C, of the volume's features and of their projection.
        image_size: side in pixels of the square images that are compared.
    """

    feature_channels: int
    image_size: int

    @abstractmethod
    def volume_features(self, attenuation: Tensor) -> Tensor:
        """Features (n, C, k, j, i) of attenuation volumes (n, 1, k, j, i), in 1/mm."""

    @abstractmethod
    def fixed_features(self, xray: Tensor) -> tuple[Tensor, ...]:
        """Features, each with n in front, of X-rays (n, 1, image_size, image_size)."""

    @abstractmethod
    def similarity(self, moving: Tensor, fixed: tuple[Tensor, ...]) -> Tensor:
        """L_N (n,), smaller is better, of projected features (n, C, image_size, image_size) and an X-ray's features."""
