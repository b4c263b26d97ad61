"""The weights that come with prostreg."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from prostreg.errors import WeightsError
from prostreg.prost.networks import NETWORKS, NetworkMaker
from prostreg.prost.weights import SUFFIX, load_network

MODELS_FOLDER = Path(__file__).resolve().parent / "models"
"""Inside the package, not in the module's Resources: pip carries nothing else, and Slicer's CMake can list it too."""
CHOSEN = "prost-light"
MOST_BYTES = 16_000_000
"""Of all shipped weights together."""


def shipped_weights() -> Path | None:
    """The weights to use where nothing else is said; None where none came with this installation."""
    path = MODELS_FOLDER / f"{CHOSEN}{SUFFIX}"
    return path if path.is_file() else None


def all_shipped(folder: Path = MODELS_FOLDER) -> list[Path]:
    """Every file of weights in the folder."""
    return sorted(folder.glob(f"*{SUFFIX}"))


def shipping_faults(folder: Path = MODELS_FOLDER, networks: Mapping[str, NetworkMaker] = NETWORKS) -> list[str]:
    """Faults that speak against shipping the weights of a folder; asked before a release, not when they are used.

    Args:
        folder: with the weights and their cards.
        networks: makers by name.
    """
    paths = all_shipped(folder)
    faults = [fault for path in paths for fault in _faults_of(path, networks)]
    size = sum(path.stat().st_size for path in paths)
    if size > MOST_BYTES:
        faults.append(
            f"All weights together have {size / 1e6:.1f} MB, and {MOST_BYTES / 1e6:.0f} MB is the most: ship fewer or"
            " smaller networks, or half precision."
        )
    return faults


def _faults_of(path: Path, networks: Mapping[str, NetworkMaker]) -> list[str]:
    try:
        _, card = load_network(path, networks)
    except WeightsError as error:
        return [str(error)]
    faults = []
    if card.made_for is not None:
        faults.append(f"The weights {path.name} were adapted to one patient: ship those that they began with.")
    for said, what in (
        (card.training_data, "what they were trained on"),
        (card.held_out_data, "which data they never saw"),
        (card.results, "what was measured with them"),
    ):
        if not said:
            faults.append(f"The card of {path.name} does not say {what}: complete it.")
    return faults
