"""report.html: a page that needs nothing else, says what the panel says, and holds what a result was made of."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from prostreg.geometry.carm import CArm
from prostreg.geometry.standard_views import standard_view
from prostreg.images.dicom_geometry.carm_numbers import CArmNumber
from prostreg.images.volume import Volume
from prostreg.images.xray import XRay
from prostreg.outputs.case_outputs import write_case_outputs
from prostreg.outputs.report import write_report
from prostreg.registration.case import Case, View
from prostreg.registration.readings import PolarityUsed
from prostreg.registration.result import CArmFit, ExpectedError, Result, StageReport

RESULT = Result(
    name="case", status="accepted", confidence=0.936, world_from_volume=np.diag([1.0, -1, -1, 1]),
    camera_from_volume=(np.eye(4),), stages=(StageReport("cmaes", 90, 1.5, 0.7, 4),), seconds=12.34,
    device="cpu x", projector="fused-cpu", mtre_mm=1.256, config={"seed": 3}, versions={"prostreg": "9.8.7"},
    warnings=("a < b & c",), reasons=("91% of the structure is confirmed",), carm_fit=CArmFit(
        1020.0, 1024.0, 9.0, (127.5, 127.5), (126.0, 130.0), (4.0, 5.0)
    ),
    expected_error=ExpectedError(np.array([0.1, 0.2, 0.3]), np.array([1.0, 2.0, 3.0]), 2.4, 0.04),
    polarities=(PolarityUsed("bone-dark", True, 1.0, True),),
)  # fmt: skip


def case_of(accuracy: str = "calibrated", told: tuple[CArmNumber, ...] = (), name: str = "case") -> Case:
    k, j, i = np.indices((20, 20, 20))
    hu = np.where((i - 10) ** 2 + (j - 10) ** 2 + (k - 10) ** 2 < 36, 800.0, -1000.0).astype(np.float32)
    pose = standard_view("AP", (19.0, 19.0, 19.0), 600.0)
    carm = CArm.from_sdd(1000.0, (4.0, 4.0), (30, 24), None, pose, accuracy=accuracy)
    xray = XRay(np.random.default_rng(0).random((24, 30)).astype(np.float32), np.ones((24, 30), bool))
    volume = Volume(hu, np.diag([2.0, 2.0, 2.0, 1.0]))
    return Case(name, volume, hu > 0, (View(xray, carm, told=told),), np.eye(4))


def page_of(tmp_path: Path, case: Case, result: Result) -> str:
    picture = tmp_path / "picture.png"
    Image.new("L", (7, 5), 90).save(picture)
    write_report(tmp_path / "report.html", case, result, picture)
    return (tmp_path / "report.html").read_text(encoding="utf-8")


def words_of(page: str) -> str:
    return " ".join(unescape(re.sub("<style>.*?</style>|<[^>]*>", " ", page, flags=re.DOTALL)).split())


class Tags(HTMLParser):
    """What stays open, and every address in a page."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.addresses += [value or "" for name, value in attributes if name in ("src", "href", "action")]
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_and_asks_for_nothing(tmp_path: Path) -> None:
    page = page_of(tmp_path, case_of(), RESULT)
    tags = Tags()
    tags.feed(page)
    assert tags.open == []
    (address,) = tags.addresses
    picture = base64.b64decode(address.removeprefix("data:image/png;base64,"))
    assert Image.open(io.BytesIO(picture)).size == (7, 5)
    assert "url(" not in page
    assert "<script" not in page


def test_what_was_found_and_how_is_there(tmp_path: Path) -> None:
    words = words_of(page_of(tmp_path, case_of(), RESULT))
    for said in (
        "Trusted 94 % likely the right place. Expected error there: 2.4 mm across the beam, less than 0.1 mm along it.",
        "91% of the structure is confirmed.",
        "True error (mTRE) 1.26 mm",
        "Distance by the image 1024 ± 9.0 mm; given 1020 mm",
        "1.0 mm to the side, 2.0 mm up or down, 3.0 mm in depth",
        "source to detector 1000.0 mm, ± 5 mm, with pixels of 4 x 4 mm",
        "a < b & c",
        "-1.000000",
        "cmaes 4 90 0.700 1.5 s",
        "polarity of view 1 bone-dark (given)",
        "prostreg 9.8.7",
        "seed 3",
    ):
        assert said in words, said


def test_a_failure_promises_nothing(tmp_path: Path) -> None:
    words = words_of(page_of(tmp_path, case_of(), replace(RESULT, status="failed")))
    assert "Failed No place was found that fits." in words
    assert "likely the right place" not in words
    assert "Expected error" not in words


@pytest.mark.parametrize(
    ("status", "word", "colour"),
    [("accepted", "Trusted", "#1b7f4d"), ("uncertain", "Uncertain", "#8f5d00"), ("failed", "Failed", "#b3261e")],
)
def test_each_verdict_has_the_panels_word_and_colour(tmp_path: Path, status: Any, word: str, colour: str) -> None:
    page = page_of(tmp_path, case_of(), replace(RESULT, status=status))
    assert f'style="background: {colour}"><b>{word}</b>' in page
    assert f"<title>case: {word}</title>" in page


@pytest.mark.parametrize(
    ("accuracy", "sentence"),
    [("preset", "The C-arm's values are guessed, not confirmed."), ("dicom", "C-arm's values from DICOM.")],
)
def test_where_the_c_arm_is_from_is_part_of_the_verdict(tmp_path: Path, accuracy: str, sentence: str) -> None:
    assert f"along it. {sentence}" in words_of(page_of(tmp_path, case_of(accuracy), RESULT))


def test_the_numbers_of_dicom_tags_stand_with_their_origin(tmp_path: Path) -> None:
    told = (CArmNumber("source to detector", "1000.0 mm", "DistanceSourceToDetector", "± 10 mm"),)
    words = words_of(page_of(tmp_path, case_of("dicom", told), RESULT))
    assert "source to detector 1000.0 mm ± 10 mm DistanceSourceToDetector" in words


def test_a_name_can_hold_anything(tmp_path: Path) -> None:
    page = page_of(tmp_path, case_of(name='<script>"&'), RESULT)
    assert "<script" not in page
    assert '<script>"&' in unescape(page)


def test_it_lies_beside_the_other_results(tmp_path: Path) -> None:
    write_case_outputs(tmp_path / "out", case_of(), RESULT)
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    overlay = base64.b64encode((tmp_path / "out" / "overlay.png").read_bytes()).decode()
    assert overlay in page


@pytest.mark.parametrize("is_flipped", [False, True])
def test_a_picture_that_was_turned_over_says_so(tmp_path: Path, is_flipped: bool) -> None:
    case = case_of()
    case = replace(case, views=(replace(case.views[0], is_flipped=is_flipped),))
    assert ("left and right exchanged" in words_of(page_of(tmp_path, case, RESULT))) is is_flipped
