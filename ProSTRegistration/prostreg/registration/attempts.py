"""Keeps every pose that a run judged, and what they say about each other."""

from __future__ import annotations

from copy import copy

import numpy as np
from numpy.typing import NDArray

from prostreg.geometry.chart import PoseChart
from prostreg.geometry.frames import Matrix, transform_points
from prostreg.registration.case import Case
from prostreg.registration.confidence import confidence_model
from prostreg.registration.evidence import Evidence
from prostreg.registration.result import Attempt
from prostreg.search.objective import FootprintScore

SAME_PLACE_MM = 10.0
"""Poses whose anatomies lie closer than this, on average, are the same finding."""


class AttemptLog:
    """The poses judged so far.

    Args:
        case: what is registered.
        chart: around the start pose.
        points_mm: points (n, 3) of the anatomy in the volume frame.
        spread: (6,) uncertainty of the start in the chart's parameters.
    """

    def __init__(
        self, case: Case, chart: PoseChart, points_mm: NDArray[np.float64], spread: NDArray[np.float64]
    ) -> None:
        self._case, self._chart, self._points_mm, self._spread = case, chart, points_mm, spread
        self._attempts: list[Attempt] = []

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        return tuple(self._attempts)

    def seen_from(self, case: Case, chart: PoseChart) -> AttemptLog:
        """The same poses, also those to come, in another reading of the image and from another start."""
        log = copy(self)
        log._case, log._chart = case, chart
        return log

    def evidence(
        self, parameters: NDArray[np.float64], footprint: FootprintScore, restarts: int, is_kept: bool = False
    ) -> Evidence:
        """The evidence for a pose with the given parameters (6,), compared with those judged before.

        ``is_kept`` says that the pose is one of those, polished, and so does not confirm itself.
        """
        pose = self._pose(parameters)
        distances = [self._distance_mm(pose, attempt.world_from_volume) for attempt in self._attempts]
        rivals = [
            attempt.evidence["confirmed"]
            for attempt, distance in zip(self._attempts, distances, strict=True)
            if distance > SAME_PLACE_MM
        ]
        return Evidence(
            confirmed=footprint.score,
            patches=footprint.patches,
            seen=self._seen(pose),
            runner_up=max([0.0, *rivals]),
            agreement=float(max(sum(distance <= SAME_PLACE_MM for distance in distances) - is_kept, 0)),
            restarts=float(restarts),
            surprise=float(np.sqrt(np.mean((parameters / self._spread) ** 2))),
        )

    def add(self, parameters: NDArray[np.float64], footprint: FootprintScore, restarts: int) -> float:
        """Judges a pose and keeps it; gives its confidence."""
        evidence = self.evidence(parameters, footprint, restarts)
        confidence = confidence_model().probability(evidence)
        self._attempts.append(Attempt(self._pose(parameters), confidence, evidence.to_dict()))
        return confidence

    def is_same_place(self, parameters: NDArray[np.float64], others: NDArray[np.float64]) -> bool:
        """True if the poses of two parameters (6,) are the same finding."""
        return self._distance_mm(self._pose(parameters), self._pose(others)) <= SAME_PLACE_MM

    def _pose(self, parameters: NDArray[np.float64]) -> Matrix:
        return np.asarray(self._chart.world_from_volume_at(parameters)[0])

    def _distance_mm(self, one: Matrix, other: Matrix) -> float:
        difference = transform_points(one, self._points_mm) - transform_points(other, self._points_mm)
        return float(np.linalg.norm(difference, axis=1).mean())

    def _seen(self, world_from_volume: Matrix) -> float:
        """Share of the anatomy's points that the views show, in the view that shows least."""
        points_world = transform_points(world_from_volume, self._points_mm)
        shares = []
        for view in self._case.views:
            pixels = np.nan_to_num(view.carm.project_world(points_world), nan=-1e6)
            columns, rows = np.rint(np.clip(pixels, -1e6, 1e6)).astype(int).T
            inside = (columns >= 0) & (columns < view.carm.width) & (rows >= 0) & (rows < view.carm.height)
            inside[inside] = view.xray.mask[rows[inside], columns[inside]]
            shares.append(float(inside.mean()))
        return min(shares)
