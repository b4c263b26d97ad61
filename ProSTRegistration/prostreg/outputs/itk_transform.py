"""Linear ITK transforms in files: text is read here, HDF5 by ITK in a child process.

ITK's own reader of text crashes on a number that is none, and takes whatever lies in memory for numbers that are
missing (docs/adr/0010-own-readers-before-native-code.md).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813

from prostreg.confined import run_confined
from prostreg.errors import InputError
from prostreg.geometry.frames import Matrix
from prostreg.scratch import scratch_folder

HEADER = "#Insight Transform File"
SAVE_AGAIN = "Save it again from 3D Slicer, as a linear transform."
MOST_BYTES = 1 << 20

_COMPOSITE = "CompositeTransform"
_MAKERS: dict[str, Callable[[], sitk.Transform]] = {
    "AffineTransform": lambda: sitk.AffineTransform(3),
    "MatrixOffsetTransformBase": lambda: sitk.AffineTransform(3),
    "Euler3DTransform": sitk.Euler3DTransform,
    "VersorRigid3DTransform": sitk.VersorRigid3DTransform,
    "VersorTransform": sitk.VersorTransform,
    "Similarity3DTransform": sitk.Similarity3DTransform,
    "ScaleVersor3DTransform": sitk.ScaleVersor3DTransform,
    "TranslationTransform": lambda: sitk.TranslationTransform(3),
    "IdentityTransform": lambda: sitk.Transform(3, sitk.sitkIdentity),
}
_FILE, _MATRIX = "transform.h5", "matrix.npy"
_LIMIT_S, _MEMORY_BYTES = 60.0, 1 << 28


def matrix_of_text(path: Path) -> Matrix:
    """The matrix (4, 4) in LPS mm of a transform in ITK's text format (.tfm, .txt).

    Raises:
        InputError: it is no linear 3D transform, or one of its numbers is missing.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise InputError(f"The pose {path} has more than {MOST_BYTES >> 20} MiB, as no linear transform has.")
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"The pose {path} cannot be read as text ({error}). {SAVE_AGAIN}") from error
    words = [line.partition(":") for line in lines if line.strip() and not line.startswith("#")]
    fields = [(key.strip(), value.split()) for key, _, value in words]
    names = [value[0] if value else "" for key, value in fields if key == "Transform"]
    if names and names[0].startswith(_COMPOSITE):
        fields, names = fields[1:], names[1:]
    elif len(names) > 1:
        raise InputError(f"The pose {path} holds {len(names)} transforms: give the one that is meant. {SAVE_AGAIN}")
    if not names or [key for key, _ in fields] != ["Transform", "Parameters", "FixedParameters"] * len(names):
        raise InputError(
            f"The pose {path} is no complete ITK transform: each needs Transform, Parameters and FixedParameters, in"
            f" this order. {SAVE_AGAIN}"
        )
    parts = [_transform(path, name, fields[3 * n + 1][1], fields[3 * n + 2][1]) for n, name in enumerate(names)]
    return matrix_of(parts[0] if len(parts) == 1 else sitk.CompositeTransform(parts))


def matrix_of_hdf5(path: Path) -> Matrix:
    """The matrix (4, 4) in LPS mm of a transform in ITK's HDF5 format (.h5).

    Raises:
        InputError: it is no linear 3D transform, or too damaged for ITK.
    """
    with scratch_folder() as folder:
        (folder / _FILE).write_bytes(path.read_bytes())
        trouble = run_confined(__name__, folder, _LIMIT_S, _MEMORY_BYTES)
        if trouble is None:
            matrix: Matrix = np.load(folder / _MATRIX, allow_pickle=False)
            return matrix
    raise InputError(f"The pose {path} is no linear 3D transform that ITK can read: its reader {trouble}. {SAVE_AGAIN}")


def main() -> None:
    """The child's side of ``matrix_of_hdf5``."""
    transform = sitk.ReadTransform(_FILE)
    if transform.GetDimension() != 3 or not transform.IsLinear():
        raise ValueError("not linear")
    np.save(_MATRIX, matrix_of(transform))


def matrix_of(transform: sitk.Transform) -> Matrix:
    """The matrix (4, 4) of a linear 3D transform: where it sends the origin and the axes, whatever its kind."""
    matrix = np.eye(4)
    matrix[:3, 3] = transform.TransformPoint((0.0, 0.0, 0.0))
    for axis in range(3):
        tip = np.eye(3)[axis].tolist()
        matrix[:3, axis] = np.array(transform.TransformPoint(tip)) - matrix[:3, 3]
    return matrix


def _transform(path: Path, name: str, parameters: Sequence[str], fixed: Sequence[str]) -> sitk.Transform:
    kind, _, rest = name.partition("_")
    if kind not in _MAKERS or rest not in ("double_3_3", "float_3_3"):
        raise InputError(
            f"The pose {path} is not a linear 3D transform but {name or 'nothing'}: it warps, or is of another"
            f" dimension. {SAVE_AGAIN}"
        )
    transform = _MAKERS[kind]()
    centre = _numbers(path, "fixed parameters", fixed)
    if kind == "Euler3DTransform" and len(centre) == 3:  # of older versions of ITK
        centre.append(0.0)
    values = _numbers(path, "parameters", parameters)
    for what, found, needed in (
        ("parameters", values, transform.GetParameters()),
        ("fixed parameters", centre, transform.GetFixedParameters()),
    ):
        if len(found) != len(needed):
            raise InputError(f"The pose {path} has {len(found)} {what}, and {kind} {len(needed)}. {SAVE_AGAIN}")
    try:
        transform.SetFixedParameters(centre)
        transform.SetParameters(values)
        is_as_given = np.allclose(transform.GetParameters(), values)
    except RuntimeError:
        is_as_given = False
    if not is_as_given:  # ITK makes a rotation of what is none
        raise InputError(f"The pose {path} has parameters that {kind} cannot have. {SAVE_AGAIN}")
    return transform


def _numbers(path: Path, what: str, words: Sequence[str]) -> list[float]:
    try:
        numbers = [float(word) for word in words]
    except ValueError as error:
        raise InputError(f"The pose {path} has {what} that are no numbers ({error}). {SAVE_AGAIN}") from error
    if not all(map(math.isfinite, numbers)):
        raise InputError(f"The pose {path} has {what} that are not finite. {SAVE_AGAIN}")
    return numbers
