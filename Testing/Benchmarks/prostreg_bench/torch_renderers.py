"""nanodrr and DiffDRR in the benchmark."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from prostreg.geometry.se3 import exp_se3
from prostreg_bench.output import Output, Render
from prostreg_bench.scene import FIELD_MM, SDD_MM, Scene, pixel_weights

SAMPLES_AT_VOXEL_PITCH = 256


def nanodrr_image(scene: Scene) -> Render:
    return _image(scene, _nanodrr(scene))


def nanodrr_gradient(scene: Scene) -> Render:
    return _gradient(scene, _nanodrr(scene))


def nanodrr_256_image(scene: Scene) -> Render:
    return _image(scene, _nanodrr(scene, n_samples=SAMPLES_AT_VOXEL_PITCH))


def nanodrr_256_gradient(scene: Scene) -> Render:
    return _gradient(scene, _nanodrr(scene, n_samples=SAMPLES_AT_VOXEL_PITCH))


def diffdrr_image(scene: Scene) -> Render:
    return _image(scene, _diffdrr(scene))


def diffdrr_gradient(scene: Scene) -> Render:
    return _gradient(scene, _diffdrr(scene))


def _nanodrr(scene: Scene, **options: Any) -> Callable[[Tensor], Tensor]:
    """From volume_from_camera (1, 4, 4) to the image (height, width)."""
    from nanodrr.data import Subject
    from nanodrr.drr import DRR

    subject = Subject.from_images(_scalar_image(scene), convert_to_mu=False)
    pitch, pixels = FIELD_MM / scene.carm.width, scene.carm.width
    drr = DRR.from_carm_intrinsics(SDD_MM, pitch, pitch, 0.0, 0.0, pixels, pixels)
    return lambda volume_from_camera: drr(subject, volume_from_camera, **options)[0, 0]


def _diffdrr(scene: Scene) -> Callable[[Tensor], Tensor]:
    """From volume_from_camera (1, 4, 4) to the image (height, width)."""
    import torchio
    from diffdrr.drr import DRR
    from diffdrr.pose import RigidTransform

    image = _scalar_image(scene)
    subject = torchio.Subject(volume=image, density=image, mask=None, reorient=torch.eye(4))
    drr = DRR(subject, SDD_MM, scene.carm.height, FIELD_MM / scene.carm.height, renderer="trilinear")
    # its columns and rows run against the camera's x and y
    half_turn = torch.diag(torch.tensor([-1.0, -1.0, 1.0, 1.0]))
    return lambda volume_from_camera: drr(RigidTransform(volume_from_camera @ half_turn))[0, 0]


def _scalar_image(scene: Scene) -> Any:
    import torchio

    columns_first = torch.from_numpy(scene.volume.values).permute(2, 1, 0)[None].contiguous()
    return torchio.ScalarImage(tensor=columns_first, affine=scene.volume.volume_from_index)


def _image(scene: Scene, project: Callable[[Tensor], Tensor]) -> Render:
    pose = torch.from_numpy(scene.volume_from_camera).float()[None]

    def render() -> Output:
        with torch.no_grad():
            return Output(project(pose).numpy())

    return render


def _gradient(scene: Scene, project: Callable[[Tensor], Tensor]) -> Render:
    pose = torch.from_numpy(scene.volume_from_camera).float()[None]
    weights = torch.from_numpy(pixel_weights(scene.carm))

    def render() -> Output:
        twist = torch.zeros(6, requires_grad=True)
        image = project(pose @ exp_se3(-twist))
        (gradient,) = torch.autograd.grad((weights * image).sum(), twist)
        return Output(image.detach().numpy(), gradient.numpy().astype(np.float64))

    return render
