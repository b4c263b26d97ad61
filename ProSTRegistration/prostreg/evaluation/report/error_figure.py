"""Expected against true error, one panel for each degree of freedom."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from prostreg.evaluation.protocol import Protocol
from prostreg.evaluation.report.summary import is_success
from prostreg.evaluation.rows import Row
from prostreg.geometry.chart import PARAMETERS
from prostreg.outputs.figure_style import INK, method_style, new_figure, polish_axes

UNITS = ("°", "°", "°", "mm", "mm", "mm")
LEAST = 1e-6
"""Expected errors are drawn no smaller: the axes are logarithmic."""


def draw_expected_errors(protocol: Protocol, methods: Sequence[str], rows: Sequence[Row]) -> Figure | None:
    """True errors of right results over their expected standard deviations, on logarithmic axes."""
    right = [row for row in rows if is_success(row, protocol.success_mm) and row.expected_error is not None]
    if not right:
        return None
    figure = new_figure(height=6.4)
    panels = figure.subplots(2, 3)
    for parameter, axes in enumerate(panels.flat):
        _draw_parameter(axes, parameter, methods, right)
    for axes in panels[1]:
        axes.set_xlabel("expected (standard deviation)")
    for axes in panels[:, 0]:
        axes.set_ylabel("true error")
    figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=5, frameon=False)
    figure.suptitle(
        f"Expected and true errors of right results: {protocol.name}", x=0.01, ha="left", fontsize=12, color=INK
    )
    return figure


def _draw_parameter(axes: Axes, parameter: int, methods: Sequence[str], rows: Sequence[Row]) -> None:
    """One degree of freedom; errors far below what is expected are drawn at the lower edge."""
    expected, true = np.array([_expected_and_true(row, parameter) for row in rows]).T
    left, right = expected.min() / 4, expected.max() * 4  # more than a decade, so that there are ticks
    low, high = expected.min() / 50, max(4 * expected.max(), true.max() * 1.5)
    line = np.array([left, right])
    axes.fill_between(line, low, 2 * line, color="#e8e8e8", linewidth=0, zorder=0, label="within 2 sd (95 %)")
    axes.plot(line, line, color=INK, linewidth=1, label="1 sd (68 % below)")
    for method in methods:
        chosen = np.array([row.method == method for row in rows])
        style = method_style(method)
        axes.scatter(
            expected[chosen], np.maximum(true[chosen], low * 1.1), s=14, color=style.colour, marker=style.marker,
            label=style.label, alpha=0.6, linewidths=0,
        )  # fmt: skip
    axes.set(xscale="log", yscale="log", xlim=(left, right), ylim=(low, high))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_formatter(NullFormatter())
    polish_axes(axes, "")
    one, two = (np.mean(true <= reach * expected) for reach in (1, 2))
    title = f"{PARAMETERS[parameter]}, {UNITS[parameter]}\nwithin 1 sd {one:.0%}, 2 sd {two:.0%}"
    axes.set_title(title, loc="left", fontsize=10, color=INK)


def _expected_and_true(row: Row, parameter: int) -> tuple[float, float]:
    expected = row.expected_error or {}
    deviations = [*expected["rotation_deg"], *expected["translation_mm"]]
    errors = [*(row.turn_errors_deg or ()), *(row.shift_errors_mm or ())]
    return max(deviations[parameter], LEAST), abs(errors[parameter])
