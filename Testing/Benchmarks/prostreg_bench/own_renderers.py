"""This project's projectors in the benchmark."""

from __future__ import annotations

import numpy as np

from prostreg.projector.selection import make_projector
from prostreg_bench.output import Output, Render
from prostreg_bench.scene import Scene, pixel_weights


def fused_image(scene: Scene) -> Render:
    return _image(scene, "fused-cpu")


def fused_gradient(scene: Scene) -> Render:
    """The derivative images of all six parameters, contracted to the gradient."""
    projector = make_projector(scene.volume, "fused-cpu")
    weights = pixel_weights(scene.carm)

    def render() -> Output:
        images, derivatives = projector.render_with_derivative(scene.camera_from_volume[None], scene.carm)
        return Output(images[0], np.tensordot(derivatives[0], weights, axes=2).astype(np.float64))

    return render


def reference_image(scene: Scene) -> Render:
    return _image(scene, "reference")


def _image(scene: Scene, name: str) -> Render:
    projector = make_projector(scene.volume, name)
    return lambda: Output(projector.render(scene.camera_from_volume[None], scene.carm)[0])
