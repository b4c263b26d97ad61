"""A registration from start to verdict: refine the start, search globally, polish, judge, and restart if need be."""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import replace

import cma
import numpy as np
import torch
from numpy.typing import NDArray

import prostreg
from prostreg.errors import DeviceError, Stopped, WeightsError
from prostreg.geometry.chart import PoseChart
from prostreg.geometry.frames import Matrix, transform_points
from prostreg.registration.acceptance import Verdict, judge, needs_mirror_check
from prostreg.registration.attempts import AttemptLog
from prostreg.registration.case import Case
from prostreg.registration.confidence import confidence_model
from prostreg.registration.config import RegistrationConfig
from prostreg.registration.evidence import Evidence
from prostreg.registration.expected_error import expected_error, pose_covariance
from prostreg.registration.levels import Levels
from prostreg.registration.mirror_check import mirrored_score
from prostreg.registration.monitor import Monitor
from prostreg.registration.result import ExpectedError, Progress, Result, StageReport
from prostreg.registration.start import anatomy_centre_mm, anatomy_points_mm, start_pose
from prostreg.search.candidate import Candidate
from prostreg.search.cmaes import cmaes_search
from prostreg.search.objective import FootprintScore
from prostreg.search.polish import polish

POLISH_STEPS = 30
CANDIDATES_REFINED = 2

LEAST_KEPT = 0.9
"""Share of the judged score that the final polish must keep; below it, it has slid off."""

SEARCH_SHARE = 0.8
"""Share of a round's work that is the global search; the rest is polish."""


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
        check_method(config)
        self._case, self._config = case, config
        start, points_mm = start_pose(case), anatomy_points_mm(case)
        self._points_mm, centre_mm = points_mm, anatomy_centre_mm(points_mm)
        self._chart = PoseChart(start, case.views[0].carm.camera_from_world, centre_mm)
        self._restarts = _planned_restarts(config)
        rounds = None if self._until_accepted else -(-self._restarts // config.restarts_per_round)
        self._monitor = Monitor(self._chart, rounds, config.time_limit_s, on_progress, is_cancelled)
        self._levels = Levels(case, start, points_mm, centre_mm, config.spread_shift_mm, config)
        self._spread = _spread(config)
        self._log = AttemptLog(case, self._chart, points_mm, self._spread)
        self._stages: list[StageReport] = []
        self._runs_done = 0
        self._start = Candidate(-np.inf, np.zeros(6))
        self._best, self._confidence = self._start, -1.0
        self._leader = self._start

    @property
    def _until_accepted(self) -> bool:
        return self._config.method == "auto" and self._config.restarts == "auto"

    def result(self) -> Result:
        try:
            self._search()
            evidence, expected = self._final_evidence()
            mirrored = self._mirror_check() if self._needs_mirror_check(evidence) else None
            return self._report(judge(evidence, mirrored), evidence, expected, stopped=None)
        except Stopped as reason:
            self._keep_what_was_found()
            evidence, expected = self._final_evidence()
            return self._report(judge(evidence, is_checked=False), evidence, expected, stopped=str(reason))

    def _needs_mirror_check(self, evidence: Evidence) -> bool:
        """With one view, nothing else contradicts a flipped image."""
        return len(self._case.views) == 1 and needs_mirror_check(evidence)

    def _mirror_check(self) -> float:
        began = self._monitor.seconds
        score = mirrored_score(
            self._case, self._best_pose(), self._config, lambda _: self._monitor.check("mirror check", 0.0, self._best)
        )
        self._add_stage("mirror check", 0, began, score, 1)
        return score

    def _evidence(self) -> Evidence:
        return self._log.evidence(self._best.parameters, self._footprint(self._best), self._runs_done, is_kept=True)

    def _final_evidence(self) -> tuple[Evidence, ExpectedError | None]:
        """What is known about the best pose, its precision included; no precision where the anatomy is not seen."""
        evidence = self._evidence()
        if evidence.patches <= 0:
            return evidence, None
        camera = self._case.views[0].carm.camera_from_world
        chart = PoseChart(self._best_pose(), camera, self._chart.centre_mm)
        inflation = confidence_model().error_inflation
        covariance = pose_covariance(self._levels.fine, chart, self._spread, inflation)
        expected = expected_error(covariance, chart, self._points_mm)
        return replace(evidence, expected_mtre_mm=expected.mtre_mm), expected

    def _footprint(self, candidate: Candidate) -> FootprintScore:
        return self._levels.middle.footprint_score(self._chart.world_from_volume_at(candidate.parameters)[0])

    def _best_pose(self) -> Matrix:
        return np.asarray(self._chart.world_from_volume_at(self._best.parameters)[0])

    def _search(self) -> None:
        if self._until_accepted:
            self._refine([self._start], "start")
        while self._restarts > 0 and not (self._until_accepted and judge(self._evidence()).status == "accepted"):
            runs = min(self._config.restarts_per_round, self._restarts)
            candidates = self._global_search(runs)
            self._runs_done += runs
            self._refine(sorted(candidates, key=lambda c: -c.score)[:CANDIDATES_REFINED], "refine")
            self._restarts -= runs
            self._monitor.rounds_done += 1
        self._polish()

    def _global_search(self, runs: int) -> list[Candidate]:
        config = self._config
        began, before = self._monitor.seconds, self._levels.coarse.evaluations

        def on_generation(generation: int, best: Candidate) -> None:
            self._leader = best
            self._monitor.check("cmaes", SEARCH_SHARE * (generation + 1) / config.generations, best)

        rng = np.random.default_rng([config.seed, self._monitor.rounds_done])
        candidates = cmaes_search(
            self._levels.coarse, self._chart, self._starts(runs, rng) * self._spread, self._spread, config.population,
            config.generations, rng, on_generation,
        )  # fmt: skip
        score = max(candidate.score for candidate in candidates)
        self._add_stage("cmaes", self._levels.coarse.evaluations - before, began, score, runs)
        return candidates

    def _starts(self, runs: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Centres of the runs in spreads: the start pose at first, later places around it."""
        if self._monitor.rounds_done == 0:
            return np.zeros((runs, 6))
        return rng.standard_normal((runs, 6))

    def _refine(self, candidates: list[Candidate], name: str) -> None:
        """Climbs from each candidate at the level where poses are judged, and keeps the best."""
        began, before = self._monitor.seconds, self._levels.middle.evaluations
        share = 0.0 if name == "start" else SEARCH_SHARE
        top = -np.inf
        for candidate in candidates:
            refined = polish(
                self._levels.middle, self._chart, candidate.parameters, POLISH_STEPS,
                lambda best: self._monitor.check(name, share, best),
            )  # fmt: skip
            self._consider(refined)
            top = max(top, refined.score)
        self._leader = self._best
        self._add_stage(name, self._levels.middle.evaluations - before, began, top, len(candidates))

    def _consider(self, candidate: Candidate) -> None:
        """Judges a candidate of the middle level, and keeps it if it is the most convincing one so far."""
        confidence = self._log.add(candidate.parameters, self._footprint(candidate), self._runs_done)
        if (confidence, candidate.score) > (self._confidence, self._best.score):
            self._best, self._confidence = candidate, confidence

    def _polish(self) -> None:
        """The last millimetre: climbs at the finest level, without leaving the judged optimum."""
        began, before = self._monitor.seconds, self._levels.fine.evaluations
        polished = polish(
            self._levels.fine, self._chart, self._best.parameters, POLISH_STEPS,
            lambda best: self._monitor.check("polish", 0.0, best),
        )  # fmt: skip
        score = self._judged_score(polished)
        if score > LEAST_KEPT * self._best.score:
            self._best = Candidate(score, polished.parameters)
        self._add_stage("polish", self._levels.fine.evaluations - before, began, polished.score, 1)

    def _judged_score(self, candidate: Candidate) -> float:
        return float(self._levels.middle.scores(self._chart.world_from_volume_at(candidate.parameters))[0])

    def _keep_what_was_found(self) -> None:
        """After a stop: the better of the best finished pose and the one the search was at."""
        for candidate in (self._start, self._leader):
            self._consider(Candidate(self._judged_score(candidate), candidate.parameters))

    def _add_stage(self, name: str, evaluations: int, began: float, score: float, starts: int) -> None:
        self._stages.append(StageReport(name, evaluations, self._monitor.seconds - began, score, starts))

    def _report(
        self, verdict: Verdict, evidence: Evidence, expected: ExpectedError | None, stopped: str | None
    ) -> Result:
        pose = self._best_pose()
        return Result(
            name=self._case.name,
            status=verdict.status,
            confidence=verdict.confidence,
            world_from_volume=pose,
            camera_from_volume=tuple(view.carm.camera_from_world @ pose for view in self._case.views),
            stages=tuple(self._stages),
            seconds=self._monitor.seconds,
            device=f"cpu {platform.processor() or platform.machine()}",
            projector=self._levels.middle.projector.name,
            mtre_mm=mtre_mm(self._case, pose),
            config=self._config.to_dict(),
            versions=_versions(),
            stopped=stopped,
            reasons=verdict.reasons,
            evidence=evidence.to_dict(),
            expected_error=expected,
            attempts=self._log.attempts,
        )


def _planned_restarts(config: RegistrationConfig) -> int:
    if config.restarts != "auto":
        return int(config.restarts)
    return 1 if config.method == "cmaes" else config.most_restarts


def _spread(config: RegistrationConfig) -> NDArray[np.float64]:
    """Uncertainty (6,) of the start in the chart's parameters."""
    rotation, shift, depth = config.spread_rotation_deg, config.spread_shift_mm, config.spread_depth_mm
    return np.array([np.deg2rad(rotation)] * 3 + [shift] * 2 + [depth])


def mtre_mm(case: Case, world_from_volume: Matrix) -> float | None:
    """Mean 3D distance of the landmarks from their true places in mm; None where no truth is known."""
    if case.truth_world_from_volume is None or case.landmarks_mm is None:
        return None
    found = transform_points(world_from_volume, case.landmarks_mm)
    true = transform_points(case.truth_world_from_volume, case.landmarks_mm)
    return float(np.linalg.norm(found - true, axis=1).mean())


def check_method(config: RegistrationConfig) -> None:
    """Whether a registration with these settings can run here, asked before there is a case.

    Raises:
        WeightsError: the method needs network weights that are not there.
        DeviceError: the device cannot be used here.
    """
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
