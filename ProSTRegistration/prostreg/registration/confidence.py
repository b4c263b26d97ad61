"""From evidence to a probability: a logistic model, fitted on simulated cases (see its card in confidence.json)."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from prostreg.registration.evidence import Evidence

SUCCESS_MM = 10.0
"""The papers' limit of a success, as mTRE."""


@dataclass(frozen=True)
class ConfidenceModel:
    """Probability that a pose's mTRE is below 10 mm.

    Attributes:
        intercept: of the logit.
        weights: of the features, by name (see `features`).
        accepted_from: least probability of an accepted result.
        failed_below: probability under which a result counts as failed.
        error_inflation: factor on the variances of the expected error.
        card: what the model was fitted on and how well it did elsewhere.
    """

    intercept: float
    weights: Mapping[str, float]
    accepted_from: float
    failed_below: float
    error_inflation: float
    card: Mapping[str, Any]

    def probability(self, evidence: Evidence) -> float:
        """Probability (0..1) that the pose is right; 0 where nothing of the anatomy is in the image."""
        if evidence.patches <= 0:
            return 0.0
        values = features(evidence)
        logit = self.intercept + sum(weight * values[name] for name, weight in self.weights.items())
        right_place = 1 / (1 + math.exp(-min(max(logit, -50.0), 50.0)))
        return right_place * precise_enough(evidence.expected_mtre_mm)


def precise_enough(expected_mtre_mm: float) -> float:
    """Probability that an error of this root mean square is below the limit, its square thought to be exponential."""
    if expected_mtre_mm <= 0:
        return 1.0
    return 1 - math.exp(-((SUCCESS_MM / expected_mtre_mm) ** 2))


def features(evidence: Evidence) -> dict[str, float]:
    """The features that the model weighs.

    ``chance`` is how high a score can get by luck: it falls with the root of the number of patches. ``rivalry`` is
    the runner-up's score as a share of the pose's own.
    """
    confirmed = max(evidence.confirmed, 1e-6)
    return {
        "confirmed": evidence.confirmed,
        "chance": 1 / math.sqrt(max(evidence.patches, 1.0)),
        "rivalry": min(max(evidence.runner_up, 0.0) / confirmed, 2.0),
        "surprise": evidence.surprise,
    }


@cache
def confidence_model() -> ConfidenceModel:
    """The model that is shipped."""
    text = resources.files("prostreg.registration").joinpath("confidence.json").read_text(encoding="utf-8")
    return ConfidenceModel(**json.loads(text))
