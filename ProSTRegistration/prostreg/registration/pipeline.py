"""A registration from start to verdict: refine the start, search globally, polish, judge, and restart if need be."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from functools import cached_property

import cma
import numpy as np
import torch

import prostreg
from prostreg.errors import DeviceError, Stopped, WeightsError
from prostreg.geometry.chart import PoseChart
from prostreg.geometry.frames import Matrix, transform_points
from prostreg.registration.acceptance import Verdict, judge
from prostreg.registration.case import Case
from prostreg.registration.config import RegistrationConfig
from prostreg.registration.levels import Levels
from prostreg.registration.result import Progress, Result, StageReport
from prostreg.registration.start import anatomy_centre_mm, anatomy_points_mm, start_pose
from prostreg.search.cmaes import Candidate, cmaes_search
from prostreg.search.objective import Objective
from prostreg.search.polish import polish

MOST_RESTARTS = 64
POLISH_STEPS = 30
CANDIDATES_POLISHED = 2


def register(
    case: Case,
    config: RegistrationConfig | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    is_cancelled: Callable[[], bool] | None = None,
) -> Result:
    """Finds the pose of a case's CT in its X-rays.

    Args:
        case: images in memory.
        config: settings; defaults if it is not given.
        on_progress: called between evaluations with the state of the run.
        is_cancelled: asked between evaluations; when it says yes the run ends within one
            CMA-ES generation.

    Returns:
        The result; if the run was cancelled or out of time, the best pose so far with ``stopped`` set.

    Raises:
        InputError: the case cannot be registered, for example for its start pose.
        WeightsError: the method needs network weights that are not there.
        DeviceError: the device cannot be used here.
    """
    return _Run(case, config or RegistrationConfig(), on_progress, is_cancelled).result()


class _Run:
    """One registration under way."""

    def __init__(
        self,
        case: Case,
        config: RegistrationConfig,
        on_progress: Callable[[Progress], None] | None,
        is_cancelled: Callable[[], bool] | None,
    ) -> None:
        _check_method(config)
        self._began = time.perf_counter()
        self._case, self._config = case, config
        self._on_progress, self._is_cancelled = on_progress, is_cancelled
        self._start = start_pose(case)
        self._centre_mm = anatomy_centre_mm(anatomy_points_mm(case))
        self._chart = PoseChart(self._start, case.views[0].carm.camera_from_world, self._centre_mm)
        self._levels = Levels(case, self._start, self._centre_mm, config.projector)
        self._stages: list[StageReport] = []
        self._best = Candidate(-np.inf, np.zeros(6))
        self._restarts_done = 0

    def result(self) -> Result:
        stopped = None
        try:
            self._search()
        except Stopped as reason:
            stopped = str(reason)
        if not np.isfinite(self._best.score):
            pose = self._chart.world_from_volume_at(self._best.parameters)
            self._best = Candidate(float(self._fine.scores(pose)[0]), self._best.parameters)
        return self._report(judge(self._best.score), stopped)

    @cached_property
    def _coarse(self) -> Objective:
        return self._levels.objective(self._config.search_pixels, self._config.patch_radius_px, 2, 2.0)

    @cached_property
    def _fine(self) -> Objective:
        ratio = self._config.polish_pixels / self._config.search_pixels
        radius = max(self._config.patch_radius_px, round(self._config.patch_radius_px * ratio / 2))
        return self._levels.objective(self._config.polish_pixels, radius, max(2, radius // 3), 1.0)

    def _search(self) -> None:
        restarts = self._config.restarts
        if restarts == "auto":
            restarts = 1 if self._config.method == "cmaes" else MOST_RESTARTS
        until_accepted = self._config.method == "auto" and self._config.restarts == "auto"
        if until_accepted:
            self._polish_all([Candidate(0.0, np.zeros(6))], "start")
        while self._restarts_done < int(restarts):
            if until_accepted and judge(self._best.score).status == "accepted":
                return
            runs = min(self._config.restarts_per_round, int(restarts) - self._restarts_done)
            candidates = self._global_search(runs)
            self._polish_all(sorted(candidates, key=lambda c: -c.score)[:CANDIDATES_POLISHED], "polish")
            self._restarts_done += runs

    def _global_search(self, runs: int) -> list[Candidate]:
        config = self._config
        began, before = time.perf_counter(), self._coarse.evaluations
        spread = np.array(
            [np.deg2rad(config.spread_rotation_deg)] * 3 + [config.spread_shift_mm] * 2 + [config.spread_depth_mm]
        )

        def on_generation(generation: int, best: Candidate) -> None:
            self._tell("cmaes", (generation + 1) / config.generations, best)

        rng = np.random.default_rng([config.seed, self._restarts_done])
        candidates = cmaes_search(
            self._coarse, self._chart, np.zeros((runs, 6)), spread, config.population, config.generations, rng,
            on_generation,
        )  # fmt: skip
        score = max(candidate.score for candidate in candidates)
        self._add_stage("cmaes", self._coarse.evaluations - before, began, score, runs)
        return candidates

    def _polish_all(self, candidates: list[Candidate], name: str) -> None:
        began, before = time.perf_counter(), self._fine.evaluations
        score = -np.inf
        for candidate in candidates:
            polished = polish(
                self._fine, self._chart, candidate.parameters, POLISH_STEPS, lambda best: self._tell(name, 1.0, best)
            )
            score = max(score, polished.score)
            if polished.score > self._best.score:
                self._best = polished
        self._add_stage(name, self._fine.evaluations - before, began, score, len(candidates))

    def _add_stage(self, name: str, evaluations: int, began: float, score: float, starts: int) -> None:
        self._stages.append(StageReport(name, evaluations, time.perf_counter() - began, score, starts))

    def _tell(self, stage: str, share: float, best: Candidate) -> None:
        elapsed = time.perf_counter() - self._began
        if self._on_progress is not None:
            pose = self._chart.world_from_volume_at(best.parameters)[0]
            message = f"{stage}: similarity {best.score:.3f}"
            self._on_progress(Progress(stage, share, best.score, pose, message))
        if self._is_cancelled is not None and self._is_cancelled():
            raise Stopped("cancelled")
        if elapsed > self._config.time_limit_s:
            raise Stopped("time limit")

    def _report(self, verdict: Verdict, stopped: str | None) -> Result:
        pose = self._chart.world_from_volume_at(self._best.parameters)[0]
        return Result(
            name=self._case.name,
            status=verdict.status,
            confidence=verdict.confidence,
            world_from_volume=pose,
            camera_from_volume=tuple(view.carm.camera_from_world @ pose for view in self._case.views),
            stages=tuple(self._stages),
            seconds=time.perf_counter() - self._began,
            device=f"cpu {platform.processor() or platform.machine()}",
            projector=self._fine.projector.name,
            mtre_mm=mtre_mm(self._case, pose),
            config=self._config.to_dict(),
            versions=_versions(),
            stopped=stopped,
            reasons=verdict.reasons,
        )


def mtre_mm(case: Case, world_from_volume: Matrix) -> float | None:
    """Mean 3D distance of the landmarks from their true places in mm; None where no truth is known."""
    if case.truth_world_from_volume is None or case.landmarks_mm is None:
        return None
    found = transform_points(world_from_volume, case.landmarks_mm)
    true = transform_points(case.truth_world_from_volume, case.landmarks_mm)
    return float(np.linalg.norm(found - true, axis=1).mean())


def _check_method(config: RegistrationConfig) -> None:
    if config.method.startswith("prost"):
        raise WeightsError(
            f"The method '{config.method}' needs weights of the ProST network, and none are installed: choose"
            " 'auto' or 'cmaes'."
        )
    if config.device == "cuda":
        raise DeviceError("No projector for CUDA is installed: choose the device 'auto' or 'cpu'.")


def _versions() -> dict[str, str]:
    return {
        "prostreg": prostreg.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "torch": torch.__version__,
        "cma": cma.__version__,
    }
