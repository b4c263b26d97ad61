"""The projector in plain torch: the truth that fast ones are held to, and the ProST module itself.

It follows the same quadrature as the fused kernels (see `plane_march`): samples where a ray
crosses the voxel planes of its dominant axis, bilinear in each plane, weighted by the path length
between planes. It is differentiable in the pose and in the values, twice, and takes any number of
feature channels, any size and any voxel spacing.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from prostreg.geometry.carm import CArm
from prostreg.images.volume import Volume
from prostreg.projector.rays import PADDING, padded_index_from_volume
from prostreg.projector.selection import Projector

RAYS_PER_CHUNK = 1 << 14

_LATERAL_AXES = ((1, 2), (0, 2), (0, 1))


def project(
    features: Tensor,
    index_from_volume: Tensor,
    camera_from_volume: Tensor,
    camera_from_pixel: Tensor,
    size: tuple[int, int],
    rays_per_chunk: int = RAYS_PER_CHUNK,
) -> Tensor:
    """Integrates feature volumes along the rays of one or more poses.

    What a derivative needs is computed again, chunk by chunk, so that an image's memory does not grow with its size.

    Args:
        features: (channels, k, j, i), per mm; padded by one voxel of zeros on every side.
        index_from_volume: (4, 4), RAS mm to indices (i, j, k) of ``features``.
        camera_from_volume: rigid (n, 4, 4).
        camera_from_pixel: inverse intrinsics (3, 3).
        size: (width, height) of the image.
        rays_per_chunk: rays held in memory at once, for each pose.

    Returns:
        (n, channels, height, width) line integrals.
    """
    width, height = size
    index_from_camera = index_from_volume @ _invert_rigid(camera_from_volume)
    directions_camera = _pixel_directions(camera_from_pixel, width, height)
    images = []
    for matrix in index_from_camera:
        chunks = [
            _integrate_again(features, matrix[:3, 3], chunk @ matrix[:3, :3].T, chunk.norm(dim=-1))
            for chunk in torch.split(directions_camera, rays_per_chunk)
        ]
        images.append(torch.cat(chunks, dim=-1).reshape(-1, height, width))
    return torch.stack(images)


class ReferenceProjector(Projector):
    """The reference behind the common projector interface, in float64.

    Args:
        volume: attenuation in 1/mm.
    """

    name = "reference"

    def __init__(self, volume: Volume) -> None:
        values = torch.from_numpy(np.asarray(volume.values, dtype=np.float64))[None]
        self._features = torch.nn.functional.pad(values, (PADDING,) * 6)
        self._index_from_volume = torch.from_numpy(padded_index_from_volume(volume))

    def project(self, camera_from_volume: NDArray[np.float64], *carms: CArm) -> Tensor:
        return self._project(torch.from_numpy(camera_from_volume), carms).float()

    def project_with_derivative(self, camera_from_volume: NDArray[np.float64], *carms: CArm) -> Tensor:
        poses = torch.from_numpy(camera_from_volume).requires_grad_()
        images = self._project(poses, carms)
        weights = torch.zeros_like(images, requires_grad=True)
        (pulled_back,) = torch.autograd.grad(images, poses, weights, create_graph=True)
        tangents = _twist_generators(poses.dtype)[:, None] @ poses.detach()
        columns = [torch.autograd.grad(pulled_back, weights, tangent, retain_graph=True)[0] for tangent in tangents]
        return torch.stack([images.detach(), *columns], dim=1).float()

    def _project(self, camera_from_volume: Tensor, carms: tuple[CArm, ...]) -> Tensor:
        if len(carms) > 1:
            return torch.cat(
                [self._project(pose[None], (carm,)) for pose, carm in zip(camera_from_volume, carms, strict=True)]
            )
        camera_from_pixel = torch.from_numpy(np.linalg.inv(carms[0].intrinsics))
        images = project(self._features, self._index_from_volume, camera_from_volume, camera_from_pixel, carms[0].size)
        return images[:, 0]


def _integrate_again(features: Tensor, source: Tensor, directions: Tensor, lengths: Tensor) -> Tensor:
    """`_integrate`, which a backward pass repeats instead of finding its samples in memory."""
    integrals: Tensor = checkpoint(
        _integrate, features, source, directions, lengths, use_reentrant=False, preserve_rng_state=False
    )
    return integrals


def _integrate(features: Tensor, source: Tensor, directions: Tensor, lengths: Tensor) -> Tensor:
    """Line integrals (channels, rays) from a source (3,) along directions (rays, 3) in index coordinates.

    ``lengths`` (rays,) are the lengths in mm of the directions.
    """
    strides, sizes = _strides_and_sizes(features)
    main = directions.detach().abs().argmax(dim=-1)
    lateral = torch.tensor(_LATERAL_AXES, device=features.device)[main]
    along = directions.gather(-1, main[:, None])
    slopes = directions.gather(-1, lateral) / along
    source_main = source[main][:, None]
    offsets = source[lateral] - slopes * source_main
    planes = torch.arange(1, int(sizes.max()) - 1, device=features.device)
    crossings = offsets[..., None] + slopes[..., None] * planes
    inside = _inside(crossings.detach(), planes, sizes, main, lateral, source_main.detach(), along.detach())
    low = torch.where(inside[:, None], crossings.detach().floor(), torch.zeros_like(crossings)).long()
    rest = torch.where(inside[:, None], crossings - low, torch.zeros_like(crossings))
    main_places = torch.where(inside, planes * strides[main][:, None], torch.zeros_like(low[:, 0]))
    place = main_places + (low * strides[lateral][..., None]).sum(1)
    step_a, step_b = strides[lateral][:, 0, None], strides[lateral][:, 1, None]
    rest_a, rest_b = rest[:, 0], rest[:, 1]
    flat = features.reshape(len(features), -1)
    near = flat[:, place] * (1 - rest_a) + flat[:, place + step_a] * rest_a
    far = flat[:, place + step_b] * (1 - rest_a) + flat[:, place + step_a + step_b] * rest_a
    samples = (near * (1 - rest_b) + far * rest_b) * inside
    return samples.sum(-1) * (lengths / along[:, 0].abs())


def _inside(
    crossings: Tensor, planes: Tensor, sizes: Tensor, main: Tensor, lateral: Tensor, source: Tensor, along: Tensor
) -> Tensor:
    """The plane crossings (rays, planes) that lie in the slab of the padded volume, in front of the source."""
    in_slab = ((crossings > 0) & (crossings < (sizes[lateral] - 1)[..., None])).all(dim=1)
    in_front = (planes - source) * along > 0
    return in_slab & in_front & (planes < sizes[main][:, None] - 1)


def _strides_and_sizes(features: Tensor) -> tuple[Tensor, Tensor]:
    _, slices, rows, columns = features.shape
    strides = torch.tensor([1, columns, columns * rows], device=features.device)
    return strides, torch.tensor([columns, rows, slices], device=features.device)


def _pixel_directions(camera_from_pixel: Tensor, width: int, height: int) -> Tensor:
    """Ray directions (height * width, 3) in the camera frame, with z = 1, row by row."""
    rows = torch.arange(height).to(camera_from_pixel)
    columns = torch.arange(width).to(camera_from_pixel)
    v, u = torch.meshgrid(rows, columns, indexing="ij")
    pixels = torch.stack([u, v, torch.ones_like(u)], dim=-1).reshape(-1, 3)
    return pixels @ camera_from_pixel.T


def _invert_rigid(matrix: Tensor) -> Tensor:
    rotation = matrix[..., :3, :3].transpose(-1, -2)
    upper = torch.cat([rotation, -rotation @ matrix[..., :3, 3:]], dim=-1)
    return torch.cat([upper, matrix[..., 3:, :]], dim=-2)


def _twist_generators(dtype: torch.dtype) -> Tensor:
    """(6, 4, 4): how each component of a twist moves a point."""
    generators = torch.zeros(6, 4, 4, dtype=dtype)
    for axis in range(3):
        following, last = (axis + 1) % 3, (axis + 2) % 3
        generators[axis, last, following], generators[axis, following, last] = 1, -1
        generators[3 + axis, axis, 3] = 1
    return generators
