"""New people drawn from a few: combinations of their bones, mirrored at times, and bent smoothly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prostreg.people.atlas import PARTS, SUBJECTS, Atlas

Points = NDArray[np.float64]

SOCKET_PATCHES = ((36, 38, 39, 40, 41, 42), (109, 111, 112, 113, 114, 115))
"""Patches of the right and the left acetabulum."""
HEAD_MM = (35.0, 1.0, 3.0)
"""What may belong to a femoral head at first; then its distance from the sphere, and beyond the sphere."""
HEAD_ROUNDS = 30

BEND_MM = (2.0, 3.0)
"""Root mean square of what the drawn shapes differ by from combinations of the people at hand: a person left out is
2.4 mm off the nearest combination of 25 others."""
BEND_LENGTH_MM = (25.0, 90.0)
WAVES = 48
SIZE_SPREAD = 0.03
ENOUGH_PEOPLE = 3


@dataclass(frozen=True, eq=False)
class Skeleton:
    """The bones of one person.

    Attributes:
        triangles: by name, closed surfaces (t, 3, 3) in RAS mm; the origin lies midway between the hip centres, and x
            runs through them.
        hip_centres_mm: (2, 3), right and left.
    """

    triangles: dict[str, Points]
    hip_centres_mm: Points


class Population:
    """People who can be drawn.

    Args:
        atlas: bones of SUBJECTS.
        of: names of those whom new people are made of.

    Raises:
        ValueError: they are too few, or one of them is unknown.
    """

    def __init__(self, atlas: Atlas, of: Sequence[str]) -> None:
        if len(of) < ENOUGH_PEOPLE:
            raise ValueError(f"of {len(of)} people none can be drawn: give {ENOUGH_PEOPLE} or more")
        self._patches = atlas.patches
        self._sockets = [np.unique(np.concatenate([_numbers(atlas, e) for e in side])) for side in SOCKET_PATCHES]
        self._is_femur = atlas.patches.parts == PARTS.index("femur_left")
        self._head = self._head_nodes(atlas.nodes.mean(axis=0))
        self._people = np.stack([self._seated(atlas.nodes[SUBJECTS.index(name)]) for name in of])

    def drawn(self, rng: np.random.Generator) -> Skeleton:
        """A person who is none of those at hand; equal generators give equal people.

        As the combinations of the people have the covariance that they themselves have, this draws from all of the
        principal components that they span.
        """
        mean = self._people.mean(axis=0)
        shares = rng.standard_normal(len(self._people)) / np.sqrt(len(self._people) - 1)
        nodes = mean + np.tensordot(shares, self._people - mean, axes=1)
        nodes = nodes * rng.normal(1.0, SIZE_SPREAD, 3)
        nodes = nodes + _bend(nodes, rng)
        return self._skeleton(nodes, is_mirrored=bool(rng.random() < 0.5))

    def person(self, index: int) -> Skeleton:
        """One of those at hand, as measured."""
        return self._skeleton(self._people[index], is_mirrored=False)

    def _skeleton(self, nodes: Points, is_mirrored: bool) -> Skeleton:
        nodes = self._seated(nodes)
        triangles = {name: self._patches.corners(nodes, number) for number, name in enumerate(PARTS)}
        centres = self._hip_centres(nodes)
        triangles["femur_right"] = triangles["femur_left"] * (-1.0, 1.0, 1.0)
        if is_mirrored:
            other = {"left": "right", "right": "left"}
            flipped = {name: corners * (-1.0, 1.0, 1.0) for name, corners in triangles.items()}
            triangles = {"_".join(other.get(word, word) for word in n.split("_")): c for n, c in flipped.items()}
        return Skeleton(triangles, centres)

    def _seated(self, nodes: Points) -> Points:
        """Nodes with the femur's head in its socket, in the frame of a `Skeleton`."""
        right, left = self._hip_centres(nodes)
        nodes = np.where(self._is_femur[:, None], nodes + left - _sphere(nodes[self._head])[0], nodes)
        x = (right - left) / np.linalg.norm(right - left)
        z = np.array([0.0, 0.0, 1.0]) - x[2] * x
        z /= np.linalg.norm(z)
        return np.asarray((nodes - (right + left) / 2) @ np.stack([x, np.cross(z, x), z], axis=-1))

    def _hip_centres(self, nodes: Points) -> Points:
        return np.stack([_sphere(nodes[numbers])[0] for numbers in self._sockets])

    def _head_nodes(self, nodes: Points) -> NDArray[np.int64]:
        """Nodes of the femoral head: a sphere is grown from the node next to the socket."""
        femur = np.flatnonzero(self._is_femur)
        centre = self._hip_centres(nodes)[1]
        seed = nodes[femur[np.argmin(np.linalg.norm(nodes[femur] - centre, axis=1))]]
        first, off_sphere, beyond = HEAD_MM
        head: NDArray[np.int64] = femur[np.linalg.norm(nodes[femur] - seed, axis=1) < first]
        for _ in range(HEAD_ROUNDS):
            centre, radius = _sphere(nodes[head])
            distance = np.linalg.norm(nodes[femur] - centre, axis=1)
            head = femur[(np.abs(distance - radius) < off_sphere) & (distance < radius + beyond)]
        return head


def _numbers(atlas: Atlas, patch: int) -> NDArray[np.int64]:
    return np.asarray(atlas.patches.points_from_nodes[patch][0])


def _sphere(points: Points) -> tuple[Points, float]:
    """Centre (3,) and radius of the sphere through points, by least squares."""
    rows = np.c_[2 * points, np.ones(len(points))]
    solution = np.linalg.lstsq(rows, (points**2).sum(axis=1), rcond=None)[0]
    return solution[:3], float(np.sqrt(solution[3] + (solution[:3] ** 2).sum()))


def _bend(points: Points, rng: np.random.Generator) -> Points:
    """A smooth random displacement (n, 3): waves of many directions and lengths."""
    lengths = np.exp(rng.uniform(np.log(BEND_LENGTH_MM[0]), np.log(BEND_LENGTH_MM[1]), WAVES))
    directions = rng.standard_normal((WAVES, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    angles = points @ (directions / lengths[:, None]).T + rng.uniform(0, 2 * np.pi, WAVES)
    heights = rng.standard_normal((WAVES, 3)) * lengths[:, None] ** 0.5
    moved = np.cos(angles) @ heights
    moved -= moved.mean(axis=0)
    return np.asarray(moved * rng.uniform(*BEND_MM) / np.sqrt((moved**2).sum(axis=1).mean()))
