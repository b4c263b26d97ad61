"""From which side real angiograms are seen: centre lines of a phantom in its eight pictures, both ways round.

The frame that the product takes of each run gives a map of its vessels. One rotation of the centre lines for all
pictures and one shift for each are sought: with the C-arm by the tags, as they say by ``viewing_side`` and the other
way round, and with both angles reversed. A fit is the mean distance of drawn lines from vessels and of vessels from
drawn lines.

    python Testing/Measurements/sides_of_angiograms.py FOLDER --figure FILE.png

FOLDER holds IM*.dcm and Centerlines.vtk.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, gaussian_filter, label, map_coordinates
from scipy.optimize import least_squares
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from prostreg.geometry.carm import CArm
from prostreg.images.dicom_geometry.viewing_side import ViewingSide
from prostreg.images.dicom_tags import read_header
from prostreg.images.xray_reading import read_xray_image
from ProSTRegistrationLib.Nodes.CArmSettings import CArmSettings, carmOfSettings
from ProSTRegistrationLib.Nodes.DicomCArm import settingsFromTags

PIXEL_MM = 200 / 512
"""Of the detector; only half of the files tell it."""
RIM_PX, FINE_PX, COARSE_PX = 24, 2.0, 14.0
DARKER_BY = 4.0
"""Grey values by which vessels are darker than what surrounds them."""
FEWEST_PIXELS = 150
FARTHEST_PX = 40.0
"""Distances count up to this: the phantom's case and its screws are no vessels."""
COARSE_FACTOR, ROTATIONS, REFINED = 8, 3000, 6
EVERY_POINT = 3


@dataclass(frozen=True)
class Picture:
    """One frame of a run, as stored.

    Attributes:
        vessels: bool (height, width).
        settings: the C-arm by the tags.
        side: what the tags tell.
    """

    name: str
    pixels: NDArray[np.float64]
    vessels: NDArray[np.bool_]
    settings: CArmSettings
    side: ViewingSide


@dataclass(frozen=True)
class Shown:
    """A picture the way round that is tried, with what a fit needs."""

    carm: CArm
    distance: NDArray[np.float64]
    places: NDArray[np.float64]
    coarse: NDArray[np.complex128]


@dataclass(frozen=True)
class Fit:
    """Attributes: distance_px: two-sided mean over all pictures; drawn: lines (n, 2) in each picture as shown."""

    distance_px: float
    drawn: tuple[NDArray[np.float64], ...]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--figure", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    files = sorted(arguments.folder.glob("IM*.dcm"))
    if not files:
        sys.exit(f"Skipped: {arguments.folder} holds no IM*.dcm.")
    pictures = [read_picture(file) for file in files]
    points_mm = read_points_mm(arguments.folder / "Centerlines.vtk")
    for picture in pictures:
        angles = f"{picture.settings.primaryAngleDeg:g}/{picture.settings.secondaryAngleDeg:g}"
        print(f"{picture.name}: angles {angles}, SDD {picture.settings.sddMm:g} mm. {picture.side.sentence}")
    print("\n| picture | angles | two-sided distance, pixels |\n|---|---|---|")
    fits = {}
    for is_other, words in ((False, "the way round that the tags tell"), (True, "the other way round")):
        for sense, angles in ((1, "as DICOM has them"), (-1, "both reversed")):
            fit = best_fit([shown(picture, is_other, sense) for picture in pictures], points_mm, arguments.seed)
            fits[is_other, sense] = fit
            print(f"| {words} | {angles} | {fit.distance_px:.1f} |", flush=True)
    if arguments.figure is not None:
        draw(pictures, fits[False, 1], fits[True, 1], arguments.figure)


def read_picture(file: Path) -> Picture:
    """The frame that the product takes of a run."""
    image = read_xray_image(file)
    tags = read_header(file)
    if tags is None or image.side is None:
        raise SystemExit(f"{file} is no DICOM file.")
    pixels = image.pixels.astype(np.float64)
    found = settingsFromTags(tags, pixels.shape[::-1]).settings
    settings = CArmSettings(
        found.sddMm, found.sodMm, (PIXEL_MM, PIXEL_MM), None, found.primaryAngleDeg, found.secondaryAngleDeg
    )
    return Picture(file.stem, pixels, vessels_of(pixels), settings, image.side)


def vessels_of(pixels: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Lines that are darker than what surrounds them, without small pieces and what lies at the rim."""
    darker = gaussian_filter(pixels, COARSE_PX) - gaussian_filter(pixels, FINE_PX) > DARKER_BY
    inside = np.zeros_like(darker)
    inside[RIM_PX:-RIM_PX, RIM_PX:-RIM_PX] = True
    pieces, _ = label(darker & inside, np.ones((3, 3)))
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    return np.asarray((sizes >= FEWEST_PIXELS)[pieces])


def read_points_mm(file: Path) -> NDArray[np.float64]:
    """The points of a legacy VTK file (n, 3), about their middle."""
    words = file.read_text().split()
    count = int(words[words.index("POINTS") + 1])
    begin = words.index("POINTS") + 3
    points = np.array(words[begin : begin + 3 * count], dtype=np.float64).reshape(-1, 3)
    return points - points.mean(axis=0)


def shown(picture: Picture, is_other: bool, sense: int) -> Shown:
    """The picture as the tags say it is seen from the source, or the other way round; angles in one sense or both."""
    is_reversed = picture.side.is_from_detector is not is_other
    vessels = picture.vessels[:, ::-1] if is_reversed else picture.vessels
    given = picture.settings
    turned = CArmSettings(
        given.sddMm,
        given.sodMm,
        given.pixelSizeMm,
        None,
        sense * given.primaryAngleDeg,
        sense * given.secondaryAngleDeg,
    )
    distance = np.minimum(distance_transform_edt(~vessels), FARTHEST_PX)
    height, width = vessels.shape
    blocks = distance.reshape(height // COARSE_FACTOR, COARSE_FACTOR, width // COARSE_FACTOR, COARSE_FACTOR)
    padded = np.pad(
        blocks.mean(axis=(1, 3)), [(0, height // COARSE_FACTOR), (0, width // COARSE_FACTOR)],
        constant_values=FARTHEST_PX,
    )  # fmt: skip
    rows, columns = np.nonzero(vessels)
    places = np.stack([columns, rows], axis=1)[:: 4 * EVERY_POINT].astype(np.float64)
    return Shown(carmOfSettings(turned, vessels.shape[::-1]), distance, places, np.fft.rfft2(padded))


def best_fit(views: list[Shown], points_mm: NDArray[np.float64], seed: int) -> Fit:
    """The best of the rotations that were tried, the likeliest refined together with all shifts."""
    few_mm = points_mm[::EVERY_POINT]
    candidates = []
    for rotation in Rotation.random(ROTATIONS, rng=np.random.default_rng(seed)):
        turned_mm = rotation.apply(few_mm)
        shifts, costs = zip(*(best_shift(view, view.carm.project_world(turned_mm)) for view in views), strict=True)
        candidates.append((float(np.mean(costs)), rotation.as_rotvec(), np.array(shifts)))
    candidates.sort(key=lambda candidate: candidate[0])
    refined = [refine(views, few_mm, turn, shifts) for _, turn, shifts in candidates[:REFINED]]
    best = min(refined, key=lambda parameters: two_sided_px(views, points_mm, parameters))
    return Fit(two_sided_px(views, points_mm, best), tuple(lines(views, points_mm, best)))


def best_shift(view: Shown, drawn: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """The shift in pixels that brings drawn points nearest to the vessels, on a coarse grid, and the mean distance."""
    middle = drawn.mean(axis=0)
    height, width = (2 * n // COARSE_FACTOR for n in view.distance.shape)
    cells = np.round((drawn - middle) / COARSE_FACTOR).astype(int)
    points = np.zeros((height, width))
    np.add.at(points, (cells[:, 1] % height, cells[:, 0] % width), 1.0 / len(cells))
    costs = np.fft.irfft2(view.coarse * np.conj(np.fft.rfft2(points)), s=(height, width))
    row, column = np.unravel_index(costs.argmin(), costs.shape)
    place = (np.array([column, row]) + 0.5) * COARSE_FACTOR
    return place - middle, float(costs.min())


def lines(
    views: list[Shown], points_mm: NDArray[np.float64], parameters: NDArray[np.float64]
) -> list[NDArray[np.float64]]:
    turned_mm = Rotation.from_rotvec(parameters[:3]).apply(points_mm)
    shifts = parameters[3:].reshape(-1, 2)
    return [view.carm.project_world(turned_mm) + shift for view, shift in zip(views, shifts, strict=True)]


def distances_px(view: Shown, drawn: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of drawn points from vessels, and of vessels from drawn points, both up to a limit."""
    there = map_coordinates(view.distance, drawn.T[::-1], order=1, mode="nearest")
    back = np.minimum(cKDTree(drawn).query(view.places)[0], FARTHEST_PX)
    return there, back


def refine(
    views: list[Shown], points_mm: NDArray[np.float64], turn: NDArray[np.float64], shifts: NDArray[np.float64]
) -> NDArray[np.float64]:
    def residuals(scaled: NDArray[np.float64]) -> NDArray[np.float64]:
        both = [distances_px(v, d) for v, d in zip(views, lines(views, points_mm, scaled * scales), strict=True)]
        return np.concatenate([part / np.sqrt(len(part)) for pair in both for part in pair])

    scales = np.concatenate([np.full(3, 0.02), np.full(shifts.size, 2.0)])
    start = np.concatenate([turn, shifts.ravel()]) / scales
    found = least_squares(residuals, start, loss="soft_l1", diff_step=0.05, max_nfev=25)
    return np.asarray(found.x * scales)


def two_sided_px(views: list[Shown], points_mm: NDArray[np.float64], parameters: NDArray[np.float64]) -> float:
    pairs = zip(views, lines(views, points_mm, parameters), strict=True)
    return float(np.mean([np.mean([part.mean() for part in distances_px(view, drawn)]) for view, drawn in pairs]))


def draw(pictures: list[Picture], fit: Fit, other: Fit, file: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, len(pictures), figsize=(2 * len(pictures), 4.6), layout="constrained")
    rows = ((fit, False, "as the tags tell"), (other, True, "the other way round"))
    for row, (found, is_other, words) in zip(axes, rows, strict=True):
        for ax, picture, drawn in zip(row, pictures, found.drawn, strict=True):
            is_reversed = picture.side.is_from_detector is not is_other
            ax.imshow(picture.vessels[:, ::-1] if is_reversed else picture.vessels, cmap="gray_r", vmax=2)
            ax.plot(*drawn.T, ".", markersize=1.2, color="tab:orange")
            ax.set(xticks=[], yticks=[], xlim=(0, picture.pixels.shape[1]), ylim=(picture.pixels.shape[0], 0))
            ax.set_title(f"{picture.settings.primaryAngleDeg:g}/{picture.settings.secondaryAngleDeg:g}", fontsize=8)
        row[0].set_ylabel(f"{words}: {found.distance_px:.1f} px", fontsize=8)
    figure.savefig(file, dpi=100)


if __name__ == "__main__":
    main()
