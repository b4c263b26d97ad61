"""The engine where numba is missing: slower, and otherwise the same. In a process of its own that cannot import it."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
import torch

from Patience import PATIENCE_S
from prostreg.cli.main import main
from prostreg.machine import SLOWER
from prostreg.projector.fused_cpu import FusedCpuProjector
from prostreg.similarity.correlation import PatchGradNcc
from prostreg.similarity.torch_scorer import TorchScorer

HIDE = "import sys; sys.modules['numba'] = None\n"
REGISTER = """
import numpy as np
from prostreg.geometry.carm import CArm
from prostreg.images.attenuation import attenuation_from_hu
from prostreg.images.volume import Volume
from prostreg.images.xray_preparation import prepare_xray
from prostreg.projector.selection import make_projector
from prostreg.registration.case import Case, View
from prostreg.registration.config import RegistrationConfig
from prostreg.registration.registering import register

k, j, i = np.mgrid[:20, :24, :22]
hu = np.full(k.shape, -1000, dtype=np.int16)
for centre, radius in (((6, 8, 7), 4), ((13, 15, 14), 5), ((8, 17, 6), 3)):
    hu[(k - centre[0]) ** 2 + (j - centre[1]) ** 2 + (i - centre[2]) ** 2 < radius**2] = 900
ct = Volume(hu, np.diag([4.0, 4.0, 4.0, 1.0]))
carm = CArm.from_sdd(1000.0, (3.0, 3.0), (48, 48))
truth = np.eye(4)
truth[:3, 3] = -40, -45, 680
projector = make_projector(ct.with_values(attenuation_from_hu(hu.astype(np.float32))))
drr = projector.render(truth[np.newaxis], carm)[0]
start = truth.copy()
start[:3, 3] += 6, -5, 0
view = View(prepare_xray(drr, "bone-bright", None), carm)
case = Case("blobs", ct, hu > 0, (view,), start, truth, np.argwhere(hu > 0)[::40, ::-1] * 4.0)
small = {"search_pixels": 24, "judge_pixels": 24, "polish_pixels": 48, "population": 8, "generations": 5}
result = register(case, RegistrationConfig(method="cmaes", **small, time_limit_s=PATIENCE))
print(projector.name, result.status)
"""


UNSUITED = """
import importlib.abc, sys
class Refusing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, *_):
        if name == "numba":
            raise ImportError("Numba needs NumPy 2.0 or less. Got NumPy 2.4.")
sys.meta_path.insert(0, Refusing())
"""
"""As a numba does that another extension has left, and that was made for an older numpy."""


def run_hidden(source: str, hide: str = HIDE) -> str:
    command = [sys.executable, "-W", "error", "-c", hide + source]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_registers_with_the_reference_projector() -> None:
    name, status = run_hidden(REGISTER.replace("PATIENCE", str(PATIENCE_S))).split()
    assert name == "reference"
    assert status in ("accepted", "uncertain", "failed")


def test_torch_scores_as_the_compiled_scorer_does() -> None:
    random = np.random.default_rng(4)
    fixed, *moving = torch.from_numpy(random.random((4, 40, 36), dtype=np.float32))
    similarity = PatchGradNcc(fixed, torch.ones(40, 36, dtype=torch.bool), 4, 2)
    drrs = torch.stack(moving)
    assert TorchScorer(similarity)(drrs) == pytest.approx(similarity.scorer()(drrs), abs=1e-5)


@pytest.mark.parametrize("hide", [HIDE, UNSUITED])
def test_info_and_the_self_check_say_that_it_is_slower(hide: str) -> None:
    info = "from prostreg.cli.main import main; assert main(['info', '--json']) == 0"
    check = "from prostreg.worker.self_check import self_check; print(self_check('cpu')['verdict'])"
    told, end = json.JSONDecoder().raw_decode(printed := run_hidden(f"{info}\n{check}", hide))
    assert told["accelerators"]["numba_threads"] is None
    assert SLOWER in printed[end:]


def test_info_tells_numba_where_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["accelerators"]["numba_threads"] >= 1


def test_the_fused_projector_names_numba_when_somebody_insists() -> None:
    source = """
import numpy as np
from prostreg.errors import DeviceError
from prostreg.images.volume import Volume
from prostreg.projector.selection import make_projector
try:
    make_projector(Volume(np.zeros((2, 2, 2), np.float32), np.eye(4)), "fused-cpu")
except DeviceError as error:
    print(error)
"""
    assert "need the package numba" in run_hidden(source)
    assert FusedCpuProjector.name == "fused-cpu"
