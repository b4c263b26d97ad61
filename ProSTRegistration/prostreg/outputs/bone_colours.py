"""The colours in which several bones are told apart, for the PNG and for Slicer's views."""

from __future__ import annotations

COLOURS: tuple[tuple[int, int, int], ...] = (
    (60, 230, 170), (255, 150, 40), (110, 170, 255), (250, 100, 190), (240, 230, 80), (190, 130, 255), (120, 225, 60),
    (255, 110, 90),
)  # fmt: skip
"""Told apart by people who see red and green alike too, by their brightness; after the last the first comes again."""


def colour_of(number: int) -> tuple[int, int, int]:
    """The colour of a case's bone, the first is 0."""
    return COLOURS[number % len(COLOURS)]
