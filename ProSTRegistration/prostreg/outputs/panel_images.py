"""X-rays and their C-arms in the size of an overlay's panels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from prostreg.geometry.carm import CArm


def resized_carm(carm: CArm, size: tuple[int, int]) -> CArm:
    """The C-arm of the image resized to ``size``, also where rounding makes the two scales differ a little."""
    scale_u, scale_v = size[0] / carm.width, size[1] / carm.height
    new_from_old = np.array([[scale_u, 0, 0.5 * scale_u - 0.5], [0, scale_v, 0.5 * scale_v - 0.5], [0, 0, 1.0]])
    return replace(carm, intrinsics=new_from_old @ carm.intrinsics, size=size, spacing_mm=None)


def resized_image(image: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """An image (height, width) in a size (width, height)."""
    picture = Image.fromarray(np.ascontiguousarray(image, dtype=np.float32))
    return np.asarray(picture.resize(size, Image.Resampling.BICUBIC), dtype=np.float32)
