"""Draws a thumbnail for Slicer's SampleData module from what the demo wrote.

python docs/figures/sample_thumbnails.py DEMO_OUTPUT TARGET, for example
python docs/figures/sample_thumbnails.py demo-output ProSTRegistration/Resources/Icons/SampleSpine.png

The fluoroscopy, with the DRR of the pose that was found laid over its lower right in colour. The spine's CT is
from LIDC-IDRI, CC BY 3.0; README.md names its source.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray
from PIL import Image

SIZE = (288, 260)
COLOURS = 64
SHADING_PIXELS, SHADING_SHARE = 35.0, 0.8
TINT = np.array([1.0, 0.62, 0.15])


def main(demo: Path, target: Path) -> None:
    xray = _stretched(_detail(_pixels(demo / "case" / "xray.tif")))
    case = json.loads((demo / "case" / "case.json").read_text(encoding="utf-8"))
    bright = 1 - xray if case["views"][0]["polarity"] == "bone-dark" else xray
    drr = _stretched(_pixels(demo / case["name"] / "drr.nrrd"))
    rows, columns = np.mgrid[: xray.shape[0], : xray.shape[1]]
    is_overlaid = columns / xray.shape[1] + rows / xray.shape[0] > 1
    share = (drr * is_overlaid)[..., np.newaxis]
    picture = (1 - share) * bright[..., np.newaxis] + share * TINT
    image = Image.fromarray(np.rint(255 * picture).astype(np.uint8))
    width, height = image.size
    kept = round(width * SIZE[1] / SIZE[0])
    top = (height - kept) // 2
    small = image.crop((0, top, width, top + kept)).resize(SIZE, Image.Resampling.LANCZOS)
    target.parent.mkdir(parents=True, exist_ok=True)
    small.quantize(COLOURS, dither=Image.Dither.NONE).save(target, optimize=True)


def _pixels(path: Path) -> NDArray[np.float64]:
    return np.squeeze(sitk.GetArrayFromImage(sitk.ReadImage(str(path)))).astype(np.float64)


def _detail(pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    """The image with the broad shading of soft tissue weakened, so that bone shows in a small picture."""
    broad = sitk.GetArrayFromImage(sitk.SmoothingRecursiveGaussian(sitk.GetImageFromArray(pixels), SHADING_PIXELS))
    return pixels - SHADING_SHARE * broad


def _stretched(pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    low, high = np.percentile(pixels, [1, 99])
    return np.clip((pixels - low) / (high - low), 0, 1)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
