"""Who the patient is stays in the DICOM files: no output, word, log or temporary file tells it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pydicom.uid import JPEGLSLossless

from DicomFiles import stream, write_ct, write_xray
from prostreg.cli.main import main

WHO = {
    "PatientName": "Zaphod^Beeblebrox",
    "PatientID": "ZB-314159",
    "PatientBirthDate": "19421231",
    "OtherPatientIDs": "OTHER-2718",
    "PatientAddress": "Heart of Gold 42",
    "InstitutionName": "Megadodo Clinic",
    "ReferringPhysicianName": "Marvin^Paranoid",
    "AccessionNumber": "ACC-5772156",
    "StudyDescription": "Visit of Beeblebrox",
    "SeriesDescription": "Spine of Beeblebrox",
    "ImageComments": "comment on Beeblebrox",
}
SECRETS = [word.encode() for text in WHO.values() for word in text.replace("^", " ").split() if len(word) > 4]
CARM = {"DistanceSourceToDetector": 1000, "ImagerPixelSpacing": [2.0, 2.0], "PositionerPrimaryAngle": 0}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A CT and an X-ray of a named patient; what is temporary lies in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    pixels = np.full((20, 20), 1024 - 1000, np.uint16)
    pixels[4:16, 4:16] = 1024 + 30
    pixels[6:12, 5:10] = 1024 + 800
    for number in range(16):
        write_ct(tmp_path / "ct" / f"{number}.dcm", pixels, [0, 0, number], InstanceNumber=number + 1, **WHO)
    picture = np.random.default_rng(0).integers(0, 4000, (60, 80)).astype(np.uint16)
    write_xray(tmp_path / "xray.dcm", pixels=picture, **CARM, **WHO)
    return tmp_path


def told(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """Every file that is not one of the patient's own, with its name and content."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix != ".dcm":
            yield path, str(path.relative_to(folder)).encode() + b"\n" + path.read_bytes()


def nothing_tells_who(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = "".join(capsys.readouterr()).encode()
    for secret in SECRETS:
        assert secret not in said
        for path, content in told(folder):
            assert secret not in content, path
    assert [path.name for path in (folder / "temporary").iterdir() if not path.name.startswith("torch")] == []


def test_a_registration_of_dicom_files(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--ct", "ct", "--xray", "xray.dcm", "--method", "cmaes", "--restarts", "1", "--time-limit", "5"]
    assert main(["register", *words, "--out", "out", "--json"]) in (0, 3, 4)
    assert {path.name for path, _ in told(folder)} >= {
        "result.json",
        "case.json",
        "overlay.png",
        "drr.nrrd",
        "report.html",
    }
    nothing_tells_who(folder, capsys)


@pytest.mark.parametrize(
    "tags",
    [
        {"ImagerPixelSpacing": None},
        {"Rows": 3},
        {"PhotometricInterpretation": "RGB"},
        {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.104.1"},
    ],
)
def test_a_refusal_in_words(folder: Path, tags: dict[str, object], capsys: pytest.CaptureFixture[str]) -> None:
    write_xray(folder / "xray.dcm", pixels=np.zeros((60, 80), np.uint16), **{**CARM, **WHO, **tags})
    assert main(["case", "--ct", "ct", "--xray", "xray.dcm", "--out", "out", "--json"]) == 2
    nothing_tells_who(folder, capsys)


def test_a_refusal_of_two_series(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = {**WHO, "SeriesDescription": "Lungs of Beeblebrox", "SeriesInstanceUID": "1.2.3.4", "SeriesNumber": 7}
    for number in range(3):
        write_ct(folder / "ct" / f"lung{number}.dcm", np.full((20, 20), 24, np.uint16), [0, 0, number], **other)
    assert main(["case", "--ct", "ct", "--xray", "xray.dcm", "--out", "out", "--json"]) == 2
    nothing_tells_who(folder, capsys)


@pytest.mark.parametrize("cut", [0, 40])
def test_compressed_pixels_that_a_child_process_decodes(
    folder: Path, cut: int, capsys: pytest.CaptureFixture[str]
) -> None:
    compressed = stream(JPEGLSLossless)
    write_xray(
        folder / "xray.dcm", syntax=JPEGLSLossless, compressed=compressed[: len(compressed) - cut], **CARM, **WHO
    )
    assert main(["case", "--ct", "ct", "--xray", "xray.dcm", "--out", "out", "--json"]) == (2 if cut else 0)
    nothing_tells_who(folder, capsys)
