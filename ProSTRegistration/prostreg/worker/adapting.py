"""Adapting to a patient in the worker, and what is known of earlier adaptations."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prostreg.errors import InputError, WeightsError
from prostreg.files import output_folder_faults
from prostreg.images.volume import Volume
from prostreg.prost.card import Card
from prostreg.prost.model import load_model
from prostreg.prost.shipped import shipped_weights
from prostreg.prost.weight_cache import adapted_path, check_made_for, find_adapted
from prostreg.prost.weights import load_weights
from prostreg.registration.case import Case
from prostreg.training.adaptation import AdaptationProgress, adapt_case


def adapt_to_patient(
    case: Case,
    minutes: float,
    seed: int,
    on_progress: Callable[[AdaptationProgress], None],
    is_cancelled: Callable[[], bool],
) -> dict[str, Any]:
    """Adapts the shipped weights to a case's CT and anatomy; later registrations of it find them.

    Args:
        case: with one view, whose C-arm will take the X-rays, or none; its start tells from where.
        minutes: of wall time.
        seed: of everything that is drawn.
        on_progress: told after every step.
        is_cancelled: asked as often.

    Returns:
        as `Adaptation.to_dict`.

    Raises:
        WeightsError: there are no weights to begin with.
        InputError: the folder of adapted weights cannot be written, or no usable X-ray can be simulated.
        Stopped: cancelled; nothing is written.
    """
    path = adapted_path(case.ct, case.anatomy)
    faults = output_folder_faults(path.parent)
    if faults:
        raise InputError(faults)
    weights = shipped_weights()
    if weights is None:
        raise WeightsError("No weights to begin with are installed: install ProSTRegistration again.")
    model = load_model(weights)
    return adapt_case(case, model, minutes, seed, path, on_progress, is_cancelled).to_dict()


def adapted_state(ct: Volume, anatomy: NDArray[np.bool_]) -> dict[str, Any]:
    """The state of the weights adapted to a CT and anatomy: whether there are any that can be used.

    Returns:
        ``exists``; where they do, ``weights``, ``title``, ``made`` (date and time of the file), ``steps``, ``minutes``,
        and ``arrived_before`` and ``arrived_after``, shares of the descents that arrived, or None. Where files are
        there and cannot be used, ``fault`` says why.
    """
    path = find_adapted(ct, anatomy)
    if path is None:
        return {"exists": False}
    try:
        card = load_weights(path).card
        check_made_for(card, ct, anatomy)
    except WeightsError as error:
        return {"exists": False, "fault": f"{error} Adapt again to replace them."}
    return {
        "exists": True,
        "weights": str(path),
        "title": card.title,
        "made": _changed(path),
        "steps": card.training.steps,
        "minutes": card.training.seconds / 60,
        "arrived_before": _arrived(card, "before"),
        "arrived_after": _arrived(card, "after"),
    }


def _changed(path: Path) -> str:
    return datetime.fromtimestamp(path.stat().st_mtime).astimezone().isoformat(timespec="minutes")


def _arrived(card: Card, when: str) -> float | None:
    validation = card.results.get(when)
    arrived = validation.get("arrived") if isinstance(validation, dict) else None
    return float(arrived) if isinstance(arrived, int | float) else None
