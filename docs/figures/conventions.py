"""Draws docs/figures/conventions.png: the frames, the detector and the pixels, computed with the engine's own CArm.

python docs/figures/conventions.py      (part of `make figures`)
"""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
from numpy.typing import ArrayLike, NDArray

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.patches import Polygon
from scipy.spatial import ConvexHull

from prostreg.geometry.carm import CArm
from prostreg.geometry.frames import transform_points

OUTPUT = Path(__file__).with_name("conventions.png")

SOURCE_TO_ISOCENTRE_MM = 620.0
VOLUME_SIZE_MM = np.array([190.0, 130.0, 150.0])
LANDMARK_VOLUME_MM = np.array([62.0, -25.0, 52.0])

INK, MUTED, CAMERA, PATIENT, DETECTOR, RAY = "#1c2733", "#6b7785", "#c0392b", "#1f6f54", "#2c5f8a", "#d9920a"
PROJECTION = r"$s\,[u\;v\;1]^T = K\,\cdot\,$camera_from_world$\,\cdot\,[X\;Y\;Z\;1]^T$"
PROJECTION_AT = (880, -270)
WHITE_BOX = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}

# Oblique view of the camera frame: beam to the right, image columns towards the reader, rows down.
AZIMUTH, ELEVATION = np.radians(62), np.radians(17)
PAGE_FROM_CAMERA = np.array(
    [
        [np.cos(AZIMUTH), 0, np.sin(AZIMUTH)],
        [-np.sin(AZIMUTH) * np.sin(ELEVATION), -np.cos(ELEVATION), np.cos(AZIMUTH) * np.sin(ELEVATION)],
    ]
)


def example_carm() -> CArm:
    """A detector of 17 x 13 coarse pixels whose principal point is not its centre; the world is the camera."""
    return CArm.from_sdd(sdd_mm=1020, spacing_mm=(30, 30), size=(17, 13), principal_point=(6.5, 7.0))


def example_camera_from_volume() -> NDArray[np.float64]:
    """A supine patient above the source, a little turned: R along u, S against v, A along the beam."""
    turn = np.radians(8)
    straight = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]])
    about_beam = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    matrix = np.eye(4)
    matrix[:3, :3] = about_beam @ straight
    matrix[:3, 3] = (30, -14, SOURCE_TO_ISOCENTRE_MM)
    return matrix


def on_page(points_camera_mm: ArrayLike) -> NDArray[np.float64]:
    return np.asarray(points_camera_mm, dtype=float) @ PAGE_FROM_CAMERA.T


def on_detector(carm: CArm, pixels: ArrayLike) -> NDArray[np.float64]:
    """Pixels (..., 2) as points on the detector plane, camera frame, mm."""
    pixels = np.asarray(pixels, dtype=float)
    homogeneous = np.concatenate([pixels, np.ones((*pixels.shape[:-1], 1))], axis=-1)
    return np.asarray(homogeneous @ np.linalg.inv(carm.intrinsics).T * carm.sdd_mm)


def beside(point_on_page: ArrayLike, right: float, up: float) -> NDArray[np.float64]:
    return np.asarray(point_on_page, dtype=float) + np.array([right, up])


def volume_corners_mm() -> NDArray[np.float64]:
    return (np.array(list(np.ndindex(2, 2, 2))) - 0.5) * VOLUME_SIZE_MM


def draw_line(axes: Axes, start: ArrayLike, end: ArrayLike, **style: object) -> None:
    axes.plot(*on_page([start, end]).T, **style)


def draw_axis(axes: Axes, origin: ArrayLike, vector: ArrayLike, label: str, colour: str, gap: float = 16) -> None:
    """An arrow in the camera frame with its name behind the tip."""
    start = on_page(origin)
    tip = on_page(np.asarray(origin) + np.asarray(vector))
    axes.annotate(
        "", tip, start, arrowprops={"arrowstyle": "-|>", "color": colour, "lw": 2.2, "shrinkA": 0, "shrinkB": 0}
    )
    name_at = tip + gap * (tip - start) / np.linalg.norm(tip - start)
    axes.text(*name_at, label, color=colour, ha="center", va="center", fontsize=11, weight="bold")


def draw_detector(axes: Axes, carm: CArm) -> None:
    width, height = carm.size
    corners = on_detector(carm, [(-0.5, -0.5), (width - 0.5, -0.5), (width - 0.5, height - 0.5), (-0.5, height - 0.5)])
    axes.add_patch(Polygon(on_page(corners), closed=True, facecolor="#e3edf6", edgecolor=DETECTOR, lw=1.8))
    for u in np.arange(0.5, width - 1):
        draw_line(axes, *on_detector(carm, [(u, -0.5), (u, height - 0.5)]), color=DETECTOR, lw=0.3)
    for v in np.arange(0.5, height - 1):
        draw_line(axes, *on_detector(carm, [(-0.5, v), (width - 0.5, v)]), color=DETECTOR, lw=0.3)
    first = on_detector(carm, (0, 0))
    draw_axis(axes, first, (150, 0, 0), "u", DETECTOR)
    draw_axis(axes, first, (0, 150, 0), "v", DETECTOR)
    axes.plot(*on_page(first), "o", color=DETECTOR, ms=5)
    for corner in corners:
        draw_line(axes, (0, 0, 0), corner, color=MUTED, lw=0.6, ls=(0, (4, 4)), zorder=0)
    axes.text(*beside(on_page(corners[1]), 12, -4), "detector", color=DETECTOR, ha="left", va="top", fontsize=11)


def draw_volume(axes: Axes, camera_from_volume: NDArray[np.float64]) -> None:
    corners = transform_points(camera_from_volume, volume_corners_mm())
    axes.add_patch(
        Polygon(on_page(corners)[ConvexHull(on_page(corners)).vertices], facecolor="#d7ece3", alpha=0.75, lw=0)
    )
    bits = np.array(list(np.ndindex(2, 2, 2)))
    towards_reader = np.cross(*PAGE_FROM_CAMERA)
    hidden = int(np.argmin(corners @ towards_reader))
    for first in range(8):
        for second in range(first + 1, 8):
            if np.abs(bits[first] - bits[second]).sum() == 1:
                style = (0, (3, 3)) if hidden in (first, second) else "-"
                draw_line(axes, corners[first], corners[second], color=PATIENT, lw=1.3, ls=style)
    origin = camera_from_volume[:3, 3]
    for column, label in enumerate("RAS"):
        draw_axis(axes, origin, 95 * camera_from_volume[:3, column], label, PATIENT, gap=14)
    top = on_page(corners)[np.argmax(on_page(corners)[:, 1])]
    axes.text(*beside(top, 0, 22), "volume (patient RAS, mm)", color=PATIENT, ha="center", fontsize=11, bbox=WHITE_BOX)


def draw_beam(axes: Axes, carm: CArm, camera_from_volume: NDArray[np.float64]) -> None:
    """Source, camera axes, isocentre, principal ray, and one landmark with its ray."""
    principal = on_detector(carm, carm.principal_point)
    isocentre = (0, 0, SOURCE_TO_ISOCENTRE_MM)
    landmark = transform_points(camera_from_volume, LANDMARK_VOLUME_MM)
    pixel = on_detector(carm, carm.project(landmark))
    draw_line(axes, (0, 0, 0), principal, color=CAMERA, lw=1.1, ls=(0, (7, 3)))
    draw_line(axes, (0, 0, 0), pixel, color=RAY, lw=1.6)
    axes.plot(*on_page(landmark), "o", color=RAY, ms=7, mec="white", zorder=5)
    axes.plot(*on_page(pixel), "o", color=RAY, ms=7, mec="white", zorder=5)
    axes.plot(*on_page(isocentre), "D", color=INK, ms=6, mec="white", zorder=5)
    axes.annotate(
        "isocentre",
        on_page(isocentre),
        beside(on_page(isocentre), -20, -150),
        color=INK,
        fontsize=10,
        ha="center",
        arrowprops={"arrowstyle": "-", "color": MUTED, "lw": 0.8, "shrinkB": 5},
    )
    axes.plot(*on_page(principal), "P", color=CAMERA, ms=9, mec="white", zorder=6)
    for vector, label in (((130, 0, 0), "x"), ((0, 130, 0), "y"), ((0, 0, 130), "z")):
        draw_axis(axes, (0, 0, 0), vector, label, CAMERA)
    axes.plot(*on_page((0, 0, 0)), "*", color=RAY, ms=19, mec=INK, mew=0.8, zorder=6)
    name_at = beside(on_page((0, 0, 0)), 5, 30)
    axes.text(*name_at, "source\n= camera origin", color=INK, ha="center", va="bottom", fontsize=11, bbox=WHITE_BOX)


def draw_distance(axes: Axes, to_z_mm: float, below_mm: float, label: str) -> None:
    """A measure along the beam, drawn under the figure."""
    start, end = on_page([(0, 0, 0), (0, 0, to_z_mm)]) - (0, below_mm)
    style = {"arrowstyle": "<|-|>", "color": MUTED, "lw": 1, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", end, start, arrowprops=style)
    angle = np.degrees(np.arctan2(*(end - start)[::-1]))
    axes.text(
        *(start + end) / 2 - (0, 10),
        label,
        color=MUTED,
        ha="center",
        va="top",
        fontsize=10,
        rotation=angle,
        rotation_mode="anchor",
    )


def draw_room(axes: Axes, carm: CArm, camera_from_volume: NDArray[np.float64]) -> None:
    """Left part: the C-arm in space."""
    draw_detector(axes, carm)
    draw_volume(axes, camera_from_volume)
    draw_beam(axes, carm, camera_from_volume)
    axes.annotate(
        "",
        (95, -22),
        on_page(transform_points(camera_from_volume, -VOLUME_SIZE_MM / 2)),
        arrowprops={"arrowstyle": "-|>", "color": INK, "lw": 1.3, "connectionstyle": "arc3,rad=-0.2", "shrinkA": 2},
    )
    axes.text(285, -62, "camera_from_volume", color=INK, family="monospace", fontsize=10, ha="center", bbox=WHITE_BOX)
    axes.text(*PROJECTION_AT, PROJECTION, color=INK, fontsize=12, ha="center")
    draw_distance(axes, SOURCE_TO_ISOCENTRE_MM, 215, f"source to isocentre, here {SOURCE_TO_ISOCENTRE_MM:.0f} mm")
    draw_distance(axes, carm.sdd_mm, 290, f"source-detector distance (SDD), here {carm.sdd_mm:.0f} mm")
    axes.set_title("In space: camera frame (red), patient (green), detector (blue)", fontsize=12, color=INK)
    axes.set(xlim=(-75, 1190), ylim=(-325, 425), aspect="equal")
    axes.axis("off")


def draw_pixels(axes: Axes, carm: CArm) -> None:
    """Pixel edges and centres, the axes u and v, and where they start."""
    width, height = carm.size
    for axis, count in ((axes.axvline, width), (axes.axhline, height)):
        for edge in np.arange(-0.5, count):
            axis(edge, color=DETECTOR, lw=0.4)
    u, v = np.meshgrid(np.arange(width), np.arange(height))
    axes.plot(u.ravel(), v.ravel(), ".", color=DETECTOR, ms=1.5)
    for tip, label, name_at in (((4.2, 0), "u", (4.6, 0)), ((0, 4.2), "v", (0, 4.7))):
        axes.annotate("", tip, (0, 0), arrowprops={"arrowstyle": "-|>", "color": DETECTOR, "lw": 2.2, "shrinkA": 0})
        axes.text(*name_at, label, color=DETECTOR, weight="bold", fontsize=12, ha="center", va="center")
    axes.plot(0, 0, "o", color=DETECTOR, ms=6)
    axes.annotate(
        "(u, v) = (0, 0):\ncentre of the first pixel",
        (0, 0),
        (1.2, -1.7),
        color=DETECTOR,
        fontsize=10,
        va="center",
        annotation_clip=False,
        arrowprops={"arrowstyle": "-", "color": DETECTOR, "lw": 0.8, "shrinkA": 0, "shrinkB": 4},
    )
    for spine in axes.spines.values():
        spine.set(color=DETECTOR, lw=1.8)


def draw_shadow(axes: Axes, carm: CArm, camera_from_volume: NDArray[np.float64]) -> None:
    """The projected volume with its axes R and S, and the landmark."""
    shadow = carm.project(transform_points(camera_from_volume, volume_corners_mm()))
    axes.add_patch(Polygon(shadow[ConvexHull(shadow).vertices], facecolor="#d7ece3", edgecolor=PATIENT, lw=1.3))
    origin = carm.project(camera_from_volume[:3, 3])
    for column, label in ((0, "R"), (2, "S")):
        tip = carm.project(camera_from_volume[:3, 3] + 65 * camera_from_volume[:3, column])
        axes.annotate("", tip, origin, arrowprops={"arrowstyle": "-|>", "color": PATIENT, "lw": 2, "shrinkA": 0})
        name_at = tip + 0.6 * (tip - origin) / np.linalg.norm(tip - origin)
        axes.text(*name_at, label, color=PATIENT, weight="bold", ha="center", va="center")
    landmark = carm.project(transform_points(camera_from_volume, LANDMARK_VOLUME_MM))
    axes.plot(*landmark, "o", color=RAY, ms=8, mec="white")


def draw_picture(axes: Axes, carm: CArm, camera_from_volume: NDArray[np.float64]) -> None:
    """Right part: the picture as it is shown, seen from the source."""
    width, height = carm.size
    draw_shadow(axes, carm, camera_from_volume)
    draw_pixels(axes, carm)
    axes.plot(*carm.principal_point, "P", color=CAMERA, ms=10, mec="white")
    name_at = beside(carm.principal_point, -0.5, 0.9)
    axes.text(*name_at, "principal point (cx, cy)", color=CAMERA, fontsize=10, ha="center")
    remark = "Seen from the source. A film looked at from the\ndetector's side would be the mirror image of this."
    axes.text(width / 2 - 0.5, height + 0.2, remark, color=INK, fontsize=10, ha="center", va="top")
    axes.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5), aspect="equal", xticks=[], yticks=[])
    axes.set_title("The picture: u right, v down, no flips", fontsize=12, color=INK, pad=48)


def main() -> None:
    """Writes the figure."""
    carm, camera_from_volume = example_carm(), example_camera_from_volume()
    figure, (room, picture) = plt.subplots(1, 2, figsize=(15, 6), width_ratios=(1.75, 1), layout="constrained")
    draw_room(room, carm, camera_from_volume)
    draw_picture(picture, carm, camera_from_volume)
    figure.savefig(OUTPUT, dpi=110, facecolor="white", metadata={"Software": None})
    plt.close(figure)
    print(f"wrote {OUTPUT.name}")


if __name__ == "__main__":
    main()
