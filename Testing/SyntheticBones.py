"""A small CT for tests that need a patient whom every flip would change."""

import numpy as np

SPACING_MM = (2.0, 1.8, 2.5)


def bonesHu():
    """Voxels [k, j, i] in HU, int16: balls of bone in soft tissue, without any symmetry."""
    rng = np.random.default_rng(11)
    k, j, i = np.mgrid[:48, :56, :52]
    hu = np.full((48, 56, 52), -1000, dtype=np.int16)
    hu[((k - 24) / 22) ** 2 + ((j - 28) / 26) ** 2 + ((i - 26) / 24) ** 2 < 1] = 40
    for centre, radii in zip(rng.uniform(16, 36, (7, 3)), rng.uniform(3, 9, (7, 3)), strict=True):
        inside = sum(((axis - c) / r) ** 2 for axis, c, r in zip((k, j, i), centre, radii, strict=True)) < 1
        hu[inside] = 900
    return hu


def twoBones():
    """Labels of the same voxels, uint8: 1 for the bone of one half, 2 for that of the other, with a gap between."""
    labels = np.where(bonesHu() > 500, 1, 0).astype(np.uint8)
    labels[24:][labels[24:] > 0] = 2
    labels[23:25] = 0
    return labels
