"""One look for all figures: colours that colour-blind readers tell apart, sizes that fit a README."""

from __future__ import annotations

from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from prostreg.choices import ADAPTED, METHODS

DPI = 120
WIDTH_INCHES = 8.0
INK = "#222222"
FAINT = "#dddddd"
EDGE = "#bbbbbb"


class MethodStyle(NamedTuple):
    """The drawing style of a method: a colour of Okabe and Ito, a marker and a line of its own."""

    label: str
    colour: str
    marker: str
    line: Any


# Colours, markers and lines of the methods in the order of METHODS, markers and lines also with adapted weights.
_COLOURS = ("#0072B2", "#D55E00", "#CC79A7", "#009E73", "#E69F00", "#56B4E9")
_MARKERS, _ADAPTED_MARKERS = "os^D<>", "XsvPhd"
_LINES: tuple[Any, ...] = ("--", "-", "-.", (0, (4, 1.5)), ":", "--")
_ADAPTED_LINES = ("-", "-", ":", "-", "-", "-")


def method_style(method: str) -> MethodStyle:
    """The style of a method, with adapted weights or without."""
    name, is_adapted = method.removesuffix(ADAPTED), method.endswith(ADAPTED)
    place = list(METHODS).index(name) % len(_COLOURS)
    label = f"{name}, adapted" if is_adapted else f"{name} (one run)" if METHODS[name].network == "none" else name
    marker = (_ADAPTED_MARKERS if is_adapted else _MARKERS)[place]
    return MethodStyle(label, _COLOURS[place], marker, (_ADAPTED_LINES if is_adapted else _LINES)[place])


def new_figure(height: float = 4.5) -> Figure:
    """An empty figure as wide as a README."""
    return Figure(figsize=(WIDTH_INCHES, height), layout="constrained")


def polish_axes(axes: Axes, title: str) -> None:
    """Title at the left, no frame at the top and at the right."""
    if title:
        axes.set_title(title, loc="left", fontsize=12, color=INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color=FAINT, linewidth=0.6)
    axes.set_axisbelow(True)
