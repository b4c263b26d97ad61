"""Where the cases of a protocol come from: one registry of kinds."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from prostreg.registration.case import Case

if TYPE_CHECKING:
    from prostreg.evaluation import protocol as protocols

SOURCE_MODULES = {
    "simulated": "prostreg.evaluation.sources.simulated_cases",
    "phantom": "prostreg.evaluation.sources.phantom_cases",
    "case-folders": "prostreg.evaluation.sources.case_folders",
    "deepfluoro": "prostreg.evaluation.sources.deepfluoro",
    "wrist-biplane": "prostreg.evaluation.sources.wrist_biplane",
}


class CaseSource(Protocol):
    """Makes cases by their numbers, always the same case for the same number."""

    def __len__(self) -> int: ...

    def case(self, number: int) -> Case:
        """Case ``number``, counted from 0.

        Raises:
            InputError: this case cannot be made; the others may.
        """
        ...


class SourceModule(Protocol):
    """What the module of a kind of source offers."""

    def source_faults(self, fields: Mapping[str, Any]) -> list[str]:
        """What is wrong with the "source" of a protocol, its "kind" left out."""
        ...

    def make_source(self, protocol: protocols.Protocol, data_folder: Path | None) -> CaseSource:
        """Opens the source; InputError names every file that is missing or another one than it should be."""
        ...


def source_module(kind: str) -> SourceModule:
    """The module behind a kind of source."""
    return cast(SourceModule, importlib.import_module(SOURCE_MODULES[kind]))


def make_case_source(protocol: protocols.Protocol, data_folder: Path | None) -> CaseSource:
    """Opens the cases of a protocol.

    Args:
        protocol: says which.
        data_folder: where its files are; None for a protocol that needs none.

    Raises:
        InputError: lists the files that are missing, with where they come from.
    """
    return source_module(protocol.source_kind).make_source(protocol, data_folder)
