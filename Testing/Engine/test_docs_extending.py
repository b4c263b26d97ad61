"""The examples of docs/extending.md are run: each is chosen by its name, and used wherever the page says."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from prostreg import choices
from prostreg.cli.arguments import make_parser
from prostreg.evaluation.protocol import read_protocol
from prostreg.evaluation.report.table import _meaning
from prostreg.evaluation.report.worst_cases import write_worst_cases
from prostreg.evaluation.rows import Row
from prostreg.geometry.carm import CArm
from prostreg.geometry.standard_views import standard_view
from prostreg.images.volume import Volume
from prostreg.images.xray import XRay
from prostreg.outputs.case_outputs import write_case_outputs
from prostreg.outputs.figure_style import method_style
from prostreg.projector.selection import make_projector
from prostreg.registration.case import Case, View
from prostreg.registration.config import RegistrationConfig
from prostreg.registration.registering import register
from prostreg.similarity.correlation import PatchGradNcc

PAGE = (Path(__file__).parents[2] / "docs/extending.md").read_text(encoding="utf-8")
CODES = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
LINES = re.findall(r"`([A-Z]+)`:\n\n```\n(.*?)\n```", PAGE)
CARM = CArm.from_sdd(1000.0, (4.0, 4.0), (48, 40), None, standard_view("AP", (39.0, 39.0, 39.0), 600.0))
QUICK = {"method": "cmaes", "population": 20, "generations": 6, "search_pixels": 24, "judge_pixels": 32,
         "polish_pixels": 40}  # fmt: skip


def refuse(*_: object) -> None:
    raise AssertionError("another one was taken")


@pytest.fixture
def added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the examples, added to their lists as the page says."""
    names = []
    for code, (listed, line) in zip(CODES, LINES, strict=True):
        module = re.search(r"prostreg\.\w+\.(\w+):", line)[1]
        (tmp_path / f"{module}.py").write_text(code, encoding="utf-8")
        monkeypatch.delitem(sys.modules, module, raising=False)
        entry = eval("{" + re.sub(r"prostreg\.\w+\.(\w+):", r"\1:", line) + "}", {"Method": choices.Method})
        for name, place in entry.items():
            monkeypatch.setitem(getattr(choices, listed), name, place)
            names.append(name)
    monkeypatch.syspath_prepend(tmp_path)
    return names


@pytest.fixture(scope="module")
def ct() -> Volume:
    k, j, i = np.indices((40, 40, 40))
    hu = np.full(k.shape, -1000.0, np.float32)
    for centre, radius in [((12, 14, 20), 7), ((26, 20, 12), 6), ((20, 28, 28), 8)]:
        hu[(k - centre[0]) ** 2 + (j - centre[1]) ** 2 + (i - centre[2]) ** 2 < radius**2] = 900.0
    return Volume(hu, np.diag([2.0, 2.0, 2.0, 1.0]))


def case_of(ct: Volume, projector: str = "auto") -> Case:
    dense = ct.with_values(np.where(ct.values > 0, 0.04, 0.0).astype(np.float32))
    image = make_projector(dense, projector).render(CARM.camera_from_world[None], CARM)[0]
    start = np.eye(4)
    start[:3, 3] = (4.0, -3.0, 5.0)
    return Case("blobs", ct, ct.values > 0, (View(XRay(image, np.ones(image.shape, bool)), CARM),), start, np.eye(4))


def registered(case: Case, **settings: Any) -> Any:
    return register(case, RegistrationConfig(**{**QUICK, **settings}))


def error_mm(result: Any, ct: Volume) -> float:
    """In the image plane; the start is 6 mm off there."""
    off_world = (result.world_from_volume - np.eye(4)) @ [*ct.centre_mm, 1]
    return float(np.linalg.norm(CARM.camera_from_world[:2] @ off_world))


def test_the_page_has_three_examples_under_forty_lines(added: list[str]) -> None:
    assert added == ["saturated", "ncc", "start"]
    assert max(len(code.splitlines()) for code in CODES) < 40


def test_the_projector_is_used_for_search_verdict_and_files(
    added: list[str], ct: Volume, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = case_of(ct, "saturated")
    monkeypatch.setitem(choices.PROJECTORS, "fused-cpu", "nowhere:Nothing")
    monkeypatch.setattr("prostreg.projector.reference.ReferenceProjector.__init__", refuse)
    result = registered(case, projector="saturated")
    assert result.projector == "saturated"
    assert error_mm(result, ct) < 1
    write_case_outputs(tmp_path / "out", case, result)
    drawn = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "out/drr.nrrd")))
    assert 0.1 < drawn.max() < 1


def test_the_projector_of_a_protocol_draws_the_cases_to_look_at(
    added: list[str], ct: Volume, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class OneCase:
        def __len__(self) -> int:
            return 1

        def case(self, number: int) -> Case:
            return case_of(ct, "saturated")

    monkeypatch.setitem(choices.PROJECTORS, "fused-cpu", "nowhere:Nothing")
    protocol = read_protocol("phantom").with_changes(settings={"projector": "saturated"})
    row = Row("phantom", "1", "1", 0, "blobs", "cmaes", 0, mtre_mm=20.0, world_from_volume=np.eye(4).tolist())
    assert write_worst_cases(tmp_path, protocol, [row], OneCase()) == ["worst_cases.png"]


def test_the_similarity_is_used_for_search_verdict_and_expected_error(
    added: list[str], ct: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PatchGradNcc, "__init__", refuse)
    result = registered(case_of(ct), similarity="ncc")
    assert error_mm(result, ct) < 1
    assert result.evidence["confirmed"] > 0.9
    assert result.expected_error is not None


def test_the_method_is_offered_compared_and_drawn(added: list[str], ct: Volume) -> None:
    result = registered(case_of(ct), method="start")
    assert [stage.name for stage in result.stages][:2] == ["start", "polish"]
    assert error_mm(result, ct) < 1
    assert make_parser().parse_args(["register", "case.json", "--out", "x", "--method", "start"]).method == "start"
    assert choices.evaluated_methods()["start"] == {"method": "start"}
    assert _meaning("start") == "a climb from the start"
    assert method_style("start").label.startswith("start")
