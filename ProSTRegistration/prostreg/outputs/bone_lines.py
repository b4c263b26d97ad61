"""The outline and the strong inner edges of a DRR as smooth lines, for the PNG and for Slicer's views; numpy alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prostreg.outputs.overlay_drawing import Image, averaged, blurred, factor_to, footprint

Points = NDArray[np.float64]

MOST_PIXELS = 400
"""Lines lie between pixels, so a DRR of this size gives smooth ones; a larger one is reduced."""
OUTLINE_SHARE = 0.12
"""Line integrals above this share of the highest ones lie inside the outline."""
BLUR_WIDTH = 0.005
"""Standard deviation, as a share of the image's width: takes the steps of the CT's slices off the lines."""
BLURS_REACH = 10
"""Beyond so many standard deviations from the bone no blur has anything of it; leaving that out changes no line."""
STRONG_EDGE_QUANTILE = 0.93
WEAK_SHARE = 0.5
"""An edge goes on from a strong place while it keeps this share of its strength."""
BORDER_PIXELS = 1.5
"""Where bone leaves the image there is no edge."""
SHORTEST_WIDTH = 0.1
"""Lines shorter than this share of the image's width are left out."""


@dataclass(frozen=True, eq=False)
class Lines:
    """Lines as segments between shared points.

    Attributes:
        points: (n, 2), (u, v) in pixels of the image, each the end of one or two segments.
        ends: (m, 2) indices of the points where segments begin and end.
    """

    points: Points
    ends: NDArray[np.intp]

    def kept(self, is_kept: NDArray[np.bool_]) -> Lines:
        """The segments chosen by (m,), and the points at their ends."""
        ends, is_used = self.ends[is_kept], np.zeros(len(self.points), dtype=bool)
        is_used[ends] = True
        return Lines(self.points[is_used], (np.cumsum(is_used) - 1)[ends])

    def without(self, is_unwanted: NDArray[np.bool_]) -> Lines:
        """The segments of which no end is among the unwanted points (n,)."""
        first, second = self.ends.T
        return self.kept(~(is_unwanted[first] | is_unwanted[second]))


NO_LINES = Lines(np.empty((0, 2)), np.empty((0, 2), dtype=np.intp))


def bone_lines(drr: Image) -> Lines:
    """The lines of a DRR (height, width), in its pixels; none where it shows nothing."""
    factor = factor_to(MOST_PIXELS, drr.shape)
    small = averaged(np.asarray(drr, dtype=np.float32), factor)
    is_shown = footprint(small, OUTLINE_SHARE)
    if not is_shown.any() or min(small.shape) < 3:
        return NO_LINES
    sigma = max(1.0, BLUR_WIDTH * small.shape[1])
    rows, columns = (_reached(is_shown, axis, sigma) for axis in (1, 0))
    is_shown = is_shown[rows, columns]
    outline, inner = _outline(is_shown, sigma), _inner_edges(small[rows, columns], is_shown, sigma)
    lines = Lines(
        np.concatenate([outline.points, inner.points]) + np.array([columns.start, rows.start]),
        np.concatenate([outline.ends, inner.ends + len(outline.points)]),
    )
    line_of_point = _line_of_point(lines)
    lengths = np.linalg.norm(np.subtract(*lines.points[lines.ends.T]), axis=1)
    line_of_segment = line_of_point[lines.ends[:, 0]]
    is_long = np.bincount(line_of_segment, lengths, len(lines.points)) >= SHORTEST_WIDTH * small.shape[1]
    lines = lines.kept(is_long[line_of_segment])
    # Pixel centres of the reduced image lie between those of the image.
    return Lines((lines.points + 0.5) * factor - 0.5, lines.ends)


def _reached(is_shown: NDArray[np.bool_], other_axis: int, sigma_pixels: float) -> slice:
    """The part of an axis on which lines may lie: what is shown, and as far around it as the blurs reach."""
    shown, reach = np.flatnonzero(is_shown.any(axis=other_axis)), int(BLURS_REACH * sigma_pixels)
    return slice(max(0, int(shown[0]) - reach), int(shown[-1]) + reach + 1)


def _outline(is_shown: NDArray[np.bool_], sigma_pixels: float) -> Lines:
    lines = _level_lines(blurred(is_shown, sigma_pixels), 0.5)
    far_corner = np.array(is_shown.shape[::-1]) - 1
    to_border = np.minimum(lines.points, far_corner - lines.points).min(axis=1)
    return lines.without(to_border < BORDER_PIXELS)


def _inner_edges(drr: Image, is_shown: NDArray[np.bool_], sigma_pixels: float) -> Lines:
    """Edges of a DRR, boolean: its slope is steepest there along its own direction, and steep enough."""
    slope_v, slope_u = np.gradient(blurred(drr, sigma_pixels).astype(np.float64))
    strength = np.hypot(slope_u, slope_v)
    along_v, along_u = np.gradient(strength)
    strong = np.quantile(strength[is_shown], STRONG_EDGE_QUANTILE)
    lines = _level_lines(slope_u * along_u + slope_v * along_v, 0.0)
    lines = lines.without(_sampled(strength, lines.points) < WEAK_SHARE * strong)
    lines = lines.without(_sampled(blurred(~is_shown, 2 * sigma_pixels), lines.points) > 0.05)
    line_of_point = _line_of_point(lines)
    is_strong = np.zeros(len(lines.points), dtype=bool)
    is_strong[line_of_point[_sampled(strength, lines.points) >= strong]] = True
    return lines.kept(is_strong[line_of_point[lines.ends[:, 0]]])


def _level_lines(image: NDArray[np.floating], level: float) -> Lines:
    """The lines on which an image has a value, linear between pixels (marching squares)."""
    is_above = image > level
    crossed_u, crossed_v = is_above[:, 1:] != is_above[:, :-1], is_above[1:] != is_above[:-1]
    (rows_u, columns_u), (rows_v, columns_v) = np.nonzero(crossed_u), np.nonzero(crossed_v)
    left, right = image[rows_u, columns_u], image[rows_u, columns_u + 1]
    upper, lower = image[rows_v, columns_v], image[rows_v + 1, columns_v]
    along_u = np.column_stack([columns_u + (level - left) / (right - left), rows_u])
    along_v = np.column_stack([columns_v, rows_v + (level - upper) / (lower - upper)])
    number_u, number_v = np.full(crossed_u.shape, -1), np.full(crossed_v.shape, -1)
    number_u[rows_u, columns_u] = np.arange(len(along_u))
    number_v[rows_v, columns_v] = np.arange(len(along_u), len(along_u) + len(along_v))
    row, column = np.nonzero(crossed_u[:-1] | crossed_u[1:] | crossed_v[:, :-1])
    # The points on the upper, left, lower and right side of each square that a line crosses; -1 for none.
    sides = np.column_stack(
        [number_u[row, column], number_v[row, column], number_u[row + 1, column], number_v[row, column + 1]]
    )
    is_saddle = (crossed_u[:-1] & crossed_u[1:] & crossed_v[:, :-1])[row, column]
    ends = [np.sort(sides[~is_saddle], axis=1)[:, 2:], sides[is_saddle, :2], sides[is_saddle, 2:]]
    return Lines(np.concatenate([along_u, along_v]).astype(np.float64), np.concatenate(ends))


def _line_of_point(lines: Lines) -> NDArray[np.intp]:
    """The lowest index of a point on the same line, for each point."""
    line, (before, after) = np.arange(len(lines.points)), _beside(lines)
    while True:
        lowest = np.minimum(line, np.minimum(line[before], line[after]))
        if np.array_equal(lowest, line):
            return line
        line = lowest[lowest]


def _beside(lines: Lines) -> NDArray[np.intp]:
    """The points at the other ends of each point's two segments, (2, n); the point itself where there is one only."""
    near, far = lines.ends.T.ravel(), lines.ends[:, ::-1].T.ravel()
    order = np.argsort(near, kind="stable")
    near, far = near[order], far[order]
    is_second = np.append(False, near[1:] == near[:-1]).astype(np.intp)
    beside = np.tile(np.arange(len(lines.points)), (2, 1))
    beside[is_second, near] = far
    return beside


def _sampled(image: NDArray[np.floating], points: Points) -> NDArray[np.float64]:
    """The image's values at points (n, 2), linear between pixels."""
    columns = np.clip(points[:, 0], 0, image.shape[1] - 1.001)
    rows = np.clip(points[:, 1], 0, image.shape[0] - 1.001)
    column, row = columns.astype(int), rows.astype(int)
    right, down = columns - column, rows - row
    upper = image[row, column] * (1 - right) + image[row, column + 1] * right
    lower = image[row + 1, column] * (1 - right) + image[row + 1, column + 1] * right
    return np.asarray(upper * (1 - down) + lower * down)
