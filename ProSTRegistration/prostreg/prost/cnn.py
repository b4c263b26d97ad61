"""The 2020 network: two encoders, and how far apart their feature maps are."""

from __future__ import annotations

from torch import Tensor, nn

from prostreg.errors import InputError
from prostreg.prost.network import ProSTNetwork
from prostreg.prost.volume_cnn import FEATURE_CHANNELS, VolumeCnn

_ENCODER_CHANNELS = (16, 64, 128)
_CODE_CHANNELS = 64
_REDUCTION = 8


class ProSTCnn(ProSTNetwork):
    """L_N as the mean squared difference between the encoded projection and the encoded X-ray.

    781,723 parameters (C. Gao et al., "Generalizing spatial transformers to projective geometry", MICCAI 2020).
    Every layer is convolutional, so one set of weights fits every image size.

    Args:
        image_size: side of the images in pixels, a multiple of 8.

    Raises:
        InputError: images of that size cannot be halved three times.
    """

    feature_channels = FEATURE_CHANNELS

    def __init__(self, image_size: int = 128) -> None:
        super().__init__()
        if image_size < _REDUCTION or image_size % _REDUCTION:
            raise InputError(
                f"prost-cnn cannot compare images of {image_size} x {image_size} pixels, because it halves them three "
                f"times: choose a multiple of {_REDUCTION}."
            )
        self.image_size = image_size
        self.volume_cnn = VolumeCnn(normalised=False)
        self.moving_encoder = _encoder(FEATURE_CHANNELS)
        self.fixed_encoder = _encoder(1)

    def volume_features(self, attenuation: Tensor) -> Tensor:
        features: Tensor = self.volume_cnn(attenuation)
        return features

    def fixed_features(self, xray: Tensor) -> tuple[Tensor, ...]:
        return (self.fixed_encoder(xray),)

    def similarity(self, moving: Tensor, fixed: tuple[Tensor, ...]) -> Tensor:
        difference: Tensor = self.moving_encoder(moving) - fixed[0]
        return (difference**2).flatten(1).mean(1)


class _Bottleneck(nn.Module):
    """A residual block of a 1x1, a 3x3 and a 1x1 convolution that keeps its channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for kernel in (1, 3, 1):
            layers += [nn.Conv2d(channels, channels, kernel, padding=kernel // 2, bias=False)]
            layers += [nn.BatchNorm2d(channels), nn.ReLU()]
        self.layers = nn.Sequential(*layers[:-1])

    def forward(self, images: Tensor) -> Tensor:
        residual: Tensor = self.layers(images)
        return nn.functional.relu(images + residual)


def _encoder(incoming: int) -> nn.Sequential:
    """Images (n, incoming, h, w) to codes (n, 64, h / 8, w / 8)."""
    layers: list[nn.Module] = []
    for channels in _ENCODER_CHANNELS:
        layers += [nn.Conv2d(incoming, channels, 3, padding=1), _Bottleneck(channels), nn.MaxPool2d(2)]
        incoming = channels
    return nn.Sequential(*layers, nn.Conv2d(incoming, _CODE_CHANNELS, 3, padding=1))
