"""An X-ray as a network sees it: square, of the network's size, whatever size and shape the image has."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray

from prostreg.geometry.carm import CArm
from prostreg.images.pyramid import reduced_xray
from prostreg.images.xray import XRay


def canonical_view(xray: XRay, carm: CArm, image_size: int) -> tuple[NDArray[np.float32], CArm]:
    """The whole image in the middle of a square, its longer side filling it; what is masked or outside is 0.

    Args:
        xray: as prepared for a registration.
        carm: of that image.
        image_size: side of the square in pixels.

    Returns:
        Line integrals (image_size, image_size), and the C-arm of that image, in the same place.
    """
    longer = max(carm.size)
    xray, carm = reduced_xray(xray, carm, max(1, longer // image_size))
    scale = max(carm.size) / image_size
    centre = (np.array(carm.size) - 1) / 2
    first = centre - scale * (image_size - 1) / 2
    values = sitk.GetImageFromArray(np.where(xray.mask, xray.line_integrals, np.float32(0.0)))
    square = sitk.Resample(
        values, [image_size, image_size], sitk.Transform(2, sitk.sitkIdentity), sitk.sitkLinear,
        first.tolist(), [scale, scale], [1.0, 0.0, 0.0, 1.0], 0.0,
    )  # fmt: skip
    pixel_from_square = np.array([[scale, 0, first[0]], [0, scale, first[1]], [0, 0, 1.0]])
    intrinsics = np.linalg.inv(pixel_from_square) @ carm.intrinsics
    return sitk.GetArrayFromImage(square), CArm(intrinsics, (image_size, image_size), carm.camera_from_world)
