"""The end of a training run: weights and their card, figures, and the numbers of the figures."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from prostreg.files import complete_file
from prostreg.geometry.chart import PARAMETERS
from prostreg.outputs.figure_style import DPI
from prostreg.prost.card import Card, Training, card_path
from prostreg.prost.weights import SUFFIX
from prostreg.training.config import TrainingConfig
from prostreg.training.convexity import SIMILARITIES, Convexity, convexity
from prostreg.training.figures import draw_convexity, draw_curves
from prostreg.training.finished_weights import save_finished_weights
from prostreg.training.patients import PatientEntry
from prostreg.training.run import TrainingRun
from prostreg.training.run_folder import TRAINING_CURVE, VALIDATION_CURVE, RunFolder

CURVES_FIGURE = "curves.png"
CONVEXITY_FIGURE, CONVEXITY_FILE = "convexity.png", "convexity.json"


def write_report(
    run: TrainingRun, config: TrainingConfig, entries: Sequence[PatientEntry], folder: RunFolder, training: Training
) -> tuple[Card, list[str]]:
    """Writes everything for a run that came to its end.

    The last weights are kept, as the learning rate has fallen to almost nothing: the validation patients are few, and
    to choose by them would be to fit them.

    Args:
        run: at its end.
        config: of the run.
        entries: patients of both uses.
        folder: of the run.
        training: what the card says of duration and hardware.

    Returns:
        The card, and the names of the files in the folder, the weights first.
    """
    if run.validation is None:
        raise ValueError("a run is validated at its end")
    patients, banks = run.validation_set
    around = convexity(run.network, config.scene.spread, patients, banks)
    weights = folder.path / f"{config.network}{SUFFIX}"
    card = save_finished_weights(weights, run.network, config, entries, training, run.validation, _shares(around))
    with complete_file(folder.path / CONVEXITY_FILE) as unfinished:
        unfinished.write_text(json.dumps(around.to_dict(), indent=1) + "\n", encoding="utf-8")
    curves = draw_curves(folder.rows(TRAINING_CURVE), folder.rows(VALIDATION_CURVE), card.title)
    for name, figure in ((CURVES_FIGURE, curves), (CONVEXITY_FIGURE, draw_convexity(around, card.title))):
        with complete_file(folder.path / name) as unfinished:
            figure.savefig(unfinished, dpi=DPI)
    return card, [weights.name, card_path(weights).name, CURVES_FIGURE, CONVEXITY_FIGURE, CONVEXITY_FILE]


def _shares(around: Convexity) -> Mapping[str, Any]:
    return {
        name: {p: round(float(s), 3) for p, s in zip(PARAMETERS, around.right_share(name), strict=True)}
        for name in SIMILARITIES
    }
