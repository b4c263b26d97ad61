"""Draws the icon of the extension and of the module (the same picture), as SVG and as PNG of 128 x 128 pixels.

python docs/figures/icon.py      (part of `make figures`)
"""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.patches import Arc, Circle, Ellipse, FancyBboxPatch, Polygon

REPOSITORY = Path(__file__).resolve().parents[2]
TARGETS = (
    REPOSITORY / "Resources" / "ProSTRegistration",
    REPOSITORY / "ProSTRegistration" / "Resources" / "Icons" / "ProSTRegistration",
)
SIZE_PIXELS = 128

NIGHT, STEEL, BEAM, BONE, MATCH = "#16324a", "#b9cbd8", "#ffd166", "#f4f1e8", "#2ec4b6"


def draw_vertebra(axes: Axes, x: float, y: float) -> None:
    """A vertebra as an X-ray shows it end on: body, arch, processes."""
    for sign in (-1, 1):
        axes.add_patch(Ellipse((x + sign * 15, y - 9), 17, 7, angle=sign * 16, color=BONE, lw=0))
    axes.add_patch(Ellipse((x, y - 17), 8, 17, color=BONE, lw=0))
    axes.add_patch(Circle((x, y - 5), 11, color=BONE, lw=0))
    axes.add_patch(Ellipse((x, y + 9), 32, 22, color=BONE, lw=0))
    axes.add_patch(Circle((x, y - 5), 5.5, color=NIGHT, lw=0))


def draw_icon(axes: Axes) -> None:
    """C-arm, beam, vertebra, and its shadow found on the detector; coordinates are pixels with y upwards."""
    axes.add_patch(FancyBboxPatch((4, 4), 120, 120, boxstyle="round,pad=0,rounding_size=22", color=NIGHT, lw=0))
    axes.add_patch(Arc((62, 65.5), 92, 92, theta1=93, theta2=260, color=STEEL, lw=7.5))
    axes.add_patch(Polygon([(70, 110), (38, 25), (102, 25)], closed=True, color=BEAM, alpha=0.38, lw=0))
    axes.add_patch(FancyBboxPatch((58, 104), 24, 13, boxstyle="round,pad=0,rounding_size=4", color=STEEL, lw=0))
    draw_vertebra(axes, 70, 62)
    axes.add_patch(FancyBboxPatch((32, 13), 76, 12, boxstyle="round,pad=0,rounding_size=3", color=STEEL, lw=0))
    axes.plot([48, 92], [19, 19], color=MATCH, lw=5.5, solid_capstyle="round")


def main() -> None:
    """Writes every icon file."""
    matplotlib.rcParams["svg.hashsalt"] = "ProSTRegistration"
    figure = plt.figure(figsize=(SIZE_PIXELS / 72, SIZE_PIXELS / 72), dpi=72)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, SIZE_PIXELS), ylim=(0, SIZE_PIXELS), aspect="equal")
    axes.axis("off")
    draw_icon(axes)
    for target in TARGETS:
        target.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(target.with_suffix(".svg"), transparent=True, metadata={"Date": None})
        figure.savefig(target.with_suffix(".png"), transparent=True, metadata={"Software": None})
        print(f"wrote {target.relative_to(REPOSITORY)}.svg and .png")
    plt.close(figure)


if __name__ == "__main__":
    main()
