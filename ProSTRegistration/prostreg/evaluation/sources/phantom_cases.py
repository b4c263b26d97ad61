"""Cases simulated from the generated phantom: the kind of source "phantom". Needs no data."""

from __future__ import annotations

from pathlib import Path

from prostreg.evaluation.sources.case_series import CaseSeries
from prostreg.evaluation.sources.imaging_setup import ImagingSetup, read_imaging_setup
from prostreg.evaluation.sources.simulated_cases import SimulatedCases
from prostreg.json_fields import JsonFields
from prostreg.samples.phantom import make_phantom


def read_source(fields: JsonFields) -> tuple[ImagingSetup, int]:
    """Reads the C-arm, its views and the simulator, and the phantom's seed."""
    return read_imaging_setup(fields), fields.whole("phantom_seed", 0, 2**32 - 1, 0)


def make_source(series: CaseSeries, data_folder: Path | None) -> SimulatedCases:
    """Generates the phantom."""
    setup, phantom_seed = series.source
    phantom = make_phantom(phantom_seed)
    return SimulatedCases(series, setup, phantom.ct, phantom.labels)
