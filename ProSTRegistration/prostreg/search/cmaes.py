"""Global search: several CMA-ES runs side by side, their populations rendered together."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from prostreg.geometry.chart import PoseChart
from prostreg.search import libraries
from prostreg.search.candidate import Candidate
from prostreg.search.objective import Objective

if TYPE_CHECKING:
    from cma import CMAEvolutionStrategy

if (
    importlib.util.find_spec("cma") is None
):  # it is imported late (see `libraries`), and missed before anything is begun
    raise ModuleNotFoundError("No module named 'cma'", name="cma")

PRIOR_WEIGHT = 0.02
"""What a pose loses for lying one spread from the start in every parameter, as in R. B. Grupp et al., "Automatic
annotation of hip anatomy in fluoroscopy", IJCARS 2020: without it, small anatomies drift towards the source, where
they cover more of the image."""


def cmaes_search(
    objective: Objective,
    charts: Sequence[PoseChart],
    starts: NDArray[np.float64],
    spread: NDArray[np.float64],
    population: int,
    generations: int,
    rng: np.random.Generator,
    on_generation: Callable[[int, Candidate], None],
) -> list[Candidate]:
    """Runs one CMA-ES (N. Hansen, "The CMA evolution strategy: a tutorial", 2016) from each start.

    Args:
        charts: the parameters' meaning in each run.
        starts: (runs, 6) parameters.
        spread: (6,) standard deviations of the pose around a chart's origin; the search is scaled by them.
        population: poses per run and generation.
        generations: most generations.
        rng: source of every random number.
        on_generation: called after each generation with its number and the best candidate so
            far; may raise to end the search.

    Returns:
        The best candidate of each run, in the order of the starts.
    """
    runs = [_strategy(start / spread, population, generations, rng) for start in starts]
    best = [Candidate(-np.inf, start) for start in starts]
    for generation in range(generations):
        active = [index for index, run in enumerate(runs) if not run.stop()]
        if not active:
            break
        populations = [np.array(runs[index].ask()) for index in active]
        parameters = np.concatenate(populations) * spread
        improbability = PRIOR_WEIGHT * np.mean(np.square(parameters / spread), axis=1)
        of_runs = zip(active, np.split(parameters, len(active)), strict=True)
        poses = np.concatenate([charts[index].world_from_volume_at(of_run) for index, of_run in of_runs])
        scores = (objective.scores(poses) - improbability).reshape(len(active), -1)
        for index, scaled, run_scores in zip(active, populations, scores, strict=True):
            runs[index].tell(list(scaled), (-run_scores).tolist())
            top = int(run_scores.argmax())
            if run_scores[top] > best[index].score:
                best[index] = Candidate(float(run_scores[top]), scaled[top] * spread)
        on_generation(generation, max(best, key=lambda candidate: candidate.score))
    return best


def _strategy(
    start: NDArray[np.float64], population: int, generations: int, rng: np.random.Generator
) -> CMAEvolutionStrategy:
    cma = libraries.load()
    options = {
        "popsize": population,
        "maxiter": generations,
        "randn": lambda *shape: rng.standard_normal(shape),
        "seed": np.nan,
        "tolfun": 1e-4,
        "tolx": 1e-3,
        "verbose": -9,
        "verb_log": 0,
    }
    return cma.CMAEvolutionStrategy(start, 1.0, options)
