"""A registration from start to verdict: which stages a method has, when it has seen enough, and what it reports."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property

import numpy as np

from prostreg.choices import METHODS, loaded
from prostreg.errors import Stopped
from prostreg.geometry.chart import PoseChart
from prostreg.geometry.frames import Matrix, mean_distance_mm
from prostreg.images.label_fit import label_fit
from prostreg.images.volume import Volume
from prostreg.machine import processor_name, versions
from prostreg.projector.selection import Projector
from prostreg.registration.acceptance import Verdict, judge, needs_mirror_check, patient_doubt, side_doubt
from prostreg.registration.attempts import AttemptLog
from prostreg.registration.carm.carm_check import Precision, carm_checked, expected_without_check, pose_precision
from prostreg.registration.case import Case
from prostreg.registration.config import RegistrationConfig
from prostreg.registration.device.gpu import found_gpu, refuse_wrong_scores
from prostreg.registration.evidence import Evidence, MirrorFit
from prostreg.registration.learned_search import LearnedSearch
from prostreg.registration.levels import Levels
from prostreg.registration.mirror_check import mirror_fit
from prostreg.registration.monitor import Monitor
from prostreg.registration.neighbours.bones_around import (
    confirmed_by_bones_around,
    fine_with_bones_around,
    other_bone,
    tell_of_anatomy,
    times_as_much_bone,
    with_bones_around,
)
from prostreg.registration.pose_search import PoseSearch
from prostreg.registration.readings import case_read_as, polarities_used, polarity_reasons, reading_of
from prostreg.registration.result import Progress, Result
from prostreg.registration.stages import search_near_and_far
from prostreg.registration.start import ON_STARTS, anatomy_centre_mm, anatomy_points_mm, start_pose, start_spread
from prostreg.registration.weights_choice import chosen_weights, model_of_file, model_to_ask, weights_used
from prostreg.search.candidate import Candidate
from prostreg.search.objective import FootprintScore

SOME_OTHERS, MOSTLY_OTHERS = 1.2, 2.5
"""How many times more bone there must be within reach than the anatomy has, to screen all of it in turn, or always."""

OF_THE_SEARCH = ("runner_up", "agreement", "restarts", "surprise")
"""What evidence tells of the search, and not of the pose."""

Judgement = tuple[Verdict, Evidence, Precision | None]


def register_from_start(
    case: Case,
    config: RegistrationConfig | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    is_cancelled: Callable[[], bool] | None = None,
) -> Result:
    """Finds the pose of a case's CT in its X-rays from the start that it has; see `registering.register`."""
    return _Run(case, config or RegistrationConfig(), on_progress, is_cancelled).result()


def judged_at(
    case: Case,
    found: Result,
    world_from_volume: Matrix,
    config: RegistrationConfig,
    on_progress: Callable[[Progress], None] | None = None,
    is_cancelled: Callable[[], bool] | None = None,
) -> Result:
    """The verdict on a pose near the one that a registration found: the image's word there, and what the search knew.

    Args:
        case: that was registered.
        found: what came of it.
        world_from_volume: the pose to be judged, rigid (4, 4).

    Raises:
        Stopped: the run was cancelled or is out of time.
    """
    begun = replace(case, initial_world_from_volume=found.world_from_volume)
    return _Run(begun, config, on_progress, is_cancelled).judged_at(found, world_from_volume)


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
        rounds = None if self.until_accepted else max(1, -(-self._restarts // config.restarts_per_round))
        self._monitor = Monitor(self._chart, rounds, config.time_limit_s, on_progress, is_cancelled)
        self._doubted: Candidate | None = None
        self._is_settled = False
        self._last_judgement: Judgement
        self._known: dict[str, float] = {}
        self._levels = Levels(case, start, points_mm, centre_mm, config.spread_shift_mm, config)
        self._spread = start_spread(config)
        self._log = AttemptLog(case, self._chart, points_mm, self._spread)
        model = model_to_ask(config, case)
        self._weights, make_learned = None, None
        if model is not None:
            self._weights = weights_used(model)
            make_learned = lambda: LearnedSearch(case, model, start, centre_mm, self._spread)  # noqa: E731
        self.search = PoseSearch(
            self._chart, self._levels, self._spread, self._log, self._monitor, config, make_learned, self._body
        )

    @property
    def until_accepted(self) -> bool:
        return self._config.until_accepted

    @property
    def has_one_view(self) -> bool:
        return len(self._case.views) == 1

    def _body(self, has_all_bone: bool) -> tuple[Case, Levels]:
        """The case and its resolutions, with all bone near the anatomy in its place if asked for, or if far more."""
        least = SOME_OTHERS if has_all_bone else MOSTLY_OTHERS
        if times_as_much_bone(self._bones_around, self._case) < least:
            return self._case, self._levels
        return self._all_bone

    @cached_property
    def _bones_around(self) -> Case:
        return with_bones_around(self._case)

    @cached_property
    def _all_bone(self) -> tuple[Case, Levels]:
        bones, spread_mm = self._bones_around, self._config.spread_shift_mm
        start, points_mm = start_pose(self._case), anatomy_points_mm(bones)
        return bones, Levels(bones, start, points_mm, self._chart.centre_mm, spread_mm, self._config)

    @property
    def runs_left(self) -> int:
        return self._restarts

    def result(self) -> Result:
        try:
            loaded(METHODS[self._config.method].stages)(self)
            while not self._is_finally_judged():
                search_near_and_far(self)
            return self._report(*self._last_judgement, stopped=None)
        except Stopped as reason:
            self.search.keep_what_was_found()
            if self._is_at_doubted_place():
                return self._report(*self._last_judgement, stopped=str(reason))
            evidence, precision = self._final_evidence()
            return self._report(judge(evidence, is_checked=False), evidence, precision, stopped=str(reason))

    def _is_finally_judged(self) -> bool:
        """Polishes the best pose and judges it by all there is; True unless more searching may bring another.

        The last judgement knows the expected error and the mirror image, which the search on its way does not: a pose
        that it doubts gives way to any that is more convincing than what is left of it.
        """
        if not self._is_at_doubted_place():
            self.search.polish()
            self._judge_by_all()
        return self._doubted is None or not self.until_accepted or self.runs_left <= 0

    def _judge_by_all(self) -> None:
        evidence, precision = self._final_evidence()
        mirror = self._mirror_check() if self._needs_mirror_check(evidence) else None
        verdict = judge(evidence, mirror)
        self._doubted = None if verdict.status == "accepted" else self.search.best
        doubts = self._doubts(verdict, evidence, mirror)  # no search mends labels, or tells what is alike apart
        self._is_settled = self._doubted is None and self._side_doubt(mirror) is None
        verdict = judge(evidence, mirror, doubts=doubts)
        self._last_judgement = verdict, evidence, precision
        self.search.confidence = verdict.confidence

    def judged_at(self, found: Result, world_from_volume: Matrix) -> Result:
        """The result at a pose that another search than this run's came to."""
        reading = reading_of(self._case, found.polarities)
        self.search.best = Candidate(-np.inf, self._chart.parameters_of(world_from_volume), reading)
        self._known = {name: found.evidence[name] for name in OF_THE_SEARCH}
        self._judge_by_all()
        result = self._report(*self._last_judgement, stopped=None)
        of_search = (reason for reason in found.reasons if reason.startswith(ON_STARTS))
        return replace(
            result,
            stages=(*found.stages, *result.stages),
            attempts=found.attempts,
            device=found.device,
            projector=found.projector,
            seconds=found.seconds + result.seconds,
            warnings=tuple(dict.fromkeys((*found.warnings, *result.warnings))),
            reasons=(*result.reasons, *of_search),
        )

    def _is_at_doubted_place(self) -> bool:
        """True if the search is where the last judgement was not convinced: then what was judged stands."""
        best, doubted = self.search.best, self._doubted
        if doubted is None or not self._log.is_same_place(best.parameters, doubted.parameters):
            return False
        self.search.best = doubted
        return True

    def search_in_rounds(self, search: Callable[[int], None], most_rounds: int | None = None) -> None:
        """CMA-ES runs, as many as are left, until the pose convinces."""
        rounds = 0
        while self._restarts > 0 and rounds != most_rounds and not self.is_convinced():
            runs = min(self._config.restarts_per_round, self._restarts)
            search(runs)
            self._restarts -= runs
            rounds += 1

    def is_convinced(self) -> bool:
        """True if the search may end early."""
        if not self.until_accepted or self._is_at_doubted_place():
            return False
        return judge(self._evidence()).status == "accepted"

    def _doubts(self, verdict: Verdict, evidence: Evidence, mirror: MirrorFit | None) -> tuple[str, ...]:
        """The objections to a pose that would be accepted."""
        if verdict.status != "accepted":
            return ()
        of_patient = patient_doubt(evidence) if self.has_one_view else None
        doubts = (label_fit(self._case.ct, self._case.anatomy).doubt(), self._side_doubt(mirror), of_patient)
        return tuple(doubt for doubt in doubts if doubt is not None)

    def _side_doubt(self, mirror: MirrorFit | None) -> str | None:
        return None if mirror is None or self._case.views[0].is_side_known else side_doubt(mirror)

    def _needs_mirror_check(self, evidence: Evidence) -> bool:
        """With one view, nothing else contradicts a flipped image."""
        return self.has_one_view and needs_mirror_check(evidence)

    def _mirror_check(self) -> MirrorFit:
        began, best = self._monitor.seconds, self.search.best
        mirror = mirror_fit(
            case_read_as(self._case, self.search.best.reading),
            self.search.best_pose(),
            self._config,
            lambda _: self._monitor.check("mirror check", 0.0, best),
        )
        self.search.add_stage("mirror check", 0, began, mirror.score, 1)
        return mirror

    def _evidence(self) -> Evidence:
        best, footprint = self.search.best, self.search.footprint(self.search.best)
        evidence = self._log.evidence(best.parameters, footprint, self.search.runs_done, is_kept=True)
        return replace(evidence, **self._known, **self._told_by_bones_around(footprint))

    def _told_by_bones_around(self, alone: FootprintScore) -> dict[str, float]:
        """Changes of the evidence for the best pose where bones around clearly confirm it as well."""
        if self._bone_that_tells is None or alone.patches <= 0:
            return {}
        levels = self.search.levels_of(self.search.best)
        together = confirmed_by_bones_around(levels, self._bone_that_tells, self.search.best_pose())
        if together is None or together.score <= alone.score:
            return {}
        return {"confirmed": together.score, "by_bones_around": together.score - alone.score}

    def _with_bones_around(self, precision: Precision) -> Precision:
        if self._bone_that_tells is None:
            return precision
        levels = self.search.levels_of(self.search.best)
        around = fine_with_bones_around(levels, self._bone_that_tells, self.search.best_pose())
        return replace(precision, with_bones_around=around)

    @cached_property
    def _bone_that_tells(self) -> Volume | None:
        around = self._bones_around
        return other_bone(around, self._case) if tell_of_anatomy(around, self._case) else None

    def _final_evidence(self) -> tuple[Evidence, Precision | None]:
        """The evidence for the best pose, its precision included; no precision where the anatomy is not seen."""
        evidence = self._evidence()
        if evidence.patches <= 0:
            return evidence, None
        camera = self._case.views[0].carm.camera_from_world
        chart = PoseChart(self.search.best_pose(), camera, self._chart.centre_mm)
        fine = self.search.levels_of(self.search.best).fine
        precision = pose_precision(fine, chart, self._spread, self._points_mm)
        return precision.added_to(evidence), precision

    @property
    def _projector(self) -> Projector:
        return self.search.levels_of(self.search.best).middle.projector

    def _refuse_wrong_score(self) -> None:
        """Compares what a GPU says of the pose found with what the CPU says.

        Raises:
            DeviceError: they differ by more than rounding.
        """
        if self._projector.is_on_gpu:
            levels, pose = self.search.levels_of(self.search.best), self.search.best_pose()[None]
            refuse_wrong_scores(levels.middle.scores(pose), levels.on_cpu().middle.scores(pose))

    def _report(self, verdict: Verdict, evidence: Evidence, precision: Precision | None, stopped: str | None) -> Result:
        expected, carm_fit, carm = None, None, self._case.views[0].carm
        self._refuse_wrong_score()
        if precision is not None and stopped is None and verdict.status != "failed":
            precision = self._with_bones_around(precision)
            verdict, expected, carm_fit = carm_checked(verdict, precision, carm, self._spread, self._points_mm)
        elif precision is not None:
            expected = expected_without_check(precision, carm, self._points_mm)
        pose = self.search.best_pose()
        polarities = polarities_used(self._case, self.search.best.reading, verdict.confidence)
        return Result(
            name=self._case.name,
            status=verdict.status,
            confidence=verdict.confidence,
            world_from_volume=pose,
            camera_from_volume=tuple(view.carm.camera_from_world @ pose for view in self._case.views),
            stages=tuple(self.search.stages),
            seconds=self._monitor.seconds,
            device=f"cuda {found_gpu().name}" if self._projector.is_on_gpu else f"cpu {processor_name()}",
            projector=self._projector.name,
            mtre_mm=mtre_mm(self._case, pose),
            config=self._config.to_dict(),
            versions=versions(),
            warnings=self._case.notes,
            stopped=stopped,
            reasons=(*verdict.reasons, *polarity_reasons(polarities, verdict.status == "accepted")),
            evidence=evidence.to_dict(),
            expected_error=expected,
            carm_fit=carm_fit,
            attempts=self._log.attempts,
            weights=self._weights,
            polarities=polarities,
            is_settled=self._is_settled and stopped is None,
        )


def _planned_restarts(config: RegistrationConfig) -> int:
    """CMA-ES runs; none where the method has none, whatever the user says."""
    runs = METHODS[config.method].runs
    if runs == 0 or config.restarts == "auto":
        return config.most_restarts if runs is None else runs
    return int(config.restarts)


def mtre_mm(case: Case, world_from_volume: Matrix) -> float | None:
    """Mean 3D distance of the landmarks from their true places in mm; None where no truth is known."""
    if case.truth_world_from_volume is None or case.landmarks_mm is None:
        return None
    return mean_distance_mm(world_from_volume, case.truth_world_from_volume, case.landmarks_mm)


def check_method(config: RegistrationConfig) -> None:
    """Refuses settings with which no registration can run here, before there is a case.

    Raises:
        WeightsError: the method needs network weights that are not there.
    """
    if METHODS[config.method].network == "needed":
        path = chosen_weights(config, case=None)
        if path is not None:
            model_of_file(path)
