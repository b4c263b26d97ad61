"""`prost-light`: a ProST network small enough to be trained, and adapted to a patient, on a laptop's processor.

It differs from the papers' networks in three ways (measured in docs/method.md). The volume's features are not learned
but given: the anatomy, and all bone of the CT as its surroundings; so a fused projector renders them together with
their derivative. Both encoders look at the whole image before they describe its parts. And a part of what they
describe is trained to be the pose itself, so that distances of descriptions are distances of poses.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, silu

from prostreg.errors import InputError
from prostreg.prost.network import Comparison, ProSTNetwork

WIDTHS = (12, 24, 48, 64)
MAP_CHANNELS = (8, 16)
SCALES = 4
CONTEXT = 256
POSE_NUMBERS = 6


class ProSTLight(ProSTNetwork):
    """Two encoders of one shape; L_N is the weighted mean squared difference of what they say.

    Args:
        image_size: side of the images in pixels, a multiple of 16.
        description: length of the vector that describes the whole image; its first six numbers are trained
            to be the pose.

    Raises:
        InputError: images of that size cannot be halved so often.
    """

    volume_channels = 2
    feature_channels = 2
    learns_volume_features = False

    def __init__(self, image_size: int = 64, description: int = 32) -> None:
        super().__init__()
        if image_size % 2**SCALES or image_size < 2**SCALES:
            raise InputError(
                f"prost-light cannot compare images of {image_size} x {image_size} pixels, because it halves them"
                f" {SCALES} times: choose a multiple of {2**SCALES}."
            )
        self.image_size = image_size
        self.moving_encoder = _Encoder(self.feature_channels, image_size, description)
        self.fixed_encoder = _Encoder(1, image_size, description)
        self.log_weights = nn.Parameter(torch.zeros(3))

    def volume_features(self, attenuation: Tensor) -> Tensor:
        return attenuation

    def fixed_features(self, xray: Tensor) -> tuple[Tensor, ...]:
        return self.fixed_encoder(xray)  # type: ignore[no-any-return]

    def similarity(self, moving: Tensor, fixed: tuple[Tensor, ...]) -> Tensor:
        return self.compare(moving, fixed).similarity

    def compare(self, moving: Tensor, fixed: tuple[Tensor, ...]) -> Comparison:
        features = self.moving_encoder(moving)
        differences = [((a - b) ** 2).flatten(1).mean(dim=1) for a, b in zip(features, fixed, strict=True)]
        similarity = (self.log_weights.exp() * torch.stack(differences, dim=-1)).sum(dim=-1)
        return Comparison(similarity, features[-1][:, :POSE_NUMBERS])

    def fixed_pose_estimate(self, fixed: tuple[Tensor, ...]) -> Tensor:
        return fixed[-1][:, :POSE_NUMBERS]


class _Encoder(nn.Module):
    """An image (n, channels, s, s) to maps (n, 8, s/4, s/4) and (n, 16, s/8, s/8), and a description (n, d)."""

    def __init__(self, channels: int, image_size: int, description: int) -> None:
        super().__init__()
        _, second, third, last = WIDTHS
        self.downs = nn.ModuleList(_Down(into, out) for into, out in zip((channels, *WIDTHS[:-1]), WIDTHS, strict=True))
        self._coarse_shape = (last, image_size // 2**SCALES, image_size // 2**SCALES)
        coarse = last * (image_size // 2**SCALES) ** 2
        self.summary = nn.Linear(coarse, CONTEXT)
        self.describe = nn.Linear(CONTEXT, description)
        self.context = nn.Linear(CONTEXT, coarse)
        self.up_to_eighth = _conv(last + third, third)
        self.up_to_quarter = _conv(third + second, second)
        self.quarter_map = _conv(second, MAP_CHANNELS[0])
        self.eighth_map = _conv(third, MAP_CHANNELS[1])

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        levels = []
        for down in self.downs:
            image = down(image)
            levels.append(image)
        _, quarter, eighth, coarse = levels
        summary = silu(self.summary(coarse.flatten(1)))
        informed = coarse + self.context(summary).reshape(-1, *self._coarse_shape)
        eighth = silu(self.up_to_eighth(torch.cat([interpolate(informed, scale_factor=2.0), eighth], dim=1)))
        quarter = silu(self.up_to_quarter(torch.cat([interpolate(eighth, scale_factor=2.0), quarter], dim=1)))
        return self.quarter_map(quarter), self.eighth_map(eighth), self.describe(summary)


class _Down(nn.Module):
    """Halves the image, with a residual convolution; smooth, as its second derivative is needed."""

    def __init__(self, into: int, out: int) -> None:
        super().__init__()
        self.halve = _conv(into, out, stride=2)
        self.refine = _conv(out, out)

    def forward(self, image: Tensor) -> Tensor:
        halved = silu(self.halve(image))
        return halved + silu(self.refine(halved))


def _conv(into: int, out: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(into, out, kernel_size=3, stride=stride, padding=1)
