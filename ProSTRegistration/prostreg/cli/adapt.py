"""``prostreg adapt``: adapts the network to one patient's CT, days before the operation."""

from __future__ import annotations

import argparse
from pathlib import Path

from prostreg.cli.console import progress_display, say
from prostreg.cli.exit_code import ExitCode
from prostreg.cli.interruption import stop_requests
from prostreg.cli.outcome import ANOTHER_OUT, Outcome
from prostreg.errors import FaultList
from prostreg.files import output_folder_faults
from prostreg.prost.card import card_path, read_card
from prostreg.prost.model import LearnedModel, load_model
from prostreg.prost.shipped import shipped_weights
from prostreg.prost.weight_cache import adapted_folder, adapted_path, check_made_for
from prostreg.prost.weights import SUFFIX
from prostreg.registration.case import Case
from prostreg.registration.case_file import read_case
from prostreg.training.adaptation import Adaptation, adapt_case

STOPPING = "Stopping; nothing will be written. Press Ctrl-C again to leave at once."


def run(arguments: argparse.Namespace) -> Outcome:
    """Checks everything, adapts, and says what it was good for."""
    faults = FaultList()
    case, model = _checked(arguments, faults)
    path = arguments.out or adapted_path(case.ct, case.anatomy)
    say(f"Adapting '{model.card.title}' to {case.name} for {arguments.minutes:g} min")
    with progress_display() as display, stop_requests(STOPPING) as is_cancelled:
        adaptation = adapt_case(case, model, arguments.minutes, arguments.seed, path, display.show, is_cancelled)
    say(_summary(adaptation))
    return Outcome(ExitCode.DONE, adaptation.to_dict())


def _checked(arguments: argparse.Namespace, faults: FaultList) -> tuple[Case, LearnedModel]:
    """The case and the weights to begin with, or every fault of both."""
    if arguments.out is not None and arguments.out.suffix != SUFFIX:
        faults.add(f"--out is {arguments.out}: the name of weights ends in {SUFFIX}.")
    elif arguments.out is not None:
        faults.extend(_target_faults(arguments.out))
    else:
        faults.extend(output_folder_faults(adapted_folder(), ANOTHER_OUT))
    case = faults.collect(lambda: read_case(arguments.case, needs_views=False))
    weights: Path | None = arguments.weights or shipped_weights()
    model = None if weights is None else faults.collect(lambda: load_model(weights))
    if weights is None:
        faults.add("No weights to begin with are installed: install prostreg again, or give --weights.")
    if case is not None and model is not None and not arguments.foreign_weights:
        faults.collect(lambda: check_made_for(model.card, case.ct, case.anatomy))
    faults.raise_if_any()
    if case is None or model is None:
        raise AssertionError("a case or a model that is missing is a fault")
    return case, model


def _target_faults(path: Path) -> list[str]:
    """Why weights and their card cannot be written there, or would replace something else."""
    card = card_path(path)
    if path.is_dir():
        return [f"--out is {path}, which is a folder: give the name of a file."]
    if card.exists() and read_card(card, FaultList()) is None:
        return [f"--out is {path}: its card would replace {card}, which is none. Choose another name."]
    return output_folder_faults(path.parent, ANOTHER_OUT)


def _summary(adaptation: Adaptation) -> str:
    before, after = adaptation.before, adaptation.after
    return (
        f"{adaptation.steps} steps in {adaptation.seconds / 60:.1f} min: of {after.cases} descents on other simulated"
        f" X-rays of this CT, {100 * before.arrived:.0f} % arrived before and {100 * after.arrived:.0f} % arrive now"
        f" -> {adaptation.path}"
    )
