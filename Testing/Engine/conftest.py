"""What the tests of the training share: a small CT, a list of patients, and a configuration of a few steps."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from prostreg.training.config_files import config_file

SPACING_MM = 5.0
SIZE = (36, 28, 32)


def small_ct_hu(seed: int) -> np.ndarray:
    """HU (k, j, i) of a trunk of muscle with a crooked piece of bone in it; another one for every seed."""
    rng = np.random.default_rng(seed)
    k, j, i = (SPACING_MM * (axis - axis.mean()) for axis in np.indices(SIZE[::-1], dtype=float))
    hu = np.where((i / 85) ** 2 + (j / 62) ** 2 < 1, 40.0, -1000.0)
    bone = ((i / 16) ** 2 + (j / 14) ** 2 < 1) & (abs(k) < 50)
    for _ in range(6):
        centre, radii = rng.uniform([-35, -15, -40], [35, 15, 40]), rng.uniform(8, 22, size=3)
        offset = np.stack([i, j, k], axis=-1) - centre
        bone |= ((offset / radii) ** 2).sum(axis=-1) < 1
    hu[bone] = 700.0
    return hu.astype(np.float32)


def write_small_ct(file: Path, seed: int) -> Path:
    image = sitk.GetImageFromArray(small_ct_hu(seed))
    image.SetSpacing([SPACING_MM] * 3)
    file.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(image, str(file))
    return file


@pytest.fixture(scope="session")
def write_training() -> Callable[..., Path]:
    """Writes CTs, their list, and the smoke test's configuration with changes; gives the configuration's file."""

    def write(folder: Path, **changes: Any) -> Path:
        data = {
            "training": write_small_ct(folder / "one.nii.gz", 1),
            "validation": write_small_ct(folder / "two.nii.gz", 2),
        }
        entries = [
            {"name": use, "ct": ct.name, "use": use, "origin": "made by the test", "licence": "CC0"}
            for use, ct in data.items()
        ]
        (folder / "smoke-patients.json").write_text(json.dumps({"patients": entries}), encoding="utf-8")
        content = json.loads(config_file("smoke").read_text(encoding="utf-8"))
        file = folder / "tiny.json"
        file.write_text(json.dumps({**content, **changes}), encoding="utf-8")
        return file

    return write
