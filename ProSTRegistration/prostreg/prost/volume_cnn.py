"""The residual 3D network that turns a patient's attenuation into the features that ProST projects."""

from __future__ import annotations

from torch import Tensor, nn

from prostreg.images.attenuation import MU_WATER_PER_MM

FEATURE_CHANNELS = 3
_HIDDEN_CHANNELS = (4, 8, 16, 8)


class VolumeCnn(nn.Module):
    """Attenuation (n, 1, k, j, i) in 1/mm to features (n, 3, k, j, i) in 1/mm, for any size and spacing.

    3x3x3 convolutions with 1-4-8-16-8-3 channels, the input repeated to three channels added to their output
    (C. Gao et al., MICCAI 2020; with batch normalisation between them, IEEE TMI 43(1), 2024).

    Args:
        normalised: batch normalisation after each hidden convolution.
    """

    def __init__(self, normalised: bool) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        incoming = 1
        for channels in _HIDDEN_CHANNELS:
            layers.append(nn.Conv3d(incoming, channels, 3, padding=1))
            if normalised:
                layers.append(nn.BatchNorm3d(channels))
            layers.append(nn.ReLU())
            incoming = channels
        self.layers = nn.Sequential(*layers, nn.Conv3d(incoming, FEATURE_CHANNELS, 3, padding=1))

    def forward(self, attenuation: Tensor) -> Tensor:
        # In units of water the convolutions see numbers near 1; per mm again, their projections are line integrals.
        relative = attenuation / MU_WATER_PER_MM
        features: Tensor = self.layers(relative) + relative
        return features * MU_WATER_PER_MM
