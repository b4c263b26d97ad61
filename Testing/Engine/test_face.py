"""What ``import prostreg`` offers, that it costs nothing, and that the README's Python runs."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PhantomImages import phantom_case_in

import prostreg
from prostreg.registration.result import Result

OFFERED = {
    "Bone", "BonesResult", "CArm", "Case", "DicomRuns", "RegistrationConfig", "Result", "Track", "View", "Volume",
    "XRay", "read_case", "register", "register_bones", "register_everywhere", "track_run", "write_bones_outputs",
    "write_case_outputs",
}  # fmt: skip
HEAVY = ["SimpleITK", "cma", "numba", "numpy", "torch"]


def readme_example() -> str:
    text = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    return str(block)


def test_the_face_is_a_handful_of_names() -> None:
    assert sorted(prostreg.__all__) == sorted(OFFERED)
    assert set(dir(prostreg)) >= OFFERED
    homes = {name: inspect.getmodule(getattr(prostreg, name)) for name in OFFERED}
    assert all(module.__name__.startswith("prostreg.") and hasattr(module, name) for name, module in homes.items())


def test_a_star_import_gives_the_face() -> None:
    names: dict[str, object] = {}
    exec("from prostreg import *", names)
    assert names.keys() - {"__builtins__"} == OFFERED
    assert names["Result"] is Result


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'registre'"):
        _ = prostreg.registre
    with pytest.raises(ImportError, match="registre"):
        exec("from prostreg import registre")


def test_importing_it_loads_nothing_heavy() -> None:
    report = f"import sys, prostreg; dir(prostreg); print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", report], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_readme_example_registers_a_case(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(phantom_case_in(tmp_path, seed=1).parent)
    example = readme_example()
    assert len([line for line in example.splitlines() if line.strip()]) <= 8
    names: dict[str, object] = {}
    exec(example, names)
    result = names["result"]
    assert isinstance(result, Result)
    assert result.status == "accepted"
    assert capsys.readouterr().out.startswith("accepted")
    written = json.loads(Path("results/result.json").read_text(encoding="utf-8"))
    assert np.allclose(written["world_from_volume"], result.world_from_volume)
