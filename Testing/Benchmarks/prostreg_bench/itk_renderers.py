"""ITK-RTK's Joseph projector and ITK's ray-cast interpolator in the benchmark.

ITK's physical space is taken for the volume's own frame: no axis is turned, and both see the same numbers.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from prostreg_bench.output import Output, Render
from prostreg_bench.scene import SDD_MM, Scene


def joseph_image(scene: Scene) -> Render:
    import itk
    from itk import RTK

    kind = itk.Image[itk.F, 3]
    pose = scene.volume_from_camera
    right, down, forwards, source = (pose[:3, column] for column in range(4))
    geometry = RTK.ThreeDCircularProjectionGeometry.New()
    points = [itk.Point[itk.D, 3](point.tolist()) for point in (source, source + SDD_MM * forwards)]
    axes = [itk.Vector[itk.D, 3](axis.tolist()) for axis in (right, down)]
    geometry.AddProjection(*points, *axes)
    projector = RTK.JosephForwardProjectionImageFilter[kind, kind].New()
    projector.SetInPlace(False)  # in place, a second run would find its input gone
    projector.SetInput(0, _detector(scene, depth_mm=0.0))
    projector.SetInput(1, _volume(scene))
    projector.SetGeometry(geometry)
    return _run(projector)


def ray_cast_image(scene: Scene) -> Render:
    import itk

    kind = itk.Image[itk.F, 3]
    pose = scene.volume_from_camera
    transform = itk.AffineTransform[itk.D, 3].New()
    transform.SetMatrix(itk.matrix_from_array(np.ascontiguousarray(pose[:3, :3])))
    transform.SetTranslation(pose[:3, 3].tolist())
    volume = _volume(scene)
    interpolator = itk.RayCastInterpolateImageFunction[kind, itk.D].New()
    interpolator.SetInputImage(volume)
    interpolator.SetTransform(transform)
    interpolator.SetFocalPoint([0.0, 0.0, 0.0])
    interpolator.SetThreshold(0.0)
    resampler = itk.ResampleImageFilter[kind, kind].New()
    resampler.SetInput(volume)
    resampler.SetInterpolator(interpolator)
    resampler.SetTransform(transform)
    resampler.SetDefaultPixelValue(0.0)
    resampler.SetReferenceImage(_detector(scene, depth_mm=SDD_MM))
    resampler.UseReferenceImageOn()
    return _run(resampler)


def _run(image_filter: Any) -> Render:
    import itk

    def render() -> Output:
        image_filter.Modified()
        image_filter.Update()
        return Output(itk.array_from_image(image_filter.GetOutput())[0])

    return render


def _volume(scene: Scene) -> Any:
    import itk

    image = itk.image_from_array(scene.volume.values)
    image.SetSpacing(scene.volume.spacing_mm.tolist())
    image.SetOrigin(scene.volume.volume_from_index[:3, 3].tolist())
    return image


def _detector(scene: Scene, depth_mm: float) -> Any:
    """An empty image whose pixels lie on the detector, x along columns and y along rows from its centre."""
    import itk

    across, down = scene.carm.detector_spacing_mm
    cx, cy = scene.carm.principal_point
    image = itk.image_from_array(np.zeros((1, scene.carm.height, scene.carm.width), dtype=np.float32))
    image.SetSpacing([across, down, 1.0])
    image.SetOrigin([-cx * across, -cy * down, depth_mm])
    return image
