"""The figures of a training run, drawn with matplotlib for a page of a README."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator, PercentFormatter
from numpy.typing import NDArray

from prostreg.geometry.chart import PARAMETERS
from prostreg.outputs.figure_style import EDGE, INK, MethodStyle, method_style, new_figure, polish_axes
from prostreg.simulation.pose_draws import DEGREES
from prostreg.training.convexity import INTENSITY, LEARNED, Convexity

Rows = Sequence[Mapping[str, str]]

SIMILARITY_STYLES: Mapping[str, MethodStyle] = {
    LEARNED: method_style("prost"),
    INTENSITY: method_style("cmaes"),
}
LOSSES = {
    "total": (INK, "-"),
    "gradient": ("#D55E00", (0, (4, 1.5))),
    "value": ("#009E73", "-."),
    "estimate": ("#0072B2", ":"),
}


def draw_convexity(convexity: Convexity, title: str) -> Figure:
    """The courses along the six parameters: mean over the X-rays, and a band that half of them lie in."""
    figure = new_figure(height=5.4)
    panels = figure.subplots(2, 3, sharey=True).flatten()
    shares = {name: convexity.right_share(name) for name in SIMILARITY_STYLES}
    for index, (axes, parameter) in enumerate(zip(panels, PARAMETERS, strict=True)):
        unit = "degrees" if DEGREES[index] else "mm"
        spread = convexity.spread[index]
        offsets = convexity.offsets * (np.rad2deg(spread) if DEGREES[index] else spread)
        axes.axvline(0.0, color=EDGE, linewidth=0.8, zorder=0)
        for name, style in SIMILARITY_STYLES.items():
            _draw_course(axes, offsets, convexity.curves[name][:, index], name, style)
        axes.set_title(parameter, loc="left", fontsize=11, color=INK, pad=19)
        _tell_shares(axes, {name: float(share[index]) for name, share in shares.items()})
        polish_axes(axes, "")
        axes.set_xlim(offsets[0], offsets[-1])
        axes.set_ylim(-0.03, 1.05)
        axes.set_xlabel(f"from the truth, {unit}")
    for axes in panels[::3]:
        axes.set_ylabel("smaller is better, 0 to 1")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
    figure.suptitle(f"{title}: {len(convexity.curves[LEARNED])} X-rays", x=0.01, ha="left", fontsize=12, color=INK)
    return figure


def _draw_course(
    axes: Axes, offsets: NDArray[np.float64], curves: NDArray[np.float64], name: str, style: MethodStyle
) -> None:
    low, high = np.quantile(curves, [0.25, 0.75], axis=0)
    axes.fill_between(offsets, low, high, color=style.colour, alpha=0.2, linewidth=0)
    label = (
        f"{name} (band: half of the X-rays; %: where a step downhill goes the right way)" if name == LEARNED else name
    )
    axes.plot(offsets, curves.mean(axis=0), color=style.colour, linestyle=style.line, linewidth=2, label=label)


def _tell_shares(axes: Axes, shares: Mapping[str, float]) -> None:
    """One line above the panel, in the colours of the curves."""
    for (name, share), (place, side) in zip(shares.items(), ((0.0, "left"), (1.0, "right")), strict=True):
        style = SIMILARITY_STYLES[name]
        axes.text(
            place, 1.03, f"{name} {100 * share:.0f} %", transform=axes.transAxes, ha=side, va="bottom", fontsize=9,
            color=style.colour, weight="bold",
        )  # fmt: skip


def draw_curves(training: Rows, validation: Rows, title: str) -> Figure:
    """The losses over the steps; and below, what descents do on X-rays of patients that are never trained on."""
    figure = new_figure(height=6.4)
    upper, middle, lower = figure.subplots(3, 1, sharex=True, height_ratios=[3, 2, 2])
    steps = _column(training, "step")
    for name, (colour, line) in LOSSES.items():
        values = _column(training, name)
        if (values > 0).any():
            upper.plot(steps, values, color=colour, linestyle=line, linewidth=1.6, label=name)
    upper.set_yscale("log")
    upper.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    upper.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    upper.yaxis.set_minor_locator(NullLocator())
    upper.set_ylabel("training loss")
    seen = _column(validation, "step")
    middle.plot(seen, _column(validation, "before"), color="#777777", linestyle=(0, (1, 1.5)), label="start")
    middle.plot(seen, _column(validation, "after"), color=INK, marker="o", markersize=3, label="descent's end")
    middle.set_ylim(bottom=0)
    middle.set_ylabel("validation:\nmedian error, spreads")
    _plot_share(lower, validation, "arrived", "#CC79A7", "-", "descents\nthat arrive")
    _plot_share(lower, validation, "right_direction", "#0072B2", "--", "parameters that\nmove the right way")
    _plot_share(lower, validation, "cosine", "#009E73", "-.", "cosine to\nthe right way")
    lower.set_ylim(-0.03, 1.03)
    lower.yaxis.set_major_formatter(PercentFormatter(1.0))
    lower.set_ylabel("validation:\nshare")
    lower.set_xlabel("steps")
    for axes, heading in ((upper, title), (middle, ""), (lower, "")):
        polish_axes(axes, heading)
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=9, frameon=False)
    return figure


def _plot_share(axes: Axes, rows: Rows, name: str, colour: str, line: str, label: str) -> None:
    axes.plot(
        _column(rows, "step"), _column(rows, name), color=colour, linestyle=line, marker="o", markersize=3, label=label
    )


def _column(rows: Rows, name: str) -> NDArray[np.float64]:
    return np.array([float(row[name]) for row in rows])
