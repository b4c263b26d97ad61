"""Curved surfaces of bones: patches between nodes, evaluated as triangles; linear in the nodes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]

DEGREES = {"tri10": (3, 3), "tri15": (4, 4), "quad44": (3, 3), "quad55": (4, 4), "quad54": (4, 3)}
"""Of the polynomials along both sides of each kind of patch; its nodes lie evenly, row by row."""

INTERVALS = 6
"""Into which a side of a patch is divided."""


@dataclass(frozen=True, eq=False)
class Patches:
    """The patches of closed surfaces.

    Attributes:
        points_from_nodes: of each patch, which nodes (p,) and the weights (q, p) of them in its q points.
        triangles: (t, 3) points of all patches, counted on.
        parts: of each node, the number of the closed surface that it lies on.
    """

    points_from_nodes: tuple[tuple[NDArray[np.int64], Points], ...]
    triangles: NDArray[np.int64]
    parts: NDArray[np.int64]

    def corners(self, nodes: Points, part: int) -> Points:
        """Triangles (t, 3, 3) of one part, of nodes (n, 3)."""
        points = np.concatenate([weights @ nodes[numbers] for numbers, weights in self.points_from_nodes])
        of_point = np.concatenate(
            [np.full(len(weights), self.parts[numbers[0]]) for numbers, weights in self.points_from_nodes]
        )
        return np.asarray(points[self.triangles[of_point[self.triangles[:, 0]] == part]])


def read_patches(mesh: Mapping[str, Any]) -> Patches:
    """Patches from a GIAS mesh description: kinds of elements, and which of their points are one and the same."""
    kinds = {int(number): text.split()[1] for number, text in mesh["elements"].items()}
    first = 0
    node_of: dict[tuple[int, int], int] = {}
    evaluated, triangles, first_point = [], [], 0
    for element in sorted(kinds):
        places, weights, local = _evaluated(kinds[element])
        numbers = []
        for place in range(len(places)):
            same = (other.split("_") for other in mesh["connectivity"][f"{element}_{place}"].split())
            known = next((node_of[int(e), int(p)] for e, p in same if (int(e), int(p)) in node_of), None)
            node_of[element, place] = first if known is None else known
            first += known is None
            numbers.append(node_of[element, place])
        evaluated.append((np.array(numbers), weights))
        triangles.append(local + first_point)
        first_point += len(weights)
    parts = _connected([numbers for numbers, _ in evaluated], first)
    return Patches(tuple(evaluated), np.concatenate(triangles), parts)


def joined(first: Patches, second: Patches) -> Patches:
    """Both, the second one's nodes and parts counted on."""
    nodes, points = len(first.parts), sum(len(weights) for _, weights in first.points_from_nodes)
    moved = tuple((numbers + nodes, weights) for numbers, weights in second.points_from_nodes)
    return Patches(
        first.points_from_nodes + moved,
        np.concatenate([first.triangles, second.triangles + points]),
        np.concatenate([first.parts, second.parts + first.parts.max() + 1]),
    )


def _evaluated(kind: str) -> tuple[Points, Points, NDArray[np.int64]]:
    """Places (p, 2) of a patch's nodes, weights (q, p) of its points, and triangles (t, 3) between them."""
    across, along = DEGREES[kind]
    is_triangle = kind.startswith("tri")
    places = _lattice(across, along, is_triangle)
    powers = [(a, b) for b in range(along + 1) for a in range(across + 1) if not is_triangle or a + b <= across]
    at_nodes, points = _monomials(places, powers), _lattice(INTERVALS, INTERVALS, is_triangle)
    return places, _monomials(points, powers) @ np.linalg.inv(at_nodes), _lattice_triangles(is_triangle)


def _monomials(places: Points, powers: list[tuple[int, int]]) -> Points:
    return np.stack([places[:, 0] ** a * places[:, 1] ** b for a, b in powers], axis=-1)


def _lattice(across: int, along: int, is_triangle: bool) -> Points:
    """Evenly spaced places (n, 2) of a unit square, or of the half of it with a sum up to 1, row by row."""
    return np.array(
        [(a / across, b / along) for b in range(along + 1) for a in range(across + 1 - (b if is_triangle else 0))]
    )


def _lattice_triangles(is_triangle: bool) -> NDArray[np.int64]:
    index: dict[tuple[int, int], int] = {}
    triangles = []
    for b in range(INTERVALS + 1):
        for a in range(INTERVALS + 1 - (b if is_triangle else 0)):
            index[a, b] = len(index)
    for a, b in index:
        if (a + 1, b) in index and (a, b + 1) in index:
            triangles.append((index[a, b], index[a + 1, b], index[a, b + 1]))
        if (a + 1, b) in index and (a, b + 1) in index and (a + 1, b + 1) in index:
            triangles.append((index[a + 1, b], index[a + 1, b + 1], index[a, b + 1]))
    return np.array(triangles)


def _connected(patches: list[NDArray[np.int64]], nodes: int) -> NDArray[np.int64]:
    """The number (n,) of each node's connected surface, in the order of their first nodes."""
    lowest = np.arange(nodes)
    while True:
        before = lowest.copy()
        for numbers in patches:
            lowest[numbers] = lowest[numbers].min()
        if np.array_equal(before, lowest):
            return np.unique(lowest, return_inverse=True)[1].reshape(-1)
