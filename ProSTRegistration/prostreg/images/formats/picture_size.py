"""The size that an X-ray can have."""

from __future__ import annotations

from prostreg.errors import InputError

MOST_PIXELS = 100_000_000
"""Ten times what the largest detectors have."""


def refuse_many_pixels(size: tuple[int, int], name: str) -> None:
    """Refuses an image (rows, columns) that no detector makes, with an InputError."""
    rows, columns = size
    if rows < 1 or columns < 1 or rows * columns > MOST_PIXELS:
        raise InputError(
            f"{name} has {columns} x {rows} pixels, from 1 to {MOST_PIXELS // 1_000_000} million are read: "
            "its header is damaged, or give one image of usual size."
        )
