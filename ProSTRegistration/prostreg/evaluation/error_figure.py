"""Expected against true error, one panel for each degree of freedom."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter
from numpy.typing import NDArray

from prostreg.evaluation.figure_style import INK, method_style, new_figure, polish_axes
from prostreg.evaluation.protocol import Protocol
from prostreg.evaluation.rows import Row
from prostreg.evaluation.summary import is_success
from prostreg.geometry.chart import PARAMETERS

UNITS = ("°", "°", "°", "mm", "mm", "mm")
LEAST = 1e-3
"""Smaller values are drawn there: an error may be zero."""


def draw_expected_errors(protocol: Protocol, methods: Sequence[str], rows: Sequence[Row]) -> Figure | None:
    """True errors of right results over their expected standard deviations, on logarithmic axes."""
    right = [row for row in rows if is_success(row, protocol.success_mm) and row.expected_error is not None]
    if not right:
        return None
    figure = new_figure(height=6.0)
    panels = figure.subplots(2, 3)
    for parameter, axes in enumerate(panels.flat):
        expected, true = np.array([_expected_and_true(row, parameter) for row in right]).T
        low, high = min(expected.min(), true.min()) * 0.7, max(expected.max(), true.max()) * 1.5
        line = np.array([low, high])
        axes.fill_between(line, LEAST * 1e-3, 2 * line, color="#e8e8e8", linewidth=0, zorder=0)
        axes.plot(line, line, color=INK, linewidth=1)
        for method in methods:
            chosen = np.array([row.method == method for row in right])
            style = method_style(method)
            axes.scatter(
                expected[chosen], true[chosen], s=14, color=style.colour, marker=style.marker, label=style.label,
                alpha=0.6, linewidths=0,
            )  # fmt: skip
        axes.set(xscale="log", yscale="log", xlim=(low, high), ylim=(low, high))
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axis.set_minor_formatter(NullFormatter())
        polish_axes(axes, f"{PARAMETERS[parameter]}, {UNITS[parameter]}")
        axes.text(
            0.03, 0.97, _coverage(expected, true), transform=axes.transAxes, va="top", fontsize=9, color=INK
        )  # fmt: skip
    for axes in panels[1]:
        axes.set_xlabel("expected (standard deviation)")
    for axes in panels[:, 0]:
        axes.set_ylabel("true error")
    panels[0, 0].legend(loc="lower right", fontsize=8, frameon=True)
    figure.suptitle(
        f"Expected and true errors of right results: {protocol.name}. Grey: within two standard deviations",
        x=0.01, ha="left", fontsize=12, color=INK,
    )  # fmt: skip
    return figure


def _expected_and_true(row: Row, parameter: int) -> tuple[float, float]:
    expected = row.expected_error or {}
    deviations = [*expected["rotation_deg"], *expected["translation_mm"]]
    errors = [*(row.turn_errors_deg or ()), *(row.shift_errors_mm or ())]
    return max(deviations[parameter], LEAST), max(abs(errors[parameter]), LEAST)


def _coverage(expected: NDArray[np.float64], true: NDArray[np.float64]) -> str:
    one, two = (np.mean(true <= reach * expected) for reach in (1, 2))
    return f"within 1 sd: {one:.0%} (68 %)\nwithin 2 sd: {two:.0%} (95 %)"
