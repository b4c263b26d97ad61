"""Headers of NIfTI-1 and NIfTI-2 files, zipped or not, whatever their name says."""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from prostreg.errors import InputError
from prostreg.geometry.frames import Matrix
from prostreg.images.formats.grid_geometry import Stated, from_vectors, grid_geometry
from prostreg.images.formats.stored_image import StoredImage, ValueLayout, checked_sizes, count_of, header_error

_HEADER_BYTES = {1: 348, 2: 540}
_FIRST_DATA_BYTE = {1: 352, 2: 544}
_MOST_DATA_OFFSET = 1 << 26
_GZIP_MAGIC = b"\x1f\x8b"
_KINDS = {
    2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8",
}  # fmt: skip
_COLOURS = {128: 3, 2304: 4}
_COMPLEX = (32, 1792, 2048)
_MILLIMETRES = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}
_SAME_SPACING = 2e-3
_APART_MM = 1.0
"""Headers round; places that are farther apart are two."""
_TO_LPS = (-1.0, -1.0, 1.0)


@dataclass(frozen=True)
class _Fields:
    """The fields of either version that are used."""

    version: int
    order: str
    dim: tuple[int, ...]
    kind: int
    bits: int
    pixdim: tuple[float, ...]
    data_offset: float
    slope: float
    intercept: float
    qform_code: int
    sform_code: int
    quaternion: tuple[float, ...]
    q_offset: tuple[float, ...]
    sform: tuple[float, ...]
    units: int


def read_nifti_header(path: Path, name: str) -> StoredImage:
    """The header of a NIfTI file.

    Raises:
        InputError: no NIfTI file, or one whose header contradicts itself.
    """
    with path.open("rb") as file:
        zipped = file.read(2) == _GZIP_MAGIC
    fields = _fields(_start(path, zipped), name)
    if not 1 <= fields.dim[0] <= 7:
        raise header_error(name, f"gives {fields.dim[0]} dimensions (dim[0])")
    sizes = checked_sizes(fields.dim[1 : fields.dim[0] + 1], fields.dim[0], "dim", name)
    if fields.kind in _COMPLEX:
        raise InputError(f"{name} has complex values (datatype {fields.kind}): save their magnitude as an image.")
    colours = _COLOURS.get(fields.kind)
    kind = np.dtype(fields.order + ("u1" if colours else _known_kind(fields, name)))
    if fields.bits != kind.itemsize * 8 * (colours or 1):
        raise header_error(name, f"gives {fields.bits} bits per voxel (bitpix), which datatype {fields.kind} has not")
    first = _FIRST_DATA_BYTE[fields.version]
    if not first <= fields.data_offset <= _MOST_DATA_OFFSET or fields.data_offset % 1:
        raise header_error(name, f"puts the voxels at byte {fields.data_offset:g} (vox_offset) where {first} is usual")
    channel_axis = None
    if colours:
        sizes, channel_axis = (colours, *sizes), 0
    elif len(sizes) > 4 and sizes[3] == 1 and sizes[4] > 1:
        channel_axis = 4
    layout = ValueLayout(
        [path],
        0 if zipped else int(fields.data_offset),
        int(fields.data_offset) if zipped else 0,
        "deflate" if zipped else "raw",
        kind,
        count_of(sizes),
        *_scaling(fields, name),
    )
    matrix, faults = _geometry(fields, name)
    note = None if matrix is None else _two_places(fields, [*sizes, 1, 1][:3], name)
    return StoredImage(sizes, channel_axis, matrix, faults, layout, note)


def _start(path: Path, zipped: bool) -> bytes:
    with path.open("rb") as file:
        if not zipped:
            return file.read(_HEADER_BYTES[2])
        try:
            with gzip.open(file, "rb") as unpacked:
                return unpacked.read(_HEADER_BYTES[2])
        except (OSError, EOFError, zlib.error):
            return b""


def _fields(content: bytes, name: str) -> _Fields:
    for order in "<>":
        for version, length in _HEADER_BYTES.items():
            if len(content) >= length and struct.unpack_from(order + "i", content)[0] == length:
                magic = content[344:348] if version == 1 else content[4:8]
                if magic not in (b"n+1\0", b"n+2\0"):
                    raise InputError(
                        f"{name} has no NIfTI mark for header and voxels in one file (an Analyze or .hdr/.img file?): "
                        "save it as .nii, .nrrd or .mha."
                    )
                return _version_1(content, order) if version == 1 else _version_2(content, order)
    raise InputError(f"{name} cannot be read, it is damaged or not what its name says: write it anew.")


def _version_1(content: bytes, order: str) -> _Fields:
    q_code, s_code, *floats = struct.unpack_from(order + "2h18f", content, 252)
    kind, bits = struct.unpack_from(order + "2h", content, 70)
    offset, slope, intercept = struct.unpack_from(order + "3f", content, 108)
    return _Fields(
        1, order, struct.unpack_from(order + "8h", content, 40), kind, bits,
        struct.unpack_from(order + "8f", content, 76), offset, slope, intercept, q_code, s_code,
        tuple(floats[:3]), tuple(floats[3:6]), tuple(floats[6:]), content[123],
    )  # fmt: skip


def _version_2(content: bytes, order: str) -> _Fields:
    kind, bits = struct.unpack_from(order + "2h", content, 12)
    slope, intercept = struct.unpack_from(order + "2d", content, 176)
    q_code, s_code, *floats = struct.unpack_from(order + "2i18d", content, 344)
    return _Fields(
        2, order, struct.unpack_from(order + "8q", content, 16), kind, bits,
        struct.unpack_from(order + "8d", content, 104), float(struct.unpack_from(order + "q", content, 168)[0]),
        slope, intercept, q_code, s_code, tuple(floats[:3]), tuple(floats[3:6]), tuple(floats[6:]),
        struct.unpack_from(order + "i", content, 500)[0] & 0xFF,
    )  # fmt: skip


def _known_kind(fields: _Fields, name: str) -> str:
    if fields.kind not in _KINDS:
        raise InputError(
            f"{name} has values of the NIfTI datatype {fields.kind}, which is not read here: "
            "save it as 16 bit integers or 32 bit floats."
        )
    return _KINDS[fields.kind]


def _scaling(fields: _Fields, name: str) -> tuple[float, float]:
    """Slope and intercept; a slope of 0 or NaN stands for none."""
    if fields.slope == 0 or np.isnan(fields.slope):
        return 1.0, 0.0
    if not np.isfinite([fields.slope, fields.intercept]).all():
        raise header_error(name, f"scales by {fields.slope:g} and adds {fields.intercept:g} (scl_slope, scl_inter)")
    return fields.slope, fields.intercept


def _geometry(fields: _Fields, name: str) -> tuple[Matrix | None, tuple[str, ...]]:
    """The scanner's sform, or else the qform, or else the sform; without any, the spacing alone."""
    unit = _MILLIMETRES.get(fields.units & 7)
    if unit is None:
        raise header_error(name, f"measures lengths in the unknown unit {fields.units & 7} (xyzt_units)")
    axes = min(fields.dim[0], 3)
    spacing = Stated("pixdim", [unit * step for step in fields.pixdim[1 : axes + 1]])
    alone, faults = grid_geometry(name, spacing, None, None)
    if faults or (fields.qform_code <= 0 and fields.sform_code <= 0):
        return alone, faults
    if _takes_qform(fields):
        return _from_qform(fields, spacing, unit, name)
    return _from_sform(fields, spacing, unit, name)


def _takes_qform(fields: _Fields) -> bool:
    return fields.qform_code > 0 and fields.sform_code != 1


def _two_places(fields: _Fields, size: Sequence[int], name: str) -> str | None:
    """A sentence where qform and sform put the grid (i, j, k) in different places."""
    if fields.qform_code <= 0 or fields.sform_code <= 0:
        return None
    unit = _MILLIMETRES[fields.units & 7]
    spacing = Stated("pixdim", [unit * step for step in fields.pixdim[1:4]])
    of_q, of_s = _from_qform(fields, spacing, unit, name)[0], _from_sform(fields, spacing, unit, name)[0]
    if of_q is None or of_s is None:
        return None
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in size], [1])).reshape(4, -1)
    apart_mm = float(np.linalg.norm((of_q - of_s)[:3] @ corners, axis=0).max())
    if apart_mm <= _APART_MM:
        return None
    used, other = ("qform", "sform") if _takes_qform(fields) else ("sform", "qform")
    return (
        f"{name} tells two places in the patient, up to {apart_mm:.0f} mm apart: its {used} is taken, as ITK does,"
        f" and not its {other}."
    )


def _from_sform(fields: _Fields, spacing: Stated, unit: float, name: str) -> tuple[Matrix | None, tuple[str, ...]]:
    rows = np.reshape(fields.sform, (3, 4)) * unit
    field = "srow_x, srow_y, srow_z"
    origin = Stated(field, rows[:, 3].tolist())
    geometry, faults = from_vectors(name, Stated(field, rows[:, :3].T.ravel().tolist()), origin, _TO_LPS)
    if geometry is None:
        return geometry, faults
    products = geometry[:3, :3].T @ geometry[:3, :3]
    steps = np.sqrt(np.diag(products))
    sheared = not np.allclose(products, np.diag(np.diag(products)), atol=_SAME_SPACING * float(steps.min()) ** 2)
    if sheared or np.allclose(steps, spacing.numbers or (), rtol=_SAME_SPACING):
        return geometry, ()
    shown = [" x ".join(f"{number:g}" for number in numbers) for numbers in (spacing.numbers or (), steps)]
    return None, (
        f"{name} has two spacings, {shown[0]} mm (pixdim) and {shown[1]} mm ({field}): "
        "one of them is wrong, correct its header.",
    )


def _from_qform(fields: _Fields, spacing: Stated, unit: float, name: str) -> tuple[Matrix | None, tuple[str, ...]]:
    b, c, d = fields.quaternion
    origin = Stated(
        "qoffset_x, qoffset_y, qoffset_z", [unit * step * s for step, s in zip(fields.q_offset, _TO_LPS, strict=True)]
    )
    squared = b * b + c * c + d * d
    if not squared <= 1.0 + 1e-4:
        return None, (
            f"{name} has the rotation {b:g} {c:g} {d:g}, which is no unit quaternion: "
            "correct quatern_b, quatern_c, quatern_d in its header.",
        )
    a = np.sqrt(max(0.0, 1.0 - squared))
    ras = np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - c * c - b * b],
        ]
    )
    ras[:, 2] *= -1.0 if fields.pixdim[0] < 0 else 1.0
    columns = (ras * np.array(_TO_LPS)[:, None]).T
    return grid_geometry(name, spacing, Stated("quatern_b, quatern_c, quatern_d", columns.ravel().tolist()), origin)
