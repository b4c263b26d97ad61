"""Figures of the study, one panel for each anatomy: how often a stated confidence is right, and how errors compare with
those that were expected."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, PercentFormatter

from prostreg.evaluation.confidence.study import StudyRow
from prostreg.evaluation.report.statistics import shares_in_bins
from prostreg.outputs.figure_style import INK, new_figure, polish_axes
from prostreg.registration.confidence import SUCCESS_MM

EDGES = (0.0, 0.2, 0.5, 0.8, 0.95, 1.0)
COLUMNS = 3
PANEL_HEIGHT = 2.9
LEAST_MM, MOST_MM = 0.05, 300.0
RIGHT, WRONG = "#1f6f8b", "#b3452c"


def draw_reliability(rows: Sequence[StudyRow]) -> Figure:
    """Share of right results with its 95 % interval, over the confidence that was stated."""
    figure = _panels(rows, _draw_reliability)
    figure.suptitle("How often a result of a stated confidence is right", x=0.01, ha="left", fontsize=12, color=INK)
    return figure


def draw_errors(rows: Sequence[StudyRow]) -> Figure:
    """True over expected mTRE of accepted results; those that have no true pose are not drawn."""
    figure = _panels([entry for entry in rows if entry.is_accepted], _draw_errors)
    figure.suptitle("Errors of accepted results, and what was expected", x=0.01, ha="left", fontsize=12, color=INK)
    return figure


def _panels(rows: Sequence[StudyRow], draw: Callable[[Axes, Sequence[StudyRow]], None]) -> Figure:
    names = list(dict.fromkeys(entry.group.anatomy for entry in rows)) or ["nothing"]
    lines = math.ceil(len(names) / COLUMNS)
    figure = new_figure(height=PANEL_HEIGHT * lines + 0.5)
    panels = figure.subplots(lines, COLUMNS, squeeze=False).flat
    for name, axes in zip(names, panels, strict=False):
        chosen = [entry for entry in rows if entry.group.anatomy == name]
        draw(axes, chosen)
        polish_axes(axes, f"{name}, {len(chosen)}")
    for axes in list(figure.axes)[len(names) :]:
        axes.remove()
    return figure


def _draw_reliability(axes: Axes, rows: Sequence[StudyRow]) -> None:
    judged = [entry for entry in rows if entry.row.confidence is not None]
    bins = shares_in_bins(
        [entry.row.confidence or 0.0 for entry in judged], [entry.is_right for entry in judged], EDGES
    )
    axes.plot([0, 1], [0, 1], color=INK, linewidth=1)
    for place, share in bins:
        low, high = share.interval
        axes.plot([place, place], [low, high], color=RIGHT, linewidth=1.2)
        axes.plot(place, share.value, "o", color=RIGHT, markersize=5)
        axes.annotate(str(share.count), (place, share.value), xytext=(5, -4), textcoords="offset points", fontsize=8)
    axes.set(xlim=(-0.03, 1.06), ylim=(-0.03, 1.06), xlabel="stated confidence", ylabel="right")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1.0))


def _draw_errors(axes: Axes, rows: Sequence[StudyRow]) -> None:
    known = [entry for entry in rows if entry.row.mtre_mm is not None and entry.row.expected_error is not None]
    expected = np.array([(entry.row.expected_error or {})["mtre_mm"] for entry in known]).reshape(-1)
    true = np.maximum([entry.row.mtre_mm or 0.0 for entry in known], LEAST_MM).reshape(-1)
    line = np.array([LEAST_MM, MOST_MM])
    axes.fill_between(line, LEAST_MM, 3 * line, color="#e8e8e8", linewidth=0, zorder=0)
    axes.plot(line, line, color=INK, linewidth=1)
    axes.axhline(SUCCESS_MM, color=WRONG, linewidth=1, linestyle=":")
    axes.scatter(expected, true, s=16, c=[RIGHT if entry.is_right else WRONG for entry in known], linewidths=0)
    limits = (LEAST_MM, MOST_MM)
    axes.set(xscale="log", yscale="log", xlim=limits, ylim=limits, xlabel="expected, mm", ylabel="true, mm")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
