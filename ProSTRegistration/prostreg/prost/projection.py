"""The ProST module: features of volumes become feature images, differentiable in features and pose, twice."""

from __future__ import annotations

import torch
from torch import Tensor

from prostreg.projector.rays import PADDING
from prostreg.projector.reference import RAYS_PER_CHUNK, project


def project_features(
    features: Tensor,
    volume_from_index: Tensor,
    camera_from_volume: Tensor,
    volume_index: Tensor | int,
    camera_from_pixel: Tensor,
    size: tuple[int, int],
    rays_per_chunk: int = RAYS_PER_CHUNK,
) -> Tensor:
    """Feature images of volumes that share one grid.

    C. Gao et al., "Generalizing spatial transformers to projective geometry", MICCAI 2020. The forward pass and a first
    derivative hold one chunk of rays at a time, as `project` says. A derivative that is itself to be differentiated
    (``create_graph``) keeps what it needs of every chunk.

    Args:
        features: (n, channels, k, j, i), per mm.
        volume_from_index: (4, 4), indices (i, j, k) of ``features`` to RAS mm.
        camera_from_volume: rigid (m, 4, 4), mm.
        volume_index: for each pose the volume it moves (m,), or one volume for all of them.
        camera_from_pixel: inverse intrinsics (3, 3).
        size: (width, height) of the images.
        rays_per_chunk: rays held in memory at once.

    Returns:
        (m, channels, height, width) line integrals.
    """
    padded = torch.nn.functional.pad(features, (PADDING,) * 6)
    index_from_volume = _padded_index_from_volume(volume_from_index)
    chosen = [volume_index] * len(camera_from_volume) if isinstance(volume_index, int) else volume_index.tolist()
    images = [
        project(padded[index], index_from_volume, pose, camera_from_pixel, size, rays_per_chunk)
        for index, pose in zip(chosen, torch.split(camera_from_volume, 1), strict=True)
    ]
    return torch.cat(images)


def _padded_index_from_volume(volume_from_index: Tensor) -> Tensor:
    shift = torch.zeros_like(volume_from_index)
    shift[:3, 3] = PADDING
    index_from_volume: Tensor = torch.linalg.inv(volume_from_index)
    return index_from_volume + shift
