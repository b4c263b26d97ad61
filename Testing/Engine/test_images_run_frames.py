"""All frames of a DICOM run, one after the other: the same pixels as one alone has, and their times."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import UID, RLELossless

from DicomFiles import PICTURE, run_lengths, stream, write_xray
from prostreg.errors import InputError
from prostreg.images.dicom import run as dicom_run
from prostreg.images.dicom.run import XRayRun
from prostreg.images.frames import Frames
from prostreg.images.xray_reading import read_xray_image

FRAMES = np.random.default_rng(3).integers(0, 4000, (5, 16, 20)).astype(np.uint16)
JPEG_LOSSLESS = UID("1.2.840.10008.1.2.4.70")


def written(folder: Path, **tags: Any) -> Path:
    return write_xray(folder / "run.dcm", "XA", FRAMES, NumberOfFrames=len(FRAMES), **tags)


def test_each_frame_is_what_it_is_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dicom_run, "MOST_DECODED", 2)
    path = written(tmp_path)
    run = XRayRun(path)
    assert run.count == 5
    for number in (1, 4, 5, 2, 3):
        np.testing.assert_array_equal(run.frame(number), FRAMES[number - 1])
        np.testing.assert_array_equal(run.frame(number), read_xray_image(path, Frames(number, number)).pixels)


@pytest.mark.parametrize("syntax", [RLELossless, JPEG_LOSSLESS])
def test_compressed_frames(tmp_path: Path, syntax: UID) -> None:
    data = run_lengths(PICTURE) if syntax == RLELossless else stream(syntax)
    pixels = encapsulate([data] * 3)
    bits = {} if syntax == RLELossless else {"BitsStored": 12, "HighBit": 11}
    path = write_xray(
        tmp_path / "run.dcm", "XA", np.stack([PICTURE] * 3), syntax, b"\0\0", NumberOfFrames=3, PixelData=pixels, **bits
    )
    run = XRayRun(path)
    for number in (3, 1):
        np.testing.assert_array_equal(run.frame(number), PICTURE)


def test_greys_that_are_stored_in_colours(tmp_path: Path) -> None:
    grey = (FRAMES // 16).astype(np.uint8)
    colours = np.repeat(grey[..., None], 3, axis=-1)
    path = write_xray(
        tmp_path / "run.dcm", "XA", grey, NumberOfFrames=5, SamplesPerPixel=3, PhotometricInterpretation="RGB",
        PlanarConfiguration=0, PixelData=colours.tobytes(),
    )  # fmt: skip
    np.testing.assert_array_equal(XRayRun(path).frame(4), colours[3])


@pytest.mark.parametrize(
    ("tags", "times_s"),
    [
        ({"FrameTime": 40.0}, [0, 0.04, 0.08, 0.12, 0.16]),
        ({"FrameTimeVector": [0.0, 30.0, 30.0, 60.0, 30.0], "FrameTime": 40.0}, [0, 0.03, 0.06, 0.12, 0.15]),
        ({"CineRate": 10}, [0, 0.1, 0.2, 0.3, 0.4]),
        ({"FrameTimeVector": [0.0, 30.0]}, None),
        ({"FrameTime": 0.0}, None),
        ({}, None),
    ],
)
def test_times_of_the_frames(tmp_path: Path, tags: dict[str, Any], times_s: list[float] | None) -> None:
    found = XRayRun(written(tmp_path, **tags)).times_s
    assert found is None if times_s is None else found == pytest.approx(times_s)


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    single = write_xray(tmp_path / "single.dcm", "XA")
    with pytest.raises(InputError, match="has 1 frame: give a run of several"):
        XRayRun(single)
    (tmp_path / "a.png").write_bytes(b"\x89PNG")
    with pytest.raises(InputError, match=r"a\.png is no DICOM run"):
        XRayRun(tmp_path / "a.png")
    with pytest.raises(InputError, match="has 5 frames, and frame 6 was asked for"):
        XRayRun(written(tmp_path)).frame(6)
