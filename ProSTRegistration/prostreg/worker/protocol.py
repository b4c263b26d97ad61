"""The wire format between the worker and its client: framed messages, nothing pickled.

A message is a preamble (magic, length of the header, length of the payload), a JSON header and the raw
little-endian bytes of its arrays one after another. The header's key ``arrays`` names them:
``[{"name": "ct", "dtype": "<i2", "shape": [slices, rows, columns]}, ...]``.

A stream that breaks the format is over: nothing behind the damage can be trusted, and both ends close the connection.
This module needs no more than numpy, so that the Slicer side shares it.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prostreg.json_fields import parsed_json

PROTOCOL_VERSION = 1
TOKEN_VARIABLE = "PROSTREG_WORKER_TOKEN"

MAGIC = b"\x89PROSTR\n"
PREAMBLE = struct.Struct("<8sIQ")
MAX_HEADER_BYTES = 1 << 20
MAX_PAYLOAD_BYTES = 4 << 30
MAX_ARRAYS = 64
DTYPES = frozenset({"|b1", "|u1", "|i1", "<u2", "<i2", "<u4", "<i4", "<u8", "<i8", "<f4", "<f8"})

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Message:
    """One received message; the arrays are writable and own their memory."""

    header: dict[str, Any]
    arrays: dict[str, NDArray[Any]] = field(default_factory=dict)


class BrokenStreamError(Exception):
    """Bytes that are no message, in words."""


def encode(header: Mapping[str, Any], arrays: Arrays | None = None) -> list[bytes | memoryview]:
    """The buffers of one message, to be sent in this order; array memory is not copied where it is contiguous.

    Raises:
        ValueError: for an array of a type that the format does not carry, a text with half of a character, or too
            much of it.
    """
    descriptions, buffers = [], []
    for name, array in (arrays or {}).items():
        little_endian = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).reshape(array.shape)
        if little_endian.dtype.str not in DTYPES:
            raise ValueError(f"The array {name} has the type {array.dtype}, which a message cannot carry.")
        descriptions.append({"name": name, "dtype": little_endian.dtype.str, "shape": list(array.shape)})
        if little_endian.nbytes:
            buffers.append(little_endian.reshape(-1).data.cast("B"))
    text = json.dumps({**header, "arrays": descriptions}, ensure_ascii=False).encode()
    payload_bytes = sum(buffer.nbytes for buffer in buffers)
    if len(text) > MAX_HEADER_BYTES or payload_bytes > MAX_PAYLOAD_BYTES or len(descriptions) > MAX_ARRAYS:
        raise ValueError(f"The message is too large: {len(text)} bytes of header, {payload_bytes} bytes of arrays.")
    return [PREAMBLE.pack(MAGIC, len(text), payload_bytes) + text, *buffers]


class MessageDecoder:
    """Turns a stream of bytes, in pieces of any size, into messages.

    Args:
        max_payload_bytes: larger payloads are refused; small until the other side has proved itself.
    """

    def __init__(self, max_payload_bytes: int = MAX_PAYLOAD_BYTES) -> None:
        self.max_payload_bytes = max_payload_bytes
        self._buffer = bytearray()

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Appends received bytes."""
        self._buffer += data

    def next(self) -> Message | None:
        """The next complete message, None while more bytes are needed.

        Raises:
            BrokenStreamError: what came is no message; the same again at each further call.
        """
        if len(self._buffer) < PREAMBLE.size:
            return None
        magic, header_bytes, payload_bytes = PREAMBLE.unpack_from(self._buffer)
        if magic != MAGIC:
            raise BrokenStreamError("The stream does not go on with a message.")
        if header_bytes > MAX_HEADER_BYTES or payload_bytes > self.max_payload_bytes:
            raise BrokenStreamError(
                f"A message of {header_bytes} + {payload_bytes} bytes is larger than the limit of"
                f" {MAX_HEADER_BYTES} + {self.max_payload_bytes}."
            )
        end = PREAMBLE.size + header_bytes + payload_bytes
        if len(self._buffer) < end:
            return None
        with memoryview(self._buffer) as view:
            header_end = PREAMBLE.size + header_bytes
            message = _parse(bytes(view[PREAMBLE.size : header_end]), view[header_end:end])
        del self._buffer[:end]
        return message


def _parse(text: bytes, payload: memoryview) -> Message:
    try:
        header = parsed_json(text.decode())
    except (ValueError, RecursionError) as error:
        raise BrokenStreamError(f"The header is not JSON: {error}.") from error
    if not isinstance(header, dict):
        raise BrokenStreamError("The header is not a JSON object.")
    descriptions = header.pop("arrays", [])
    try:
        arrays = _arrays(descriptions, payload)
    except (TypeError, KeyError, ValueError) as error:
        raise BrokenStreamError(f"The arrays of the message are not as its header says: {error}.") from error
    return Message(header, arrays)


def _arrays(descriptions: list[dict[str, Any]], payload: memoryview) -> dict[str, NDArray[Any]]:
    if len(descriptions) > MAX_ARRAYS:
        raise ValueError(f"{len(descriptions)} arrays, the limit is {MAX_ARRAYS}")
    arrays: dict[str, NDArray[Any]] = {}
    offset = 0
    for description in descriptions:
        name, dtype, shape = description["name"], description["dtype"], description["shape"]
        if dtype not in DTYPES:
            raise ValueError(f"the type {dtype!r} is not allowed")
        if len(shape) > 8 or any(type(n) is not int or n < 0 for n in shape):
            raise ValueError(f"the shape {shape} is not a list of up to 8 counts")
        size = prod(shape) * np.dtype(dtype).itemsize
        if offset + size > len(payload):
            raise ValueError(f"{len(payload)} bytes are too few")
        arrays[str(name)] = np.frombuffer(payload[offset : offset + size], dtype=dtype).reshape(shape).copy()
        offset += size
    if offset != len(payload):
        raise ValueError(f"{len(payload)} bytes came, {offset} are described")
    return arrays
