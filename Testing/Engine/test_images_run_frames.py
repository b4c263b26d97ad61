"""All frames of a DICOM run, one after the other: the same pixels as one alone has, and their times."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import UID, RLELossless

from DicomFiles import PICTURE, item, run_lengths, stream, write_xray
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


@pytest.mark.parametrize("together", [2, 64])
def test_a_damaged_frame_costs_only_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, together: int) -> None:
    monkeypatch.setattr(dicom_run, "MOST_DECODED", together)
    good = run_lengths(PICTURE)
    bad = good[:2] + b"\xff" * (len(good) - 2)
    path = write_xray(
        tmp_path / "run.dcm", "XA", np.stack([PICTURE] * 3), RLELossless, b"\0\0", NumberOfFrames=3,
        PixelData=encapsulate([good, bad, good]),
    )  # fmt: skip
    run = XRayRun(path)
    for number in (1, 3):
        np.testing.assert_array_equal(run.frame(number), PICTURE)
    with pytest.raises(InputError, match="cannot be decoded"):
        run.frame(2)
    np.testing.assert_array_equal(run.frame(1), PICTURE)


INCREMENTS = [0.0, 0.0, 0.1, 5.0, 9.0]


@pytest.mark.parametrize(
    ("first", "asked", "still"),
    [
        (1, (1, 3), None),
        (2, (1, 5), "frames 1 to 3"),
        (4, (1, 4), "frame 4"),
        (5, (5, 5), None),
        (3, (2, 4), "frames 2 to 3"),
    ],
)
def test_frames_between_which_the_c_arm_turned_are_refused(
    tmp_path: Path, first: int, asked: tuple[int, int], still: str | None
) -> None:
    run = XRayRun(written(tmp_path, PositionerPrimaryAngle=10, PositionerPrimaryAngleIncrement=INCREMENTS))
    if still is None:
        return run.refuse_moving(first, asked)
    with pytest.raises(InputError, match=f"it is as in frame {first} in {still} only"):
        run.refuse_moving(first, asked)
    return None


@pytest.mark.parametrize(
    ("sequence", "values", "is_refused"),
    [
        ("XRayGeometrySequence", {"DistanceSourceToDetector": (1000.0, 1050.0)}, True),
        ("FramePixelDataPropertiesSequence", {"ImagerPixelSpacing": ([0.3, 0.3], [0.2, 0.2])}, True),
        ("TablePositionSequence", {"TableTopVerticalPosition": (10.0, 90.0)}, False),
    ],
)
def test_frames_with_other_numbers_of_the_c_arm_are_refused(
    tmp_path: Path, sequence: str, values: dict[str, tuple[Any, Any]], is_refused: bool
) -> None:
    """The third of five frames is the first with the other value; a table that moves takes the patient along."""
    groups = []
    for number in range(1, 6):
        own = {keyword: pair[number >= 3] for keyword, pair in values.items()}
        group = Dataset()
        setattr(group, sequence, item(**own))
        groups.append(group)
    carm = {"DistanceSourceToDetector": 1000.0, "ImagerPixelSpacing": [0.3, 0.3]}
    run = XRayRun(written(tmp_path, PerFrameFunctionalGroupsSequence=Sequence(groups), **carm))
    run.refuse_moving(1, (1, 2))
    if is_refused:
        with pytest.raises(InputError, match="in frames 1 to 2 only"):
            run.refuse_moving(2, (1, 5))
    else:
        run.refuse_moving(2, (1, 5))


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
