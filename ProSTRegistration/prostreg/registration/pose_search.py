"""The search for the pose: descents on the learned similarity, CMA-ES, refinement; keeps the most convincing pose."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from prostreg.geometry.chart import PoseChart
from prostreg.geometry.frames import Matrix
from prostreg.registration.attempts import AttemptLog
from prostreg.registration.case import Case
from prostreg.registration.config import RegistrationConfig
from prostreg.registration.learned_search import SCATTER, LearnedSearch
from prostreg.registration.levels import Levels
from prostreg.registration.monitor import Monitor
from prostreg.registration.result import StageReport
from prostreg.registration.screening import screened_around
from prostreg.search.candidate import Candidate
from prostreg.search.cmaes import cmaes_search
from prostreg.search.objective import FootprintScore
from prostreg.search.polish import polish

POLISH_STEPS = 30
CANDIDATES_REFINED = 2
CANDIDATES_SCREENED = 4

WIDER_SCREENING = 1.5
"""A start that the first screening does not mend is thought to be worse than it says."""

LEAST_KEPT = 0.9
"""Share of the judged score that the final polish must keep; below it, it has slid off."""

SEARCH_SHARE = 0.8
"""Share of a round's work that is the global search; the rest is polish."""

DESCENT_STREAM = 1_000_003
"""Stream of random numbers of the descents' starts, apart from those of the rounds of CMA-ES."""


class PoseSearch:
    """Stages that look for the pose, and the best of what they found.

    Args:
        chart: around the start pose; candidates are told in it.
        levels: objectives from coarse to fine.
        spread: (6,) uncertainty of the start in the chart's parameters.
        log: keeps and judges every pose that was refined.
        monitor: told of progress; ends the search by raising Stopped.
        config: settings.
        make_learned: makes the learned part when it is first needed; None where there is none.
        make_body: makes, when they are first needed, the case and the levels by which places far from the start are
            found: True for those with all bone around the anatomy.
    """

    def __init__(
        self,
        chart: PoseChart,
        levels: Levels,
        spread: NDArray[np.float64],
        log: AttemptLog,
        monitor: Monitor,
        config: RegistrationConfig,
        make_learned: Callable[[], LearnedSearch] | None,
        make_body: Callable[[bool], tuple[Case, Levels]],
    ) -> None:
        self._chart, self._levels, self._spread, self._config = chart, levels, spread, config
        self._log, self._monitor = log, monitor
        self._make_learned, self._make_body = make_learned, make_body
        self._bodies: dict[bool, tuple[Case, Levels]] = {}
        self._start = Candidate(-np.inf, np.zeros(6))
        self._leader = self._start
        self._learned: LearnedSearch | None = None
        self._ends: list[Candidate] = []
        self.best, self.confidence = self._start, -1.0
        self.runs_done, self._rounds_from_start, self._screenings = 0, 0, 0
        self.stages: list[StageReport] = []

    @property
    def has_learned(self) -> bool:
        """True if there is a network to descend on."""
        return self._make_learned is not None

    def _body(self, has_all_bone: bool) -> tuple[Case, Levels]:
        if has_all_bone not in self._bodies:
            self._bodies[has_all_bone] = self._make_body(has_all_bone)
        return self._bodies[has_all_bone]

    def best_pose(self) -> Matrix:
        """world_from_volume of the best candidate."""
        return self._pose(self.best)

    def levels_of(self, candidate: Candidate) -> Levels:
        """The resolutions, with X-rays read as for a candidate."""
        return self._levels.read_as(candidate.reading or self._levels.reading_at(self._pose(candidate)))

    def footprint(self, candidate: Candidate) -> FootprintScore:
        """The score of a candidate over its own footprint."""
        return self.levels_of(candidate).middle.footprint_score(self._pose(candidate))

    def refine_start(self) -> None:
        """Climbs from the start pose."""
        self._refine([self._start], "start")

    def descend(self) -> None:
        """Descends on the learned similarity from the start and from around it, and refines the two lowest ends.

        Scores of this stage are those of L_N with the sign changed, and not of the image similarity.
        """
        if self._make_learned is None:
            raise AssertionError("a search without a network was told to descend on it")
        began = self._monitor.seconds
        self._learned = self._learned or self._make_learned()
        before = self._learned.evaluations
        rng = np.random.default_rng([self._config.seed, DESCENT_STREAM])
        starts = SCATTER * rng.standard_normal((self._config.descents, 6)) * self._spread
        starts[0] = 0.0

        def on_step(step: int, poses: NDArray[np.float64], values: NDArray[np.float64]) -> None:
            lowest = int(np.argsort(values)[0])
            self._leader = Candidate(-float(values[lowest]), self._candidate(poses[lowest]).parameters)
            self._monitor.check("prost", 0.0, self._leader)

        descent = self._learned.descents(self._chart.world_from_volume_at(starts), on_step)
        self._ends = [self._candidate(pose) for pose in descent.world_from_volume]
        self.add_stage("prost", self._learned.evaluations - before, began, -float(descent.values[0]), len(starts))
        self._refine(self._ends[:CANDIDATES_REFINED], "refine")

    def search_from_descents(self, runs: int) -> None:
        """CMA-ES around the best ends of the descents, as wide as descents are uncertain.

        A network whose descents narrow nothing on X-rays it never saw is not believed: then the image chooses among
        the ends and the start.
        """
        if self._learned is None:
            raise AssertionError("a search was told to go on from descents before there were any")
        share = self._learned.share_left()
        places = self._ends
        if not self._learned.is_believed:
            places = [self._start, *self._ends]
            scores = self._levels.coarse.scores(np.array([self._pose(place) for place in places]))
            places = [places[index] for index in np.argsort(-scores)]
        chart = PoseChart(self._pose(places[0]), self._chart.camera_from_world, self._chart.centre_mm)
        starts = [chart.parameters_of(self._pose(places[index % len(places)])) for index in range(runs)]
        self._search(chart, np.array(starts), self._spread * share, runs)

    def search_from_start(self, runs: int) -> None:
        """CMA-ES around the start pose; after the first round from places drawn around it."""
        starts = np.zeros((runs, 6))
        if self._rounds_from_start > 0:
            starts = self._rng().standard_normal((runs, 6)) * self._spread
        self._rounds_from_start += 1
        self._search(self._chart, starts, self._spread, runs)

    def search_from_screening(self, runs: int) -> None:
        """Matches turns about the start with the image, by the thousand if need be, and refines the best.

        In the image other bones lie over and beside the anatomy, and a small bone fits in many places: with the bones
        around it as one body it is found from afar. Only then it is refined alone. For bones move against each other,
        every other screening matches a large anatomy alone.
        """
        case, levels = self._body(has_all_bone=self._screenings % 2 == 0)
        began, wider = self._monitor.seconds, WIDER_SCREENING if self._screenings else 1.0
        self._screenings += 1
        screened = screened_around(
            case, self._config, levels, self._chart, wider * self._spread, self._rng(),
            lambda: self._monitor.check("screening", 0.0, self._leader),
        )  # fmt: skip
        found = [self._candidate(pose) for pose in screened.poses[:CANDIDATES_SCREENED]]
        score = float(levels.coarse.scores(screened.poses[0][None])[0])
        self.add_stage("screening", screened.evaluations, began, score, runs)
        self.runs_done += runs
        self._refine(found if levels is self._levels else self._climbed(levels, found), "refine")
        self._monitor.rounds_done += 1

    def polish(self) -> None:
        """The last millimetre: climbs at the finest level, without leaving the judged optimum."""
        began, fine = self._monitor.seconds, self.levels_of(self.best).fine
        before = fine.evaluations
        polished = polish(
            fine, self._chart, self.best.parameters, POLISH_STEPS,
            lambda best: self._monitor.check("polish", 0.0, best),
        )  # fmt: skip
        score = self._judged_score(replace(polished, reading=self.best.reading))
        if score > LEAST_KEPT * self.best.score:
            self.best = Candidate(score, polished.parameters, self.best.reading)
        self.add_stage("polish", fine.evaluations - before, began, polished.score, 1)

    def keep_what_was_found(self) -> None:
        """After a stop: the better of the best finished pose and the one the search was at."""
        for candidate in map(self._read, (self._start, self._leader)):
            self._consider(replace(candidate, score=self._judged_score(candidate)))

    def add_stage(self, name: str, evaluations: int, began: float, score: float, starts: int) -> None:
        """Notes what a stage did."""
        self.stages.append(StageReport(name, evaluations, self._monitor.seconds - began, score, starts))

    def _rng(self) -> np.random.Generator:
        return np.random.default_rng([self._config.seed, self._monitor.rounds_done])

    def _search(self, chart: PoseChart, starts: NDArray[np.float64], spread: NDArray[np.float64], runs: int) -> None:
        """One round: CMA-ES runs side by side in a chart, the best of them refined."""
        config, coarse = self._config, self._levels.coarse
        began, before = self._monitor.seconds, coarse.evaluations

        def in_own_chart(found: Candidate) -> Candidate:
            return Candidate(found.score, self._candidate(chart.world_from_volume_at(found.parameters)[0]).parameters)

        def on_generation(generation: int, best: Candidate) -> None:
            self._leader = in_own_chart(best)
            self._monitor.check("cmaes", SEARCH_SHARE * (generation + 1) / config.generations, self._leader)

        found = cmaes_search(
            coarse,
            [chart] * len(starts),
            starts,
            spread,
            config.population,
            config.generations,
            self._rng(),
            on_generation,
        )
        found = sorted(map(in_own_chart, found), key=lambda candidate: -candidate.score)
        self.add_stage("cmaes", coarse.evaluations - before, began, found[0].score, runs)
        self.runs_done += runs
        self._refine(found[:CANDIDATES_REFINED], "refine")
        self._monitor.rounds_done += 1

    def _climbed(self, levels: Levels, candidates: Sequence[Candidate]) -> list[Candidate]:
        """The tops above candidates by other levels than those of the anatomy alone."""
        began, evaluations, tops = self._monitor.seconds, 0, []
        for candidate in candidates:
            middle = levels.judging(self._pose(candidate))
            before = middle.evaluations
            tops.append(
                polish(
                    middle, self._chart, candidate.parameters, POLISH_STEPS,
                    lambda best: self._monitor.check("refine", SEARCH_SHARE, best),
                )
            )  # fmt: skip
            evaluations += middle.evaluations - before
        self.add_stage("refine", evaluations, began, max(top.score for top in tops), len(tops))
        return tops

    def _refine(self, candidates: Sequence[Candidate], name: str) -> None:
        """Climbs from each candidate at the level where poses are judged, and keeps the best."""
        began, evaluations = self._monitor.seconds, 0
        share = 0.0 if name == "start" else SEARCH_SHARE
        top = -np.inf
        for candidate in map(self._read, candidates):
            middle = self.levels_of(candidate).middle
            before = middle.evaluations
            refined = polish(
                middle, self._chart, candidate.parameters, POLISH_STEPS,
                lambda best: self._monitor.check(name, share, best),
            )  # fmt: skip
            self._consider(replace(refined, reading=candidate.reading))
            top = max(top, refined.score)
            evaluations += middle.evaluations - before
        self._leader = self.best
        self.add_stage(name, evaluations, began, top, len(candidates))

    def _consider(self, candidate: Candidate) -> None:
        """Judges a candidate of the middle level, and keeps it if it is the most convincing one so far."""
        confidence = self._log.add(candidate.parameters, self.footprint(candidate), self.runs_done)
        if (confidence, candidate.score) > (self.confidence, self.best.score):
            self.best, self.confidence = candidate, confidence

    def _judged_score(self, candidate: Candidate) -> float:
        middle = self.levels_of(candidate).middle
        return float(middle.scores(self._chart.world_from_volume_at(candidate.parameters))[0])

    def _read(self, candidate: Candidate) -> Candidate:
        """The candidate with its X-rays read as they fit it best."""
        return replace(candidate, reading=candidate.reading or self._levels.reading_at(self._pose(candidate)))

    def _pose(self, candidate: Candidate) -> Matrix:
        return np.asarray(self._chart.world_from_volume_at(candidate.parameters)[0])

    def _candidate(self, world_from_volume: Matrix) -> Candidate:
        """A pose that has no score yet."""
        return Candidate(-np.inf, self._chart.parameters_of(world_from_volume))
