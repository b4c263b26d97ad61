"""The figures of an evaluation, drawn with matplotlib for a page of a README."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, PercentFormatter
from numpy.typing import NDArray

from prostreg.evaluation.protocol import Protocol
from prostreg.evaluation.report.calibration import confidence_bins
from prostreg.evaluation.report.error_figure import draw_expected_errors
from prostreg.evaluation.report.statistics import Share, shares_in_bins
from prostreg.evaluation.report.summary import is_success
from prostreg.evaluation.rows import Row
from prostreg.files import complete_file
from prostreg.outputs.figure_style import DPI, EDGE, INK, MethodStyle, method_style, new_figure, polish_axes

CASES_PER_BIN = 10
MOST_BINS = 8
LEAST_MM = 0.05


def write_figures(folder: Path, protocol: Protocol, methods: Sequence[str], rows: Sequence[Row]) -> list[str]:
    """Writes every figure that the rows have data for; gives their names."""
    binned = protocol.starts is not None and bool(protocol.starts.edges_mm)
    drawings: list[tuple[str, Callable[[Protocol, Sequence[str], Sequence[Row]], Figure | None]]] = [
        ("capture_range.png" if binned else "success_over_start.png", draw_success_over_start),
        ("mtre_distribution.png", draw_mtre_distribution),
        ("calibration.png", draw_calibration),
        ("expected_error.png", draw_expected_errors),
    ]
    written = []
    for name, draw in drawings:
        figure = draw(protocol, methods, rows)
        if figure is None:
            (folder / name).unlink(missing_ok=True)
            continue
        with complete_file(folder / name) as unfinished:
            figure.savefig(unfinished, dpi=DPI)
        written.append(name)
    return written


def draw_success_over_start(protocol: Protocol, methods: Sequence[str], rows: Sequence[Row]) -> Figure | None:
    """Success over the start's mTRE, with 95 % intervals, in the protocol's bins or in bins of equal counts."""
    known = [row for row in rows if row.start_mtre_mm is not None]
    if not known:
        return None
    edges = _start_edges(protocol, known, len(methods))
    figure = new_figure()
    axes = figure.add_subplot()
    for number, method in enumerate(methods):
        chosen = [row for row in known if row.method == method]
        hits = [is_success(row, protocol.success_mm) for row in chosen]
        bins = shares_in_bins([row.start_mtre_mm or 0.0 for row in chosen], hits, edges)
        shift = (number - (len(methods) - 1) / 2) * 0.012 * (edges[-1] - edges[0])
        _plot_shares(axes, bins, method_style(method), shift)
    for edge in edges:
        axes.axvline(edge, color=EDGE, linewidth=0.8, zorder=0)
    axes.set_ylim(-0.03, 1.03)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set_xlabel("mTRE of the start, mm (bins between the grey lines)")
    axes.set_ylabel(f"success, mTRE < {protocol.success_mm:g} mm")
    title = "Capture range" if protocol.starts is not None and protocol.starts.edges_mm else "Success over start error"
    polish_axes(axes, f"{title}: {protocol.name}, {len({row.number for row in known})} cases")
    axes.legend(loc="lower left", frameon=True)
    return figure


def _start_edges(protocol: Protocol, rows: Sequence[Row], methods: int) -> NDArray[np.float64]:
    if protocol.starts is not None and protocol.starts.edges_mm:
        return np.array(protocol.starts.edges_mm)
    starts = np.array([row.start_mtre_mm for row in rows], dtype=np.float64)
    count = int(np.clip(len(starts) / max(methods, 1) // CASES_PER_BIN, 1, MOST_BINS))
    edges = np.quantile(starts, np.linspace(0, 1, count + 1))
    return np.asarray(np.unique(edges) if edges[-1] > edges[0] else np.array([edges[0] - 1, edges[0] + 1]))


def _plot_shares(axes: Axes, bins: Sequence[tuple[float, Share]], style: MethodStyle, shift: float) -> None:
    positions, values, below, above = [], [], [], []
    for position, share in bins:
        low, high = share.interval
        positions.append(position + shift)
        values.append(share.value)
        below.append(share.value - low)
        above.append(high - share.value)
    axes.errorbar(
        positions, values, yerr=[below, above], color=style.colour, marker=style.marker, label=style.label,
        linestyle=style.line,
        linewidth=1.8, capsize=3, markersize=6, elinewidth=1.2,
    )  # fmt: skip


def draw_mtre_distribution(protocol: Protocol, methods: Sequence[str], rows: Sequence[Row]) -> Figure | None:
    """Share of cases below an mTRE, on a logarithmic axis; starts for comparison."""
    if all(row.mtre_mm is None for row in rows):
        return None
    figure = new_figure()
    axes = figure.add_subplot()
    for method in methods:
        chosen = [row for row in rows if row.method == method]
        style = method_style(method)
        found = [row.mtre_mm for row in chosen if row.mtre_mm is not None]
        _plot_cumulative(axes, found, len(chosen), style.colour, style.line, style.label)
    first = [row for row in rows if row.method == methods[0]]
    starts = [row.start_mtre_mm for row in first if row.start_mtre_mm is not None]
    if starts:
        _plot_cumulative(axes, starts, len(first), "#777777", (0, (1, 1.5)), "the starts")
    axes.axvline(protocol.success_mm, color=INK, linewidth=1)
    axes.annotate(
        f"success: < {protocol.success_mm:g} mm", (protocol.success_mm, 0.02), xytext=(-6, 0),
        textcoords="offset points", rotation=90, ha="right", va="bottom", color=INK, fontsize=10,
    )  # fmt: skip
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_ylim(0, 1.02)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set_xlabel("mTRE, mm (logarithmic)")
    axes.set_ylabel("cases with a smaller mTRE")
    polish_axes(axes, f"Distribution of the mTRE: {protocol.name}, {len({row.number for row in rows})} cases")
    axes.legend(loc="upper left", frameon=True)
    return figure


def _plot_cumulative(axes: Axes, values: Sequence[float], count: int, colour: str, line: Any, label: str) -> None:
    ordered = np.maximum(np.sort(np.array(values, dtype=np.float64)), LEAST_MM)
    heights = np.arange(1, len(ordered) + 1) / count
    axes.step(
        np.concatenate([ordered[:1], ordered]), np.concatenate([[0.0], heights]), where="post", color=colour,
        linestyle=line, linewidth=2, label=label,
    )  # fmt: skip


def draw_calibration(protocol: Protocol, methods: Sequence[str], rows: Sequence[Row]) -> Figure | None:
    """The calibration figure: how often results of a stated confidence are right, and how many there are of each.

    The bins are narrow near 0 and 1, where confidences pile up, and drawn equally wide.
    """
    judged = [row for row in rows if row.confidence is not None and row.mtre_mm is not None]
    if not judged:
        return None
    figure = new_figure(height=5.6)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    bins = confidence_bins(judged, methods[0], protocol.success_mm)
    for place, entry in enumerate(bins):
        upper.fill_between([place - 0.5, place + 0.5], entry.low, entry.high, color="#d9d9d9", linewidth=0, zorder=0)
    upper.fill_between([], [], [], color="#d9d9d9", label="what the confidence says")
    width = 0.8 / len(methods)
    for number, method in enumerate(methods):
        style, shift = method_style(method), (number - (len(methods) - 1) / 2) * width
        entries = list(enumerate(confidence_bins(judged, method, protocol.success_mm)))
        filled = [(place + shift, entry.right) for place, entry in entries if entry.right.count]
        _plot_shares(upper, filled, method_style(method)._replace(line="none"), 0.0)
        counts = [entry.right.count for _, entry in entries]
        bars = lower.bar([place + shift for place, _ in entries], counts, width * 0.92, color=style.colour)
        lower.bar_label(bars, [str(count) if count else "" for count in counts], fontsize=8, padding=1)
    upper.set_ylim(-0.03, 1.03)
    upper.yaxis.set_major_formatter(PercentFormatter(1.0))
    upper.set_ylabel(f"right, mTRE < {protocol.success_mm:g} mm")
    lower.set_ylabel("results")
    lower.set_ylim(0, 1.25 * max(1.0, lower.get_ylim()[1]))
    lower.set_xticks(range(len(bins)), [entry.label for entry in bins])
    lower.set_xlabel("stated confidence")
    polish_axes(upper, f"Calibration of the confidence: {protocol.name}")
    polish_axes(lower, "")
    upper.legend(loc="upper left", frameon=True)
    return figure
