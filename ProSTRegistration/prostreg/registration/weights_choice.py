"""The weights that a registration uses: the user's own, those adapted to this patient, or the shipped ones."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from prostreg.choices import METHODS
from prostreg.errors import FaultList, WeightsError
from prostreg.prost.card import card_path, read_card
from prostreg.prost.model import LearnedModel, load_model, usage_of
from prostreg.prost.shipped import shipped_weights
from prostreg.prost.weight_cache import check_made_for, find_adapted
from prostreg.registration.case import Case
from prostreg.registration.config import RegistrationConfig
from prostreg.registration.learned_search import is_believed
from prostreg.registration.start import start_spread


def chosen_weights(config: RegistrationConfig, case: Case | None) -> Path | None:
    """The file of weights to use; None where there is none and the method can do without.

    Args:
        config: ``weights`` is "auto" (adapted to this patient, or else the shipped ones), "shipped",
            "adapted", or a file.
        case: None where only what does not depend on the patient is to be found out.

    Raises:
        WeightsError: the method needs weights and there are none of the kind asked for.
    """
    if config.weights not in ("auto", "shipped", "adapted"):
        return Path(config.weights)
    if config.weights != "shipped":
        if case is None:
            return shipped_weights()
        adapted = find_adapted(case.ct, case.anatomy)
        if adapted is not None:
            return adapted
        if config.weights == "adapted":
            raise WeightsError(
                f"There are no weights adapted to the CT and anatomy of {case.name}: run `prostreg adapt` on the case"
                " first, or leave the choice of weights to prostreg."
            )
    shipped = shipped_weights()
    if shipped is None and METHODS[config.method].network == "needed":
        raise WeightsError(
            f"The method '{config.method}' needs weights of the ProST network, and none are installed: choose"
            " 'auto' or 'cmaes', install prostreg again, or name a file of weights."
        )
    return shipped


def learned_model(config: RegistrationConfig, case: Case) -> LearnedModel | None:
    """The network that a registration uses; None for ``cmaes``, and for ``auto`` where there are no weights.

    Raises:
        WeightsError: the weights are missing, damaged, or were adapted to another patient.
    """
    if METHODS[config.method].network == "none":
        return None
    path = chosen_weights(config, case)
    if path is None:
        return None
    try:
        model = model_of_file(path)
    except WeightsError as error:
        if Path(config.weights) == path or path == shipped_weights():
            raise
        way_out = (
            f"Nobody but prostreg adapt made them: run it again for {case.name}, or delete {path} to go on with the"
            ' shipped weights ("shipped" chooses those too).'
        )
        raise WeightsError(f"{error} {way_out}") from error
    if not config.foreign_weights:
        check_made_for(model.card, case.ct, case.anatomy)
    return model


def model_to_ask(config: RegistrationConfig, case: Case) -> LearnedModel | None:
    """The network of a registration if it is asked; ``auto`` asks none that its card does not recommend for the start.

    Nor does it ask the shipped one, whose card tells of people that were drawn: on a real CT its descents end beside
    the truth (docs/method.md). The card is looked at first: weights that are not asked are not read.

    Raises:
        WeightsError: the weights are missing, damaged, or were adapted to another patient.
    """
    is_optional = METHODS[config.method].network == "optional"
    path = chosen_weights(config, case) if is_optional else None
    if is_optional and path == shipped_weights():
        return None
    card = None if path is None else read_card(card_path(path), FaultList())
    if path is None or card is None:
        return learned_model(config, case)  # says what is wrong with the card
    if not config.foreign_weights:
        check_made_for(card, case.ct, case.anatomy)
    return learned_model(config, case) if is_believed(usage_of(card, path), start_spread(config)) else None


def model_of_file(path: Path) -> LearnedModel:
    """The model of a file, read again only after the file has changed."""
    try:
        state = path.stat()
    except OSError:
        return load_model(path)  # says what is wrong with it
    return _unchanged_model(path, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=2)
def _unchanged_model(path: Path, changed_ns: int, size: int) -> LearnedModel:
    return load_model(path)


def weights_used(model: LearnedModel) -> dict[str, str]:
    """A result's words on the weights it was made with."""
    return {"title": model.card.title, "kind": model.card.kind, "sha256": model.card.sha256}
