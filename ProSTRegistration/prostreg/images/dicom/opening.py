"""DICOM files as pydicom can take them: inflated within limits, and found without their preamble too."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import BinaryIO

from pydicom.filereader import read_file_meta_info

from prostreg.errors import InputError
from prostreg.machine import refuse_too_large

DICOM_SUFFIXES = (".dcm", ".dicom", ".ima")
DEFLATED = b"1.2.840.10008.1.2.1.99"
_NOT_DEFLATED = b"1.2.840.10008.1.2.1\0\0\0"  # explicit little endian, what is inside

MOST_INFLATED = 1 << 30
"""Bytes of a deflated file; ten times what a large image has."""

_START_BYTES = 1024
_PREAMBLE_BYTES = 128
_MAGIC = b"DICM"
_LONGEST_FIRST_VALUE = 1024
_VALUE_KINDS = (b"UL", b"UI", b"CS", b"SH", b"LO", b"DA", b"TM", b"DT", b"OB")


def is_dicom(path: Path) -> bool:
    """True for a file with the DICOM preamble, one that begins as a DICOM data set does, or one named as DICOM."""
    if path.suffix.lower() in DICOM_SUFFIXES:
        return True
    start = _start(path)
    return _has_preamble(start) or _begins_as_data_set(start)


def opened(path: Path) -> tuple[BinaryIO, bool]:
    """The bytes of a file, and whether they are a data set without preamble, as old archives write it.

    A deflated data set is inflated here: it could grow without limit in pydicom's hands.

    Raises:
        InputError: a deflated file that is damaged or too large.
        OSError: the system does not let it be read.
    """
    file = path.open("rb")
    start = file.read(_START_BYTES)
    if _has_preamble(start) and _is_deflated(path):
        with file:
            return io.BytesIO(_inflated(start + file.read(), path.name)), False
    file.seek(0)
    return file, not _has_preamble(start) and _begins_as_data_set(start)


def _is_deflated(path: Path) -> bool:
    """True for what pydicom would inflate: elements of any length may stand before the syntax, and lengths may lie."""
    try:
        return str(read_file_meta_info(path).get("TransferSyntaxUID")) == DEFLATED.decode()
    except Exception:  # pydicom's parser raises many kinds on damaged files, and will do so again
        return False


def _start(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_START_BYTES)
    except OSError:  # whoever reads the file says so
        return b""


def _has_preamble(start: bytes) -> bool:
    return start[_PREAMBLE_BYTES : _PREAMBLE_BYTES + 4] == _MAGIC


def _begins_as_data_set(start: bytes) -> bool:
    """A first element of group 2 or 8, little endian: with a kind of value that stands there, or a small length."""
    if len(start) < 16:
        return False
    group, element, length = struct.unpack("<HHI", start[:8])
    if group not in (0x0002, 0x0008) or element > 0x0100:
        return False
    return start[4:6] in _VALUE_KINDS or (length <= _LONGEST_FIRST_VALUE and length % 2 == 0)


def _inflated(content: bytes, name: str) -> bytes:
    """The same file with its data set as it was before it was deflated."""
    refuse_too_large(MOST_INFLATED, f"Inflating {name}")
    damaged = InputError(f"{name} is a deflated DICOM file that is damaged: copy or write it anew.")
    tag, kind, _, group_bytes = struct.unpack("<I2sHI", content[132:144])
    begin = 144 + group_bytes
    if tag != 0x00000002 or kind != b"UL" or begin > len(content):
        raise damaged
    unpacking = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        data_set = unpacking.decompress(content[begin:], MOST_INFLATED)
    except zlib.error:
        raise damaged from None
    if unpacking.unconsumed_tail:
        raise InputError(f"{name} unpacks to more than {MOST_INFLATED >> 30} GiB: it is damaged, or not one image.")
    return content[:begin].replace(DEFLATED, _NOT_DEFLATED) + data_set
