"""Looks at the beginning of a weights file, so that a wrong one is named for what it is before it is loaded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from prostreg.errors import FaultList
from prostreg.files import ordinary_bytes

LENGTH_BYTES = 8
"""A safetensors file begins with the length of its JSON header as a little-endian integer."""
CHECKPOINT_STARTS = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
"""A zip archive, as torch.save writes, or a bare pickle."""
GET_AGAIN = "Copy or download it again."
LONGEST_HEADER = 100_000_000
"""The format's own limit in bytes."""


def read_metadata(path: Path, faults: FaultList) -> dict[str, str] | None:
    """Metadata of a safetensors file that is there in full; else None, with the reason among the faults.

    Raises:
        OSError: the file is missing or cannot be read.
    """
    size = ordinary_bytes(path)
    with path.open("rb") as file:
        start = file.read(LENGTH_BYTES + 1)
        length = int.from_bytes(start[:LENGTH_BYTES], "little")
        begins_well = size <= LENGTH_BYTES or (start[LENGTH_BYTES:] == b"{" and 2 <= length <= LONGEST_HEADER)
        header = start[LENGTH_BYTES:] + file.read(length - 1) if begins_well and size > LENGTH_BYTES else b""
    if not begins_well:
        faults.add(_foreign(start))
    elif size <= LENGTH_BYTES or len(header) < length:
        faults.add(f"The file is cut off: it ends after {size:,} bytes, within its header. {GET_AGAIN}")
    else:
        return _metadata(header, size, faults)
    return None


def _foreign(start: bytes) -> str:
    if start.startswith(CHECKPOINT_STARTS):
        return (
            "The file is a pickle or a PyTorch checkpoint (.pt, .pth). Opening one can run whatever program it"
            " carries, so it is not opened: give weights in the safetensors format."
        )
    return "The file is not in the safetensors format: give a .safetensors file that prostreg has written."


def _metadata(header: bytes, size: int, faults: FaultList) -> dict[str, str] | None:
    try:
        content: dict[str, Any] = json.loads(header)
        metadata = dict(content.pop("__metadata__", {}))
        stored = max((int(tensor["data_offsets"][1]) for tensor in content.values()), default=0)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, RecursionError):
        faults.add(f"The file's header is damaged. {GET_AGAIN}")
        return None
    expected = LENGTH_BYTES + len(header) + stored
    if size < expected:
        faults.add(f"The file is cut off: it has {size:,} of {expected:,} bytes. {GET_AGAIN}")
        return None
    return {str(key): str(value) for key, value in metadata.items()}
