"""Cases simulated from the generated phantom: the kind of source "phantom". Needs no data."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prostreg.errors import FaultList
from prostreg.evaluation.protocol import Protocol
from prostreg.evaluation.sources.imaging_setup import ImagingSetup, read_imaging_setup
from prostreg.evaluation.sources.simulated_cases import SimulatedCases
from prostreg.json_fields import JsonFields
from prostreg.samples.phantom import make_phantom


def source_faults(fields: Mapping[str, Any]) -> list[str]:
    """What is wrong with a "source" of this kind."""
    faults = FaultList()
    _read(fields, faults)
    return faults.faults


def make_source(protocol: Protocol, data_folder: Path | None) -> SimulatedCases:
    """Generates the phantom."""
    scene, phantom_seed = _read(protocol.source, FaultList())
    phantom = make_phantom(phantom_seed)
    return SimulatedCases(protocol, scene, phantom.ct, phantom.labels)


def _read(fields: Mapping[str, Any], faults: FaultList) -> tuple[ImagingSetup, int]:
    inside = JsonFields(fields, '"source"', faults)
    inside.raw("kind", "")
    scene, phantom_seed = read_imaging_setup(inside), inside.whole("phantom_seed", 0, 2**32 - 1, 0)
    inside.end()
    return scene, phantom_seed
