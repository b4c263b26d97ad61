"""Source-detector distance and pixel pitch by an X-ray's DICOM tags, and what is said where they are not plain."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from DicomFiles import write_xray
from prostreg.errors import InputError
from prostreg.geometry.carm_accuracy import FROM_DICOM, GUESSED
from prostreg.images.dicom_geometry.carm_from_dicom import carm_from_dicom, said_of_carm
from prostreg.images.dicom_geometry.carm_numbers import carm_numbers
from prostreg.images.dicom_geometry.distances import pixel_pitch, source_detector, source_patient_mm
from prostreg.registration.case_file import read_case

PLAIN = {"Modality": "XA", "Rows": 768, "Columns": 1024, "DistanceSourceToDetector": 1150.0}
PLAIN |= {"ImagerPixelSpacing": [0.4, 0.3]}


def without(keyword: str, **more: Any) -> dict[str, Any]:
    return {name: value for name, value in PLAIN.items() if name != keyword} | more


@pytest.mark.parametrize(
    ("given", "mm", "said"),
    [
        (1150, 1150, None),
        (300, 300, None),
        (115, 1150, "was read as cm"),
        (299, 2990, "was read as cm"),
        (1.15, 1150, "was read as m"),
        (3, 3000, "was read as m"),
        (5000, None, "is 5000, which no device has"),
        (0, None, "is 0, which no device has"),
        (None, None, "DistanceSourceToDetector (0018,1110) is missing"),
    ],
)
def test_the_distance_in_the_unit_that_it_can_only_have(
    given: float | None, mm: float | None, said: str | None
) -> None:
    found = source_detector(PLAIN | {"DistanceSourceToDetector": given})
    assert found.mm == (None if mm is None else pytest.approx(mm))
    assert (said or "None") in str(found.said)


@pytest.mark.parametrize(("sdd", "sod"), [(1150, 700), (115, 70), (1.15, 0.7)])
def test_the_distance_to_the_patient_is_in_the_same_unit(sdd: float, sod: float) -> None:
    tags = PLAIN | {"DistanceSourceToDetector": sdd, "DistanceSourceToPatient": sod}
    assert source_patient_mm(tags, source_detector(tags)) == pytest.approx(700)
    beyond = tags | {"DistanceSourceToPatient": sdd}
    assert source_patient_mm(beyond, source_detector(beyond)) is None


@pytest.mark.parametrize(
    ("tags", "pitch", "estimated_from"),
    [
        ({}, (0.3, 0.4), None),
        ({"DetectorElementSpacing": [0.1, 0.1], "DetectorBinning": [2, 2]}, (0.3, 0.4), None),  # the first counts
        (without("ImagerPixelSpacing", DetectorElementSpacing=[0.2, 0.1]), (0.1, 0.2), None),
        (without("ImagerPixelSpacing", DetectorElementSpacing=[0.2, 0.1], DetectorBinning=[2, 4]), (0.4, 0.4), None),
        (without("ImagerPixelSpacing", DetectorElementSpacing=[0.2, 0.1], DetectorBinning=[0, 0]), (0.1, 0.2), None),
        (without("ImagerPixelSpacing", FieldOfViewDimensions=[230.4]), (0.3, 0.3), "FieldOfViewDimensions"),
        (without("ImagerPixelSpacing", FieldOfViewDimensions=230.4), (0.3, 0.3), "FieldOfViewDimensions"),
        (without("ImagerPixelSpacing", FieldOfViewDimensions=[307.2, 230.4]), (0.3, 0.3), "FieldOfViewDimensions"),
        (without("ImagerPixelSpacing", FieldOfViewDimensions=[230.4, 307.2]), (0.3, 0.3), "FieldOfViewDimensions"),
        (without("ImagerPixelSpacing", IntensifierSize=230.4), (0.3, 0.3), "IntensifierSize"),
        (without("ImagerPixelSpacing", FieldOfViewDimensions=[230.4, 230.4]), None, None),  # not square in this image
        (without("ImagerPixelSpacing", IntensifierSize=9), None, None),  # inches
        (without("ImagerPixelSpacing", IntensifierSize=300, Rows=20, Columns=20), None, None),  # pixels of 15 mm
        (without("ImagerPixelSpacing", PixelSpacing=[0.2, 0.2]), None, None),
        ({"ImagerPixelSpacing": [0, 0], "IntensifierSize": 230.4}, (0.3, 0.3), "IntensifierSize"),
    ],
)
def test_the_pitch_and_what_stands_in_for_it(
    tags: dict[str, Any], pitch: tuple[float, float] | None, estimated_from: str | None
) -> None:
    given = tags if "Rows" in tags else PLAIN | tags
    found = pixel_pitch(given)
    assert found.mm == (None if pitch is None else pytest.approx(pitch))
    carm = carm_from_dicom(given)
    if estimated_from is not None:
        assert f"estimated from {estimated_from}" in str(found.said)
    else:
        assert (found.said is None) == (pitch is not None)
    assert carm is None or carm.accuracy == (FROM_DICOM if found.said is None else GUESSED)


def test_a_distance_in_another_unit_counts_as_little_known() -> None:
    carm = carm_from_dicom(PLAIN | {"DistanceSourceToDetector": 115})
    assert carm is not None
    assert carm.sdd_mm == pytest.approx(1150)
    assert carm.accuracy == GUESSED
    assert said_of_carm(PLAIN) is None


LARGE = PLAIN | {"Rows": 1000, "Columns": 1000, "ImagerPixelSpacing": [0.3, 0.3]}


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        ({"DetectorElementSpacing": [0.3, 0.3], "DetectorBinning": [2, 2]}, "DetectorBinning makes a pixel of several"),
        ({"ImagerPixelSpacing": [0.03, 0.03], "FieldOfViewDimensions": 300}, "30 mm long, and FieldOfViewDimensions"),
        ({"ImagerPixelSpacing": [0.6, 0.6], "FieldOfViewDimensions": [300, 300]}, "600 mm long, and FieldOfViewDim"),
        ({"ImagerPixelSpacing": [0.9, 0.9], "DetectorActiveDimensions": [400, 300]}, "900 mm long, and DetectorActive"),
        ({"DetectorElementSpacing": [0.15, 0.15], "DetectorBinning": [2, 2]}, None),
        ({"DetectorElementSpacing": [0.3, 0.3], "DetectorBinning": [1, 1]}, None),
        ({"FieldOfViewDimensions": 420}, None),  # a square in a circle
        ({"DetectorActiveDimensions": [400, 400]}, None),
    ],
)
def test_a_pixel_spacing_that_other_tags_contradict_is_said_and_little_known(tags: dict, words: str | None) -> None:
    found, carm = pixel_pitch(LARGE | tags), carm_from_dicom(LARGE | tags)
    assert carm is not None
    assert found.mm == pytest.approx((LARGE | tags)["ImagerPixelSpacing"])
    if words is None:
        assert found.said is None
        assert carm.accuracy == FROM_DICOM
    else:
        assert words in str(found.said)
        assert carm.accuracy == GUESSED
        assert "contradicted by other tags" in [number.known for number in carm_numbers(LARGE | tags)]


def test_a_list_of_distances_is_not_called_missing() -> None:
    assert source_detector({"DistanceSourceToDetector": [1000, 1200]}).said == (
        "DistanceSourceToDetector (0018,1110) is not one number."
    )


@pytest.mark.parametrize(
    ("missing", "named", "not_named"),
    [
        ("DistanceSourceToDetector", "DistanceSourceToDetector (0018,1110) is missing", "ImagerPixelSpacing"),
        ("ImagerPixelSpacing", "ImagerPixelSpacing (0018,1164) has no usable value", "DistanceSourceToDetector"),
    ],
)
def test_a_case_says_which_value_is_missing(tmp_path: Path, missing: str, named: str, not_named: str) -> None:
    tags = {"DistanceSourceToDetector": 1150, "ImagerPixelSpacing": [0.4, 0.3]}
    del tags[missing]
    write_xray(tmp_path / "x.dcm", pixels=np.arange(400, dtype=np.uint16).reshape(20, 20), **tags)
    (tmp_path / "case.json").write_text(json.dumps({"name": "a", "ct": "none.nrrd", "views": [{"image": "x.dcm"}]}))
    with pytest.raises(InputError) as raised:
        read_case(tmp_path / "case.json")
    (fault,) = [fault for fault in raised.value.faults if "camera" in fault]
    assert named in fault
    assert not_named not in fault
