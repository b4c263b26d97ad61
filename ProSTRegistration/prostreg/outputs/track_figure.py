"""The motion over a run, drawn with matplotlib: six parameters over frames or seconds, lost frames marked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from prostreg.geometry.chart import PARAMETERS
from prostreg.outputs.figure_style import DPI, EDGE, INK, new_figure, polish_axes
from prostreg.tracking.track import Track

TRACKED, UNCERTAIN, LOST = "#0072B2", "#E69F00", "#D55E00"


def draw_track(track: Track) -> Figure:
    """Turns in the upper row and shifts in the lower one, since the frame that was registered first."""
    figure = new_figure(height=5.2)
    panels = figure.subplots(2, 3, sharex=True).flatten()
    places, unit = _places(track)
    motions = np.array([_motion_or_nan(track, number) for number in range(len(track.frames))]).reshape(-1, 6)
    has_status = {
        status: np.array([frame.status == status for frame in track.frames], dtype=bool)
        for status in ("uncertain", "lost")
    }
    for index, (axes, parameter) in enumerate(zip(panels, PARAMETERS, strict=True)):
        _draw_panel(axes, places, motions[:, index], has_status)
        polish_axes(axes, "")
        axes.set_title(f"{parameter}, {'degrees' if index < 3 else 'mm'}", loc="left", fontsize=11, color=INK)
    for axes in panels[3:]:
        axes.set_xlabel(unit)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
    counts = ", ".join(
        f"{len(track.numbers(status))} {status}"
        for status in ("tracked", "uncertain", "lost")
        if track.numbers(status) or status == "tracked"
    )
    title = f"{track.name}: motion since frame {track.first_frame}; {counts}"
    figure.suptitle(title, x=0.01, ha="left", fontsize=12, color=INK)
    return figure


def save_figure(figure: Figure, path: Path) -> None:
    """Writes a figure as PNG."""
    figure.savefig(path, dpi=DPI, format="png")


def _places(track: Track) -> tuple[NDArray[np.float64], str]:
    """Places of the frames on the axis, and its label."""
    times_s = [frame.time_s for frame in track.frames]
    if any(time is None for time in times_s):
        return np.array([frame.number for frame in track.frames], dtype=np.float64), "frame"
    return np.array(times_s, dtype=np.float64), "seconds"


def _motion_or_nan(track: Track, index: int) -> NDArray[np.float64]:
    motion = track.motion(track.frames[index])
    return np.full(6, np.nan) if motion is None else motion


def _draw_panel(
    axes: Axes,
    places: NDArray[np.float64],
    values: NDArray[np.float64],
    has_status: dict[str, NDArray[np.bool_]],
) -> None:
    axes.axhline(0.0, color=EDGE, linewidth=0.8, zorder=0)
    axes.plot(places, values, color=TRACKED, linewidth=1.4, marker="o", markersize=2, label="found")
    unsure, lost = has_status["uncertain"], has_status["lost"]
    if unsure.any():
        axes.plot(
            places[unsure], values[unsure], color=UNCERTAIN, marker="s", markersize=4, linestyle="", label="uncertain"
        )
    for number, place in enumerate(places[lost]):
        axes.axvline(place, color=LOST, linewidth=1.0, alpha=0.5, zorder=0, label="lost" if number == 0 else None)
