"""The generated phantom and its simulator, made once for all tests of a process. Whoever changes voxels copies them."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache, partial
from pathlib import Path

import pytest

from prostreg.evaluation.sources import phantom_cases, simulated_cases
from prostreg.samples.demo_case import write_phantom_case
from prostreg.samples.phantom import Phantom, make_phantom
from prostreg.simulation.fluoroscopy import FluoroscopySimulator

FINEST_MM = 2.0
"""The phantom's own spacing: half of it takes eight times as long, which images of 192 pixels do not show."""


@cache
def the_phantom() -> Phantom:
    """The phantom of seed 0."""
    return make_phantom(0)


@cache
def phantom_simulator() -> FluoroscopySimulator:
    """Its simulator, for images of few pixels."""
    return FluoroscopySimulator(the_phantom().ct, finest_mm=FINEST_MM)


def make_phantom_cases_of_it(patch: pytest.MonkeyPatch) -> None:
    """Has the cases of a protocol be made of the same phantom, on the same grid, for tests that look at no image."""
    patch.setattr(phantom_cases, "make_phantom", lambda seed: the_phantom() if seed == 0 else make_phantom(seed))
    patch.setattr(simulated_cases, "FluoroscopySimulator", partial(FluoroscopySimulator, finest_mm=FINEST_MM))


def phantom_case_in(folder: Path, seed: int) -> Path:
    """The case of a phantom in ``folder``, as `write_phantom_case` writes it: its case.json."""
    shutil.copytree(_written_case(seed), folder, dirs_exist_ok=True)
    return folder / "case.json"


@cache
def _written_case(seed: int) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="prostreg-tests-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return write_phantom_case(folder, seed).parent
