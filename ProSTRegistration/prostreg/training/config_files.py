"""The shipped configurations of trainings."""

from __future__ import annotations

from pathlib import Path

from prostreg.errors import InputError
from prostreg.json_fields import json_object

CONFIGS_FOLDER = Path(__file__).resolve().parent / "configs"


def config_names() -> tuple[str, ...]:
    """Names of the shipped configurations; lists of patients lie beside them."""
    contents = {file.stem: json_object(file, "configuration") for file in CONFIGS_FOLDER.glob("*.json")}
    return tuple(sorted(name for name, content in contents.items() if isinstance(content.get("patients"), str)))


def config_file(name: str) -> Path:
    """The file of a configuration.

    Args:
        name: one of `config_names`, or a file.

    Raises:
        InputError: there is none.
    """
    file = Path(name)
    if file.is_file() or file.suffix == ".json":
        return file
    if name in config_names():
        return CONFIGS_FOLDER / f"{name}.json"
    raise InputError(
        f"There is no configuration {name}: give a file, or the name of a shipped one ({', '.join(config_names())})."
    )
