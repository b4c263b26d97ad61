"""A DRR as DICOM: its pixels and its C-arm read back as they were, and it lies in the study of its CT."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk  # noqa: N813

from DicomFiles import write_ct, write_xray
from prostreg.cli.main import main
from prostreg.geometry.standard_views import standard_view
from prostreg.images.xray_reading import read_xray_image

K = [[500.0, 0, 22.25], [0, 400.0, 48.5], [0, 0, 1]]
CENTRE_MM = np.array([-9.5, -9.5, 11.0])
WHO = {"PatientName": "Who^Ever", "PatientID": "ID-31415"}
UIDS = {"StudyInstanceUID": "1.2.1", "SeriesInstanceUID": "1.2.1.1"}


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A case with a CT of slices, a cube in it, and a C-arm whose axis meets the image far from its middle."""
    monkeypatch.chdir(tmp_path)
    write_case()


def write_case(ct: str = "ct", **tags: Any) -> None:
    pixels = np.full((20, 20), 24, np.uint16)
    pixels[6:14, 6:12] = 1900
    for number in range(12):
        write_ct(Path("ct") / f"{number}.dcm", pixels, [0, 0, 2.0 * number], **(UIDS | WHO | tags))
    noise = np.random.default_rng(0).integers(0, 4000, (60, 80)).astype(np.uint16)
    write_xray(Path("x.dcm"), "XA", noise)
    camera = {"K": K, "size": [80, 60], "spacing_mm": [2.0, 2.5]}
    Path("case.json").write_text(
        json.dumps({"name": "c", "ct": ct, "views": [{"image": "x.dcm", "camera": camera, "flip": False}]})
    )


def drawn(name: str, view: str = "PA") -> Path:
    np.savetxt("pose.txt", standard_view(view, CENTRE_MM, 700.0))
    assert main(["drr", "case.json", "--pose", "pose.txt", "--out", name]) == 0
    return Path(name)


def test_pixels_are_the_line_integrals() -> None:
    expected = sitk.GetArrayFromImage(sitk.ReadImage(str(drawn("drr.nrrd"))))
    read = pydicom.dcmread(drawn("drr.dcm"))
    slope = float(read.RescaleSlope)
    np.testing.assert_allclose(read.pixel_array * slope + float(read.RescaleIntercept), expected, atol=0.51 * slope)
    assert slope == pytest.approx(expected.max() / 65535)
    assert (read.Rows, read.Columns, read.PhotometricInterpretation) == (60, 80, "MONOCHROME2")


def test_the_c_arm_reads_back_from_its_tags() -> None:
    read = read_xray_image(drawn("drr.dcm"))
    assert read.carm is not None
    np.testing.assert_allclose(read.carm.intrinsics, K, atol=1e-9)
    assert (read.carm.sdd_mm, read.carm.spacing_mm, read.carm.size) == (1000.0, (2.0, 2.5), (80, 60))
    assert read.polarity == "bone-bright"


@pytest.mark.parametrize(
    ("view", "angles", "orientation"),
    [("PA", (0, 0), ["R", "F"]), ("left lateral", (90, 0), ["A", "F"]), ("AP", (180, 0), ["L", "F"])],
)
def test_the_beams_direction_is_told_by_dicoms_angles(view: str, angles: Any, orientation: list[str]) -> None:
    read = pydicom.dcmread(drawn("drr.dcm", view))
    assert float(read.PositionerPrimaryAngle) % 360 == pytest.approx(angles[0])
    assert float(read.PositionerSecondaryAngle) == pytest.approx(angles[1])
    assert list(read.PatientOrientation) == orientation


def test_it_lies_in_the_study_of_its_ct_and_names_nobody() -> None:
    read = pydicom.dcmread(drawn("drr.dcm"))
    assert (read.SOPClassUID.name, read.Modality) == ("Secondary Capture Image Storage", "OT")
    assert read.StudyInstanceUID == "1.2.1"
    assert read.SeriesInstanceUID != "1.2.1.1"
    slices = {pydicom.dcmread(path).SOPInstanceUID for path in Path("ct").iterdir()}
    assert {item.ReferencedSOPInstanceUID for item in read.SourceImageSequence} == slices
    assert len(slices) == 12
    uids = [read.SOPInstanceUID, read.SeriesInstanceUID, read.file_meta.MediaStorageSOPInstanceUID]
    assert all(pydicom.uid.UID(uid).is_valid for uid in uids)
    assert uids[0] == uids[2]
    assert (str(read.PatientName), read.PatientID) == ("", "")
    assert not any(word in drawn("drr.dcm").read_bytes() for word in (b"Who", b"31415"))


def test_pose_and_k_stand_in_words_with_all_digits() -> None:
    words = pydicom.dcmread(drawn("drr.dcm")).DerivationDescription
    told = words.partition("camera from CT ")[2].partition(" (")[0].split()
    np.testing.assert_allclose(np.array(told, float).reshape(4, 4), standard_view("PA", CENTRE_MM, 700.0), atol=1e-6)
    assert "K 500 0 22.25 0 400 48.5 0 0 1 pixels" in words


@pytest.mark.parametrize(
    ("ct", "tags", "said"),
    [
        ("ct.nrrd", {}, "ct.nrrd is no folder of DICOM slices: give the DRR another ending"),
        ("ct", {"StudyInstanceUID": None}, "lack a UID (StudyInstanceUID"),
    ],
)
def test_without_dicom_or_study_it_is_refused_with_all_other_faults(
    capsys: pytest.CaptureFixture[str], ct: str, tags: dict[str, Any], said: str
) -> None:
    write_case(ct, **tags)
    sitk.WriteImage(sitk.ReadImage([str(path) for path in sorted(Path("ct").iterdir())]), "ct.nrrd")
    assert main(["drr", "case.json", "--pose", "none.txt", "--out", "drr.dcm", "--json"]) == 2
    faults = json.loads(capsys.readouterr().out)["error"]["faults"]
    assert len(faults) == 2
    assert "none.txt" in faults[0]
    assert said in faults[1]
    assert not Path("drr.dcm").exists()
