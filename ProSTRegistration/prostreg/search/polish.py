"""Local refinement: quasi-Newton ascent with the projector's analytic derivative."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from prostreg.geometry.chart import PoseChart
from prostreg.search.candidate import Candidate
from prostreg.search.objective import Objective

UNITS = np.array([np.deg2rad(1.0)] * 3 + [1.0, 1.0, 5.0])
"""Steps that change the image about equally: 1 degree, 1 mm in the image plane, 5 mm in depth."""

LEAST_GAIN = 1e-6


class CompilerlessLbfgs(torch.optim.LBFGS):
    """L-BFGS without torch's compiler, whose import takes as long as torch's and which torch's own optimisers bring."""

    add_param_group = getattr(torch.optim.Optimizer.add_param_group, "__wrapped__", torch.optim.LBFGS.add_param_group)


def polish(
    objective: Objective,
    chart: PoseChart,
    start: NDArray[np.float64],
    steps: int,
    on_evaluation: Callable[[Candidate], None],
) -> Candidate:
    """Climbs from ``start`` (6,) with L-BFGS and a strong Wolfe line search; never ends lower than it began.

    Args:
        chart: the parameters' meaning.
        steps: most quasi-Newton steps.
        on_evaluation: called with the best candidate so far; may raise to end the climb.
    """
    scaled = torch.zeros(6, dtype=torch.float64, requires_grad=True)
    best = Candidate(-np.inf, start)

    def closure() -> float:
        nonlocal best
        parameters = start + scaled.detach().numpy() * UNITS
        score, gradient = objective.score_and_gradient(chart, parameters)
        if score > best.score:
            best = Candidate(score, parameters)
        on_evaluation(best)
        scaled.grad = torch.from_numpy(-gradient * UNITS)
        return -score

    optimiser = CompilerlessLbfgs(
        [scaled], lr=1.0, max_iter=steps, history_size=10, tolerance_grad=LEAST_GAIN,
        tolerance_change=LEAST_GAIN, line_search_fn="strong_wolfe",
    )  # fmt: skip
    optimiser.step(closure)  # type: ignore[no-untyped-call]
    return best
