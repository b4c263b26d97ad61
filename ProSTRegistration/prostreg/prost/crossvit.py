"""The 2024 network: a transformer that looks at projection and X-ray together and says a number."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from prostreg.errors import InputError
from prostreg.prost.network import ProSTNetwork
from prostreg.prost.volume_cnn import FEATURE_CHANNELS, VolumeCnn

_DEPTH = 3
_CROSSINGS = 2
_SMALL_WIDTH, _SMALL_LAYERS, _SMALL_GRID = 16, 2, 16
_LARGE_WIDTH, _LARGE_LAYERS, _LARGE_GRID = 64, 3, 2
_HEADS = 4
_HEAD_WIDTH = 64
_HIDDEN_WIDTH = 256
_DROPOUT = 0.1
_OUTPUTS = 1000
_INITIAL_SPREAD = 0.02


class ProSTCrossVit(ProSTNetwork):
    """L_N as the output of a CrossViT over the pair of images.

    The network of C. Gao et al., IEEE TMI 43(1):275-285, 2024, on the transformer of C.-F. Chen et al., "CrossViT:
    cross-attention multi-scale vision transformer for image classification", ICCV 2021. Small patches are a
    16th of the image, large ones a half: 8 and 64 pixels of 128, as published.

    Args:
        image_size: side of the images in pixels, a multiple of 16.

    Raises:
        InputError: images of that size do not divide into patches.
    """

    feature_channels = FEATURE_CHANNELS

    def __init__(self, image_size: int = 128) -> None:
        super().__init__()
        if image_size < _SMALL_GRID or image_size % _SMALL_GRID:
            raise InputError(
                f"prost-crossvit cannot compare images of {image_size} x {image_size} pixels, because it cuts them "
                f"into {_SMALL_GRID} x {_SMALL_GRID} patches: choose a multiple of {_SMALL_GRID}."
            )
        self.image_size = image_size
        self.volume_cnn = VolumeCnn(normalised=True)
        self.merge = nn.Conv2d(FEATURE_CHANNELS, 1, 3, padding=1)
        self.small_tokens = _PatchTokens(image_size, _SMALL_GRID, _SMALL_WIDTH)
        self.large_tokens = _PatchTokens(image_size, _LARGE_GRID, _LARGE_WIDTH)
        self.encoders = nn.ModuleList(_MultiScaleEncoder() for _ in range(_DEPTH))
        self.small_head = nn.Sequential(nn.LayerNorm(_SMALL_WIDTH), nn.Linear(_SMALL_WIDTH, _OUTPUTS))
        self.large_head = nn.Sequential(nn.LayerNorm(_LARGE_WIDTH), nn.Linear(_LARGE_WIDTH, _OUTPUTS))
        self.similarity_head = nn.Linear(_OUTPUTS, 1)

    def volume_features(self, attenuation: Tensor) -> Tensor:
        features: Tensor = self.volume_cnn(attenuation)
        return features

    def fixed_features(self, xray: Tensor) -> tuple[Tensor, ...]:
        return (xray,)

    def similarity(self, moving: Tensor, fixed: tuple[Tensor, ...]) -> Tensor:
        pair = torch.cat([self.merge(moving), fixed[0]], dim=1)
        small, large = self.small_tokens(pair), self.large_tokens(pair)
        for encoder in self.encoders:
            small, large = encoder(small, large)
        outputs = self.small_head(small[:, 0]) + self.large_head(large[:, 0])
        value: Tensor = self.similarity_head(outputs)
        return value[:, 0]


class _PatchTokens(nn.Module):
    """A pair of images (n, 2, h, w) to tokens (n, 1 + patches, width): the class token, then one for each patch."""

    def __init__(self, image_size: int, grid: int, width: int) -> None:
        super().__init__()
        patch = image_size // grid
        self.embedding = nn.Conv2d(2, width, patch, stride=patch)
        self.class_token = nn.Parameter(_INITIAL_SPREAD * torch.randn(1, 1, width))
        self.places = nn.Parameter(_INITIAL_SPREAD * torch.randn(1, 1 + grid**2, width))
        self.dropout = nn.Dropout(_DROPOUT)

    def forward(self, pair: Tensor) -> Tensor:
        patches = self.embedding(pair).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.class_token.expand(len(pair), -1, -1), patches], dim=1)
        placed: Tensor = self.dropout(tokens + self.places)
        return placed


class _MultiScaleEncoder(nn.Module):
    """Self-attention within each branch, then cross-attention between them (Chen et al.)."""

    def __init__(self) -> None:
        super().__init__()
        self.small = nn.Sequential(*(_TransformerLayer(_SMALL_WIDTH) for _ in range(_SMALL_LAYERS)))
        self.large = nn.Sequential(*(_TransformerLayer(_LARGE_WIDTH) for _ in range(_LARGE_LAYERS)))
        self.small_from_large = nn.ModuleList(_CrossAttention(_SMALL_WIDTH, _LARGE_WIDTH) for _ in range(_CROSSINGS))
        self.large_from_small = nn.ModuleList(_CrossAttention(_LARGE_WIDTH, _SMALL_WIDTH) for _ in range(_CROSSINGS))

    def forward(self, small: Tensor, large: Tensor) -> tuple[Tensor, Tensor]:
        small, large = self.small(small), self.large(large)
        for into_small, into_large in zip(self.small_from_large, self.large_from_small, strict=True):
            small, large = into_small(small, large), into_large(large, small)
        return small, large


class _TransformerLayer(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(width)
        self.attention = _Attention(width)
        self.perceptron = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, _HIDDEN_WIDTH),
            nn.GELU(),
            nn.Dropout(_DROPOUT),
            nn.Linear(_HIDDEN_WIDTH, width),
            nn.Dropout(_DROPOUT),
        )

    def forward(self, tokens: Tensor) -> Tensor:
        normed = self.attention_norm(tokens)
        tokens = tokens + self.attention(normed, normed)
        refined: Tensor = tokens + self.perceptron(tokens)
        return refined


class _CrossAttention(nn.Module):
    """One branch's class token asks the other branch's patches (Chen et al.)."""

    def __init__(self, width: int, other_width: int) -> None:
        super().__init__()
        self.into_other = nn.Linear(width, other_width)
        self.norm = nn.LayerNorm(other_width)
        self.attention = _Attention(other_width)
        self.back = nn.Linear(other_width, width)

    def forward(self, tokens: Tensor, other: Tensor) -> Tensor:
        class_token = self.into_other(tokens[:, :1])
        normed = self.norm(torch.cat([class_token, other[:, 1:]], dim=1))
        answered = class_token + self.attention(normed[:, :1], normed)
        return torch.cat([self.back(answered), tokens[:, 1:]], dim=1)


class _Attention(nn.Module):
    """Multi-head attention of queries (n, q, width) to a context (n, t, width), in matrix products.

    torch's fused attention has no second derivative.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        inner = _HEADS * _HEAD_WIDTH
        self.queries = nn.Linear(width, inner, bias=False)
        self.keys_values = nn.Linear(width, 2 * inner, bias=False)
        self.out = nn.Sequential(nn.Linear(inner, width), nn.Dropout(_DROPOUT))
        self.dropout = nn.Dropout(_DROPOUT)

    def forward(self, queries: Tensor, context: Tensor) -> Tensor:
        keys, values = (_by_head(part) for part in self.keys_values(context).chunk(2, dim=-1))
        agreement = _by_head(self.queries(queries)) @ keys.transpose(-1, -2) / _HEAD_WIDTH**0.5
        attended = self.dropout(agreement.softmax(dim=-1)) @ values
        mixed: Tensor = self.out(attended.transpose(1, 2).flatten(2))
        return mixed


def _by_head(tokens: Tensor) -> Tensor:
    """(n, t, heads * width) to (n, heads, t, width)."""
    return tokens.reshape(*tokens.shape[:2], _HEADS, _HEAD_WIDTH).transpose(1, 2)
