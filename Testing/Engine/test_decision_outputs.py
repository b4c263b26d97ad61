"""What a run ends with: exit codes, words and result.json for every status, and pictures without half a pixel off."""

from __future__ import annotations

import tempfile
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from prostreg.cli import register as cli_register
from prostreg.cli.exit_code import ExitCode
from prostreg.cli.register import exit_code_of, register_and_write, summary
from prostreg.errors import InputError
from prostreg.geometry.carm import CArm
from prostreg.geometry.standard_views import standard_view
from prostreg.images.volume import Volume
from prostreg.images.xray import XRay
from prostreg.outputs.case_outputs import write_case_outputs
from prostreg.outputs.overlay import STATUS_COLOURS
from prostreg.outputs.panel_images import resized_carm, resized_image
from prostreg.outputs.result_file import result_to_dict
from prostreg.projector.selection import make_projector
from prostreg.registration.case import Case, View
from prostreg.registration.config import RegistrationConfig
from prostreg.registration.result import Attempt, CArmFit, ComparedPlace, ExpectedError, FoundView, Result, StageReport

FIT = CArmFit(1020.0, 1024.0, 9.0, (127.5, 127.5), (126.0, 130.0), (4.0, 5.0))
ERROR = ExpectedError(np.array([0.1, 0.2, 0.3]), np.array([1.0, 2.0, 3.0]), 2.4, 3.2)
RESULT = Result(
    name="case", status="accepted", confidence=0.936, world_from_volume=np.diag([1.0, -1, -1, 1]),
    camera_from_volume=(np.eye(4), np.diag([-1.0, -1, 1, 1])), stages=(StageReport("cmaes", 90, 1.5, 0.7, 4),),
    seconds=12.34, device="cpu x", projector="fused-cpu", mtre_mm=1.256, config={"seed": 3}, versions={"cma": "4"},
    warnings=("note",), stopped=None, reasons=("why", "and"), evidence={"confirmed": 0.7}, expected_error=ERROR,
    carm_fit=FIT, attempts=(Attempt(np.eye(4), 0.5, {}),), weights={"title": "net"},
    look_alikes=(ComparedPlace((1.0, 2.0, -3.0), 0.25),), relation=(FoundView(2, "accepted", 1.5, 4.0),),
)  # fmt: skip


def result_of(status: str, stopped: str | None = None) -> Result:
    return replace(RESULT, status=status, stopped=stopped)


ACCEPTED, UNCERTAIN, FAILED = (result_of(status) for status in ("accepted", "uncertain", "failed"))
CANCELLED, LATE = result_of("accepted", "cancelled"), result_of("uncertain", "time limit")


def test_exit_codes_are_those_of_the_manual():
    assert {code.name: int(code) for code in ExitCode} == {
        "DONE": 0, "DEFECT": 1, "BAD_INPUT": 2, "NOT_ACCEPTED": 3, "STOPPED": 4,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("results", "code"),
    [
        ([ACCEPTED], 0), ([ACCEPTED, ACCEPTED], 0), ([UNCERTAIN], 3), ([FAILED], 3), ([ACCEPTED, UNCERTAIN], 3),
        ([FAILED, ACCEPTED], 3), ([CANCELLED], 4), ([LATE], 4), ([FAILED, LATE], 4), ([CANCELLED, FAILED], 4),
    ],
)  # fmt: skip
def test_the_worst_result_decides_the_exit_code(results, code):
    assert exit_code_of(results) == code


@pytest.mark.parametrize("status", ["accepted", "uncertain", "failed"])
@pytest.mark.parametrize(("stopped", "ending"), [(None, ""), ("time limit", ", stopped: time limit")])
def test_the_summary_says_status_confidence_error_and_time(status, stopped, ending):
    result = result_of(status, stopped)
    # What a failed pose would be off if it were right is not told.
    error = "" if status == "failed" else ", expected error 2.4 mm across the beam and 3.2 mm along it"
    assert summary(result) == f"{status}, confidence 94 %{error}, mTRE 1.26 mm, 12.3 s{ending}"
    assert summary(replace(result, mtre_mm=None)) == f"{status}, confidence 94 %{error}, 12.3 s{ending}"
    assert "confidence > 99 %" in summary(replace(result, confidence=1.0))
    assert "mTRE 0.00 mm" in summary(replace(result, mtre_mm=0.0))


@pytest.mark.parametrize("status", ["accepted", "uncertain", "failed"])
def test_result_json_holds_every_field_under_its_own_name(status):
    assert result_to_dict(result_of(status)) == {
        "name": "case", "status": status, "confidence": 0.936, "reasons": ["why", "and"],
        "evidence": {"confirmed": 0.7},
        "expected_error": {
            "rotation_deg": [0.1, 0.2, 0.3], "translation_mm": [1.0, 2.0, 3.0], "across_mm": 2.4, "along_mm": 3.2,
            "mtre_mm": 4.0,
        },
        "carm_fit": {
            "given_sdd_mm": 1020.0, "sdd_mm": 1024.0, "sdd_deviation_mm": 9.0, "given_principal_point": [127.5, 127.5],
            "principal_point": [126.0, 130.0], "principal_point_deviation_px": [4.0, 5.0],
        },
        "world_from_volume": np.diag([1.0, -1, -1, 1]).tolist(),
        "camera_from_volume": [np.eye(4).tolist(), np.diag([-1.0, -1, 1, 1]).tolist()],
        "stages": [{"name": "cmaes", "evaluations": 90, "seconds": 1.5, "score": 0.7, "starts": 4}],
        "seconds": 12.34, "device": "cpu x", "projector": "fused-cpu", "mtre_mm": 1.256, "stopped": None,
        "config": {"seed": 3}, "versions": {"cma": "4"}, "weights": {"title": "net"}, "warnings": ["note"],
        "polarity": [], "look_alikes": [{"offset_mm": [1.0, 2.0, -3.0], "confirmed": 0.25}],
        "relation": [{"view": 2, "status": "accepted", "rotation_deg": 1.5, "translation_mm": 4.0}],
    }  # fmt: skip
    missing = {field.name for field in fields(Result)} - set(result_to_dict(RESULT))
    assert missing == {"attempts", "polarities", "is_settled"}


def test_what_is_not_known_is_null():
    content = result_to_dict(
        replace(RESULT, expected_error=None, carm_fit=None, weights=None, mtre_mm=None, stopped="cancelled")
    )
    assert [content[name] for name in ("expected_error", "carm_fit", "weights", "mtre_mm", "stopped")] == [None] * 4 + [
        "cancelled"
    ]


def test_the_overlay_has_a_colour_of_its_own_for_every_status():
    greenish, amber, red = (STATUS_COLOURS[status] for status in ("accepted", "uncertain", "failed"))
    assert greenish[1] > 1.5 * max(greenish[0], greenish[2])
    assert red[0] > 1.5 * max(red[1], red[2])
    assert amber[0] > amber[1] > 1.5 * amber[2]


@pytest.mark.parametrize("size", [(60, 48), (45, 36), (24, 20), (240, 192)])
def test_a_resized_image_and_its_camera_stay_on_each_other(size):
    """A DRR rendered with the resized camera equals the resized DRR: half a pixel off is seen at once."""
    k, j, i = np.indices((40, 40, 40))
    blob = np.exp(-((i - 24) ** 2 + (j - 17) ** 2 + (k - 21) ** 2) / (2 * 5.0**2))
    projector = make_projector(Volume(blob.astype(np.float32), np.diag([2.0, 2.0, 2.0, 1.0])))
    carm = CArm.from_sdd(1000.0, (2.0, 2.0), (120, 96), (55.5, 50.25), standard_view("AP", (40, 40, 40), 600.0))
    small = resized_carm(carm, size)
    assert small.size == size
    drawn = projector.render(small.camera_from_world[None], small)[0]
    shrunk = resized_image(projector.render(carm.camera_from_world[None], carm)[0], size)

    def centroid(picture: np.ndarray) -> np.ndarray:
        rows, columns = np.indices(picture.shape)
        return np.array([np.average(axis, weights=np.maximum(picture, 0)) for axis in (columns, rows)])

    np.testing.assert_allclose(centroid(drawn), centroid(shrunk), atol=0.06)
    np.testing.assert_allclose(drawn, shrunk, atol=0.08 * drawn.max())
    # The outer corners of both images are the same places on the detector.
    corners = np.array([[-0.5, -0.5, 1], [carm.width - 0.5, carm.height - 0.5, 1]])
    small_corners = np.array([[-0.5, -0.5, 1], [size[0] - 0.5, size[1] - 0.5, 1]])
    rays, small_rays = (
        points @ np.linalg.inv(camera.intrinsics).T for points, camera in ((corners, carm), (small_corners, small))
    )
    np.testing.assert_allclose(small_rays, rays, atol=1e-12)


@pytest.fixture
def case_of_two_views() -> tuple[Case, Result]:
    k, j, i = np.indices((20, 20, 20))
    hu = np.where((i - 10) ** 2 + (j - 10) ** 2 + (k - 10) ** 2 < 36, 800.0, -1000.0).astype(np.float32)
    carm = CArm.from_sdd(1000.0, (4.0, 4.0), (30, 24), None, standard_view("AP", (19.0, 19.0, 19.0), 600.0))
    view = View(XRay(np.random.default_rng(0).random((24, 30)).astype(np.float32), np.ones((24, 30), bool)), carm)
    case = Case("case", Volume(hu, np.diag([2.0, 2.0, 2.0, 1.0])), hu > 0, (view, view), np.eye(4))
    result = replace(RESULT, world_from_volume=np.eye(4), camera_from_volume=(np.eye(4),) * 2)
    return case, result


def test_all_files_of_a_case_are_named(case_of_two_views, tmp_path: Path):
    names = write_case_outputs(tmp_path / "out", *case_of_two_views)
    assert names == ["result.json", "world_from_volume.tfm", "drr.nrrd", "drr_2.nrrd", "overlay.png", "report.html"]
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == sorted(names)


@pytest.mark.parametrize("is_writable", [True, False])
def test_the_verdict_is_said_before_anything_is_drawn_and_the_pose_where_it_cannot_be_written(
    case_of_two_views, is_writable, tmp_path: Path, monkeypatch, capsys
):
    case, result = case_of_two_views
    said: list[str] = []

    def register(*_: object) -> Result:
        if not is_writable:
            (tmp_path / "out").write_text("in the way")
        return result

    def write(*arguments: Any) -> list[str]:
        if not said:  # a second time it is written elsewhere
            said.extend(capsys.readouterr().err.splitlines())
        return write_case_outputs(*arguments)

    monkeypatch.setattr(cli_register, "register", register)
    monkeypatch.setattr(cli_register, "write_case_outputs", write)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    try:
        register_and_write(case, RegistrationConfig(), tmp_path / "out", lambda: False)
    except InputError:
        assert not is_writable
    moved = "view 2: its C-arm stood 1.5 degrees and 4.0 mm from where it was said to"
    assert [line.strip() for line in said] == ["Note: note", "why", "and", moved, summary(result), "Drawing 2 views"]
    rest = [line.strip() for line in capsys.readouterr().err.splitlines()]
    if is_writable:
        assert rest == [f"-> {tmp_path / 'out'}"]
    else:
        assert rest == ["It cannot be written. The pose, world_from_volume:", *POSE_LINES]


POSE_LINES = ["1 0 0 0", "0 1 0 0", "0 0 1 0", "0 0 0 1"]


def test_the_settings_that_decision_records_argue_for():
    config = RegistrationConfig()
    assert (config.method, config.restarts, config.weights, config.device) == ("auto", "auto", "auto", "auto")
    assert (config.spread_rotation_deg, config.spread_shift_mm, config.spread_depth_mm) == (20.0, 30.0, 60.0)
