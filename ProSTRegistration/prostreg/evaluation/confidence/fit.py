"""Fits the confidence model on the rows of the study whose patients serve the fit.

``python -m prostreg.evaluation.confidence.fit FOLDER --out confidence.json``

The model says whether this is the right place. Rows that were told a wrong C-arm, or a mirror image, are left out: the
place fits as well there, and other checks look for what is wrong. Another patient's place counts as a wrong one.

Every registration gives examples: the most convincing pose after each judgement, and the final one, as these are the
poses that a verdict is given on. An example is right when its mTRE is below 10 mm. A registration weighs as much as
any other, however many poses it judged. The logistic model is fitted with a ridge on standardised features, and a
feature may only weigh in the direction that makes sense: more searches never make a pose more credible. The
probabilities in the card come from models that did not see the case (folds over registrations).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import prostreg
from prostreg.errors import InputError
from prostreg.evaluation.confidence.study import StudyRow, read_study
from prostreg.registration.confidence import SUCCESS_MM, confidence_model, features, precise_enough
from prostreg.registration.evidence import Evidence

RIDGE = 0.1
FOLDS = 5
LEAST_PRECISION = 0.995
LEAST_THRESHOLD = 0.8
FAILED_BELOW = 0.2
LIMITS = (
    "Fitted on simulated X-rays of few patients. Not a probability for real images or implants; not for clinical"
    " decisions without looking at the overlay."
)

DIRECTIONS = {"confirmed": 1, "chance": -1, "rivalry": -1, "surprise": -1}

CHI_SQUARE_90 = 2.706
"""90 % of the squares of standard normal numbers are smaller."""


@dataclass(frozen=True, eq=False)
class Examples:
    """Poses that were judged.

    Attributes:
        names: of the features.
        values: (n, features).
        expected_mtre_mm: (n,), 0 where it is not known.
        is_right: (n,).
        weights: (n,), summing to 1 over a registration.
        groups: (n,) number of the registration.
        is_final: (n,), whether the pose was the result.
    """

    names: tuple[str, ...]
    values: NDArray[np.float64]
    expected_mtre_mm: NDArray[np.float64]
    is_right: NDArray[np.bool_]
    weights: NDArray[np.float64]
    groups: NDArray[np.int64]
    is_final: NDArray[np.bool_]


def rows_to_fit(rows: Sequence[StudyRow]) -> list[StudyRow]:
    """Those that ran, and whose place the model can tell."""
    return [
        entry for entry in rows if entry.row.evidence and (entry.wrong.is_place_right or entry.wrong.other is not None)
    ]


def examples_of(rows: Sequence[StudyRow]) -> Examples:
    """The judged poses of all rows."""
    values, expected, is_right, weights, groups, is_final = [], [], [], [], [], []
    names: tuple[str, ...] = ()
    for group, entry in enumerate(rows):
        row = entry.row
        judged = [*_leaders(row.attempts), {"mtre_mm": row.mtre_mm, "evidence": row.evidence}]
        for number, pose in enumerate(judged, start=1):
            named = features(Evidence(**pose["evidence"]))
            names = tuple(named)
            values.append(list(named.values()))
            expected.append(pose["evidence"]["expected_mtre_mm"])
            is_right.append(pose["mtre_mm"] is not None and pose["mtre_mm"] < SUCCESS_MM)
            weights.append(1 / len(judged))
            groups.append(group)
            is_final.append(number == len(judged))
    return Examples(
        names, np.array(values), np.array(expected), np.array(is_right), np.array(weights), np.array(groups),
        np.array(is_final),
    )  # fmt: skip


def _leaders(attempts: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """After each attempt, the one that convinced most so far."""
    leaders: list[dict[str, Any]] = []
    for attempt in attempts:
        is_first = not leaders or attempt["evidence"]["confirmed"] > leaders[-1]["evidence"]["confirmed"]
        leaders.append(attempt if is_first else leaders[-1])
    return leaders


def fitted(examples: Examples, chosen: NDArray[np.bool_]) -> tuple[float, NDArray[np.float64]]:
    """Intercept and weights (features,) of the logit, from the chosen examples; 0 for features that mislead."""
    directions = np.array([DIRECTIONS[name] for name in examples.names])
    used = np.ones(len(directions), dtype=bool)
    while True:
        intercept, weights = _logistic(examples, chosen, used)
        misleading = weights * directions < 0
        if not misleading.any():
            return intercept, weights
        used &= ~misleading


def _logistic(
    examples: Examples, chosen: NDArray[np.bool_], used: NDArray[np.bool_]
) -> tuple[float, NDArray[np.float64]]:
    values = examples.values[chosen][:, used]
    mean, scale = values.mean(axis=0), np.maximum(values.std(axis=0), 1e-6)
    inputs = torch.from_numpy((values - mean) / scale)
    right = torch.from_numpy(examples.is_right[chosen].astype(np.float64))
    weights = torch.from_numpy(examples.weights[chosen])
    parameters = torch.zeros(values.shape[1] + 1, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([parameters], max_iter=500, line_search_fn="strong_wolfe")

    def closure() -> float:
        optimiser.zero_grad()
        logit = inputs @ parameters[1:] + parameters[0]
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logit, right, weights, reduction="sum")
        total = loss + RIDGE * (parameters[1:] ** 2).sum()
        total.backward()  # type: ignore[no-untyped-call]
        return float(total.detach())

    optimiser.step(closure)  # type: ignore[no-untyped-call]
    found = parameters.detach().numpy()
    slopes = np.zeros(len(used))
    slopes[used] = found[1:] / scale
    return float(found[0] - slopes[used] @ mean), slopes


def out_of_fold(examples: Examples, inflation: float = 1.0) -> NDArray[np.float64]:
    """Confidence (n,) of each example by a model that saw no pose of its registration.

    ``inflation`` is the factor on the variances of the expected errors that the rows were made without.
    """
    probabilities = np.zeros(len(examples.groups))
    for fold in range(FOLDS):
        inside = examples.groups % FOLDS == fold
        intercept, slopes = fitted(examples, ~inside)
        probabilities[inside] = 1 / (1 + np.exp(-(examples.values[inside] @ slopes + intercept)))
    precise = [precise_enough(expected * inflation**0.5) for expected in examples.expected_mtre_mm]
    return np.asarray(probabilities * np.array(precise))


def threshold(probabilities: NDArray[np.float64], is_right: NDArray[np.bool_]) -> float:
    """The least probability from which on nearly all are right."""
    for candidate in np.round(np.arange(LEAST_THRESHOLD, 0.9995, 0.001), 3):
        accepted = probabilities >= candidate
        if accepted.any() and is_right[accepted].mean() >= LEAST_PRECISION:
            return float(candidate)
    return 0.999


def error_inflation(rows: Sequence[StudyRow], now: float) -> float:
    """Factor on the variances after which 90 % of the true errors lie within 1.645 expected deviations."""
    ratios = error_ratios(rows)
    return float(now * np.percentile(ratios**2, 90) / CHI_SQUARE_90) if len(ratios) else now


def error_ratios(rows: Sequence[StudyRow]) -> NDArray[np.float64]:
    """True error over expected deviation (right ones, 6)."""
    ratios = []
    for entry in rows:
        row = entry.row
        if not entry.is_right or row.expected_error is None:
            continue
        true = np.array([*(row.turn_errors_deg or ()), *(row.shift_errors_mm or ())])
        expected = np.array([*row.expected_error["rotation_deg"], *row.expected_error["translation_mm"]])
        ratios.append(true / expected)
    return np.array(ratios)


def model_of(rows: Sequence[StudyRow], inflation_now: float) -> dict[str, Any]:
    """The content of confidence.json, its card included."""
    examples = examples_of(rows)
    inflation = error_inflation(rows, inflation_now)
    probabilities = out_of_fold(examples, inflation / inflation_now)
    intercept, slopes = fitted(examples, np.ones(len(examples.groups), dtype=bool))
    accepted_from = threshold(probabilities[examples.is_final], examples.is_right[examples.is_final])
    return {
        "intercept": round(intercept, 4),
        "weights": {name: round(float(slope), 4) for name, slope in zip(examples.names, slopes, strict=True) if slope},
        "accepted_from": accepted_from,
        "failed_below": FAILED_BELOW,
        "error_inflation": round(inflation, 3),
        "card": _card(rows, examples, probabilities, accepted_from),
    }


def _card(
    rows: Sequence[StudyRow], examples: Examples, probabilities: NDArray[np.float64], accepted_from: float
) -> dict[str, Any]:
    final = examples.is_final
    right, accepted = examples.is_right[final], probabilities[final] >= accepted_from
    return {
        "what": f"probability that the mTRE is below {SUCCESS_MM:g} mm, from what a run knows",
        "command": "python -m prostreg.evaluation.confidence.fit",
        "prostreg": prostreg.__version__,
        "fitted_on": _origins(rows),
        "examples": len(examples.groups),
        "held_out": {
            "registrations": int(final.sum()),
            "right": int(right.sum()),
            "accepted": int(accepted.sum()),
            "accepted_and_wrong": int((accepted & ~right).sum()),
            "precision": round(float(right[accepted].mean()), 4) if accepted.any() else None,
            "recall": round(float(accepted[right].mean()), 4) if right.any() else None,
            "brier": round(float(np.mean((probabilities[final] - right) ** 2)), 5),
        },
        "limits": LIMITS,
    }


def _origins(rows: Sequence[StudyRow]) -> list[dict[str, Any]]:
    counts = Counter((entry.group.name, entry.row.engine) for entry in rows)
    return [
        {"group": group, "engine": engine, "registrations": count} for (group, engine), count in sorted(counts.items())
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Fits, writes the model, and prints its card."""
    parser = argparse.ArgumentParser(prog="python -m prostreg.evaluation.confidence.fit", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="as prostreg.evaluation.confidence.run left it")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE")
    given = parser.parse_args(arguments)
    try:
        rows = rows_to_fit(read_study().rows(given.folder, "fit"))
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    if len({entry.is_right for entry in rows}) < 2:
        print(f"{given.folder} has no right and wrong results of the study: run more of it.", file=sys.stderr)
        return 2
    model = model_of(rows, confidence_model().error_inflation)
    given.out.write_text(json.dumps(model, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(json.dumps(model["card"], indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
