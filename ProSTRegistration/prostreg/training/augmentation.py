"""Changes of a simulated X-ray that leave the pose as it is, as the papers make them (IEEE TMI 43(1), section IV)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from prostreg.training.config import Augmentation

BOX_SHARE = (0.05, 0.35)
BOX_GREY = (-0.3, 1.3)


def augmented(images: NDArray[np.float32], augmentation: Augmentation, rng: np.random.Generator) -> NDArray[np.float32]:
    """Images (n, s, s) of line integrals with another contrast, with noise, and with boxes over them."""
    return np.stack([_one(image, augmentation, rng) for image in images])


def _one(image: NDArray[np.float32], augmentation: Augmentation, rng: np.random.Generator) -> NDArray[np.float32]:
    changed = image.copy()
    if rng.random() < augmentation.share:
        changed = np.clip(changed, 0.0, None) ** np.float32(rng.uniform(*augmentation.gamma))
    if rng.random() < augmentation.share:
        deviation = np.float32(rng.uniform(*augmentation.noise))
        changed += deviation * rng.standard_normal(changed.shape, dtype=np.float32)
    if augmentation.boxes and rng.random() < augmentation.share:
        for _ in range(rng.integers(1, augmentation.boxes + 1)):
            _add_box(changed, rng)
    return changed


def _add_box(image: NDArray[np.float32], rng: np.random.Generator) -> None:
    """Blends a box of one grey over the image."""
    size = np.array(image.shape)
    sides = np.maximum(1, (rng.uniform(*BOX_SHARE, size=2) * size).astype(int))
    top, left = (int(rng.integers(0, room + 1)) for room in size - sides)
    box = image[top : top + sides[0], left : left + sides[1]]
    opacity = np.float32(rng.uniform(0.3, 1.0))
    box += opacity * (np.float32(rng.uniform(*BOX_GREY)) - box)
