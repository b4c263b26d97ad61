"""Bones of 26 adults from a package of PyPI: hip bones, sacrum, femur; one mesh for all.

The wheel musculoskeletal-models 0.2.4 of the Auckland Bioengineering Institute (MPL-2.0) has a principal component
model of them, LLP26, with the coordinates of all its people: as many components as people lose nothing.
"""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prostreg.errors import InputError
from prostreg.people.surfaces import Patches, joined, read_patches

Points = NDArray[np.float64]

MODEL = "musculoskeletal/models/shape_models/LLP26_rigid.pc"
PELVIS_MESH = "musculoskeletal/models/atlas_meshes/pelvis_combined_cubic_flat.mesh"
FEMUR_MESH = "musculoskeletal/models/atlas_meshes/femur_left_quartic_flat.mesh"

SUBJECTS = (
    *("2007_4987", "2007_5028", "2007_5117", "2008_0006", "2008_0010", "2008_0019", "2008_0032", "2008_0051"),
    *("2008_0054", "2008_0058", "2008_0103", "2008_0155", "2008_0158", "2008_1342", "2008_1461", "2008_1489"),
    *("2008_1521", "2008_1524", "2008_1526", "2008_1609", "2008_1625", "2008_1741", "2008_1766", "2008_2041"),
    *("2008_2552", "2008_2571"),
)
"""Names of the people, in the model's order."""

PARTS = ("hip_right", "hip_left", "sacrum", "femur_left")
"""Closed surfaces of the patches, in their order."""

HARMLESS = {
    *(
        (module, name)
        for module in ("numpy.core.multiarray", "numpy._core.multiarray")
        for name in ("_reconstruct", "scalar")
    ),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("_codecs", "encode"),
}
"""All that the model's pickle may name: arrays and their types."""
UNREADABLE = (
    *(OSError, LookupError, ValueError, TypeError, AttributeError, EOFError),
    *(zipfile.BadZipFile, pickle.UnpicklingError),
)


@dataclass(frozen=True, eq=False)
class Atlas:
    """The bones of some adults.

    Attributes:
        nodes: (people, n, 3) in RAS mm, the people laid over each other.
        patches: surfaces between the nodes; their parts are PARTS.
    """

    nodes: Points
    patches: Patches


@lru_cache(maxsize=1)
def read_atlas(wheel: Path) -> Atlas:
    """The bones of all SUBJECTS from the wheel.

    Raises:
        InputError: the file is not that wheel.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            pelvis, femur = (read_patches(json.loads(archive.read(name))) for name in (PELVIS_MESH, FEMUR_MESH))
            model = _HarmlessUnpickler(io.BytesIO(archive.read(MODEL)), encoding="latin1").load()
        patches = joined(pelvis, femur)
        vectors = model["mean"][:, None] + model["modes"] @ model["projectedWeights"]
        nodes = vectors.T.reshape(len(SUBJECTS), 3, -1).transpose(0, 2, 1)[:, : len(patches.parts)]
    except UNREADABLE as error:
        raise InputError(
            f"The bones of {wheel.name} cannot be read ({error}): give the wheel itself, as"
            " pip download --no-deps musculoskeletal-models==0.2.4 fetches it."
        ) from error
    return Atlas(np.ascontiguousarray(nodes * (-1.0, -1.0, 1.0)), patches)  # the model's frame is LPS


class _HarmlessUnpickler(pickle.Unpickler):
    """Opens a pickle of arrays, and refuses any that names more."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in HARMLESS:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which is no array")
        return super().find_class(module, name)
