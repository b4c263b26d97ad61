"""A written DICOM X-ray whose field lies beside the detector's middle, from file to verdict."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PhantomImages import phantom_case_in
from PIL import Image

from DicomFiles import write_xray
from Patience import PATIENCE_S
from prostreg.registration.case_file import read_case
from prostreg.registration.config import RegistrationConfig
from prostreg.registration.registering import register

CONFIG = RegistrationConfig(
    method="cmaes", restarts=2, population=32, generations=24, search_pixels=48, judge_pixels=64, polish_pixels=128,
    time_limit_s=PATIENCE_S,
)  # fmt: skip
PITCH_MM = 0.5


@pytest.fixture(scope="module")
def phantom_case(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("phantom")
    phantom_case_in(folder, 0)
    return folder


def with_field(folder: Path, **tags: Any) -> Path:
    """The case with its X-ray as a DICOM image of the detector's right half and a little more."""
    content = json.loads((folder / "case.json").read_text(encoding="utf-8"))
    (view,) = content["views"]
    pixels = np.asarray(Image.open(folder / "xray.tif"))
    height, width = pixels.shape
    first = width // 8
    (fx, _, _), *_ = view["camera"]["K"]
    write_xray(
        folder / "x.dcm",
        pixels=np.ascontiguousarray(pixels[:, first:]).astype(np.uint16),
        DistanceSourceToDetector=f"{fx * PITCH_MM:.6f}",
        ImagerPixelSpacing=[PITCH_MM, PITCH_MM],
        DetectorActiveDimensions=[height * PITCH_MM, width * PITCH_MM],
        DetectorElementSpacing=[PITCH_MM, PITCH_MM],
        **({"FieldOfViewOrigin": [0.0, float(first)]} | tags),
    )
    told = {key: value for key, value in view.items() if key not in ("image", "camera")}
    content["views"] = [{**told, "image": "x.dcm", "flip": False, "camera": {"accuracy": "calibrated"}}]
    (folder / "field.json").write_text(json.dumps(content), encoding="utf-8")
    return folder / "field.json"


def test_a_field_beside_the_detectors_middle_is_registered_to_where_it_is(phantom_case):
    result = register(read_case(with_field(phantom_case)), CONFIG)
    assert result.status == "accepted"
    assert result.mtre_mm < 5


def test_without_its_origin_the_same_field_leads_elsewhere(phantom_case):
    """What the tags are for: an eighth of the width, at the detector."""
    result = register(read_case(with_field(phantom_case, FieldOfViewOrigin=None)), CONFIG)
    assert result.mtre_mm > 8
