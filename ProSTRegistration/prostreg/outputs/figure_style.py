"""One look for all figures: colours that colour-blind readers tell apart, sizes that fit a README."""

from __future__ import annotations

from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

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


_STYLES = {
    "cmaes": MethodStyle("cmaes (one run)", "#D55E00", "s", "-"),
    "prost": MethodStyle("prost", "#CC79A7", "^", "-."),
    "prost-adapted": MethodStyle("prost, adapted", "#CC79A7", "v", ":"),
    "prost+cmaes-adapted": MethodStyle("prost+cmaes, adapted", "#009E73", "P", "-"),
    "auto-adapted": MethodStyle("auto, adapted", "#0072B2", "X", "-"),
    "prost+cmaes": MethodStyle("prost+cmaes", "#009E73", "D", (0, (4, 1.5))),
    "auto": MethodStyle("auto", "#0072B2", "o", "--"),
}


def method_style(method: str) -> MethodStyle:
    """The style of a method."""
    return _STYLES[method]


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
