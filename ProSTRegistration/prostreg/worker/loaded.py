"""The worker's memory between requests."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from prostreg.errors import InputError

Value = TypeVar("Value")


class NotLoadedError(InputError):
    """A request names data that the worker does not have, or not any more."""


class Recent(Generic[Value]):
    """The last few values by their id; the least recently used are forgotten."""

    def __init__(self, kept: int) -> None:
        self._kept = kept
        self._values: OrderedDict[str, Value] = OrderedDict()

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def keys(self) -> list[str]:
        return list(self._values)

    def add(self, key: str, value: Value) -> None:
        self._values[key] = value
        self._values.move_to_end(key)
        while len(self._values) > self._kept:
            self._values.popitem(last=False)

    def get(self, key: str | None, what: str) -> Value:
        """The value of an id.

        Raises:
            NotLoadedError: the id is not known.
        """
        if key is None or key not in self._values:
            raise NotLoadedError(f"The {what} {key!r} is not loaded in the worker: send it again.")
        self._values.move_to_end(key)
        return self._values[key]


class PackedMask:
    """A mask in an eighth of its memory: a CT of several bones has many.

    Args:
        mask: (depth, height, width).
    """

    def __init__(self, mask: NDArray[np.bool_]) -> None:
        self._shape, self._bits = mask.shape, np.packbits(mask)

    def mask(self) -> NDArray[np.bool_]:
        """The mask as it was given."""
        bits = np.unpackbits(self._bits, count=int(np.prod(self._shape)))
        return bits.view(np.bool_).reshape(self._shape)
