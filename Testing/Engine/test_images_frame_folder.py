"""A folder of DICOM X-rays with one frame each: the same run as one file with these frames."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom.uid import RLELossless

from DicomFiles import PICTURE, run_lengths, write_ct, write_xray
from prostreg.errors import InputError
from prostreg.images.dicom.run import XRayRun
from prostreg.images.frames import Frames
from prostreg.images.xray_reading import read_xray_image

RUN = np.stack([PICTURE + 7 * n for n in range(5)]).astype(np.uint16)
CARM: dict[str, Any] = {"DistanceSourceToDetector": 1000, "ImagerPixelSpacing": [0.3, 0.3]}
ANGLES = [10.0, 12.0, 14.5, 17.0, 19.0]
SERIES = {"SeriesInstanceUID": "1.2.3.4", "SeriesNumber": 7}
STEPS_MS = [0.0, 125.0, 125.0, 250.0, 125.0]


def taken(seconds: float, clock: str = "Acquisition") -> dict[str, str]:
    """Tags of a clock that stood shortly before midnight when the run began."""
    moment = datetime(2024, 2, 29, 23, 59, 59, 800_000) + timedelta(seconds=seconds)
    return {f"{clock}Date": f"{moment:%Y%m%d}", f"{clock}Time": f"{moment:%H%M%S.%f}"}


def write_frame(folder: Path, number: int, pixels: NDArray[Any] | None = None, **tags: Any) -> Path:
    """Frame ``number`` from 1 on, in a file whose name tells another order."""
    folder.mkdir(parents=True, exist_ok=True)
    given = {"InstanceNumber": number} | SERIES | CARM | tags
    given = {keyword: value for keyword, value in given.items() if value is not None}
    return write_xray(
        folder / f"{chr(122 - number)}.dcm", pixels=RUN[number - 1] if pixels is None else pixels, **given
    )


def write_folder(folder: Path, **tags: Any) -> Path:
    for number in range(1, len(RUN) + 1):
        write_frame(folder, number, **tags)
    return folder


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """A run of a turning C-arm as a folder and as one file."""
    for number, (angle, seconds) in enumerate(zip(ANGLES, np.cumsum(STEPS_MS) / 1000, strict=True), start=1):
        write_frame(tmp_path / "run", number, PositionerPrimaryAngle=angle, **taken(seconds))
    (tmp_path / "run" / "DICOMDIR").write_bytes(b"an index")
    increments = [0.0, *(angle - ANGLES[0] for angle in ANGLES[1:])]
    turning = {"PositionerPrimaryAngle": ANGLES[0], "PositionerPrimaryAngleIncrement": increments}
    whole = tmp_path / "run.dcm"
    write_xray(whole, pixels=RUN, NumberOfFrames=5, FrameTimeVector=STEPS_MS, **CARM, **turning)
    return tmp_path / "run", whole


@pytest.mark.parametrize("number", [1, 4])
def test_a_frame_of_a_folder_is_that_of_one_file(pair: tuple[Path, Path], number: int) -> None:
    one, other = (read_xray_image(path, Frames(number, number)) for path in pair)
    np.testing.assert_array_equal(one.pixels, other.pixels)
    assert one.carm is not None
    assert other.carm is not None
    np.testing.assert_array_equal(one.carm.intrinsics, other.carm.intrinsics)
    assert one.numbers == other.numbers
    assert (one.polarity, one.side, one.frames) == (other.polarity, other.side, other.frames)


def test_without_a_word_it_is_the_middle_frame_and_means_are_of_still_ones(pair: tuple[Path, Path]) -> None:
    images = [read_xray_image(path) for path in pair]
    assert images[0].notes == images[1].notes[:1]
    np.testing.assert_array_equal(images[0].pixels, RUN[2])
    with pytest.raises(InputError, match="the C-arm moved from frame 2 to 4: take one frame"):
        read_xray_image(pair[0], Frames(2, 4))


def test_the_mean_of_a_folder(tmp_path: Path) -> None:
    image = read_xray_image(write_folder(tmp_path / "run"), Frames(2, 4))
    np.testing.assert_array_equal(image.pixels, RUN[1:4].mean(axis=0, dtype=np.float64).astype(np.float32))
    assert (image.notes, image.frames) == ((), Frames(2, 4))
    with pytest.raises(InputError, match="folder run has 5 frames, and frame 6 was asked for"):
        read_xray_image(tmp_path / "run", Frames(6, 6))


def test_a_folder_is_a_run_to_track(pair: tuple[Path, Path]) -> None:
    runs = [XRayRun(path) for path in pair]
    assert [run.count for run in runs] == [5, 5]
    assert runs[0].times_s == pytest.approx(runs[1].times_s, abs=1e-6)
    for number in (4, 1, 5, 2, 3):
        np.testing.assert_array_equal(runs[0].frame(number), runs[1].frame(number))
    for run in runs:
        run.refuse_moving(3, (3, 3))
        with pytest.raises(InputError, match="it is as in frame 3 in frame 3 only"):
            run.refuse_moving(3, (2, 4))


def test_a_damaged_file_costs_only_its_frame(tmp_path: Path) -> None:
    for number in range(1, 6):
        data = run_lengths(RUN[number - 1])
        data = data[:2] + b"\xff" * 99 if number == 2 else data
        write_frame(tmp_path / "run", number, syntax=RLELossless, compressed=data)
    run = XRayRun(tmp_path / "run")
    with pytest.raises(InputError, match=r"X-ray x.dcm, frame 2, cannot be decoded"):
        run.frame(2)
    for number in (1, 3, 5):
        np.testing.assert_array_equal(run.frame(number), RUN[number - 1])
    (tmp_path / "run" / "x.dcm").write_bytes(b"no longer")
    with pytest.raises(InputError, match="frame 2, is no longer as it was"):
        run.frame(2)


def test_greys_stored_in_colours(tmp_path: Path) -> None:
    for number in range(1, 4):
        grey = (RUN[number - 1] // 16).astype(np.uint8)
        tags = {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", "PlanarConfiguration": 0}
        colours = np.stack([grey] * 3, axis=-1).tobytes()
        write_frame(tmp_path / "run", number, grey, PixelData=colours, Modality="OT", **tags)
    np.testing.assert_array_equal(XRayRun(tmp_path / "run").frame(2)[..., 1], RUN[1] // 16)
    np.testing.assert_array_equal(read_xray_image(tmp_path / "run").pixels, RUN[1] // 16)


@pytest.mark.parametrize("clock", ["Acquisition", "Content"])
def test_times_tell_the_order_where_numbers_do_not(tmp_path: Path, clock: str) -> None:
    for number in range(1, 6):
        own = 5 if number == 3 else None
        write_frame(tmp_path / "run", number, InstanceNumber=own, **taken(0.2 * number, clock))
    run = XRayRun(tmp_path / "run")
    np.testing.assert_array_equal(np.stack([run.frame(number) for number in range(1, 6)]), RUN)
    assert run.times_s == pytest.approx(0.2 * np.arange(5), abs=1e-6)


@pytest.mark.parametrize(
    ("tags", "times_s"),
    [
        ({"FrameTime": 40.0}, [0, 0.04, 0.08, 0.12, 0.16]),
        ({"FrameTime": 40.0, "ContentTime": "101112"}, [0, 0.04, 0.08, 0.12, 0.16]),
        ({"AcquisitionTime": "235959"}, None),
    ],
)
def test_steps_tell_the_times_where_no_clock_does(tmp_path: Path, tags: Any, times_s: Any) -> None:
    told = XRayRun(write_folder(tmp_path / "run", **tags)).times_s
    assert told == (None if times_s is None else pytest.approx(times_s))


def test_the_time_of_an_export_is_not_that_of_the_frames(tmp_path: Path) -> None:
    for number in range(1, 6):
        write_frame(tmp_path / "run", number, FrameTime=40.0, **taken(3.0 * number, "Content"))
    assert XRayRun(tmp_path / "run").times_s == pytest.approx(0.04 * np.arange(5))


def test_frames_that_are_missing_are_said_and_have_no_steps(tmp_path: Path) -> None:
    for number in (2, 3, 5):
        write_frame(tmp_path / "run", number, FrameTime=40.0)
    (tmp_path / "run" / "half.dcm").write_bytes(b"half a copy")
    image = read_xray_image(tmp_path / "run", Frames(3, 3))
    np.testing.assert_array_equal(image.pixels, RUN[4])
    assert image.notes == (
        "The X-ray folder run has frames with InstanceNumber 2 to 5, and some of these are not there: they are counted"
        " from 1 to 3, in that order.",
        "half.dcm in the X-ray folder run cannot be read as DICOM: frames may be missing.",
    )
    assert XRayRun(tmp_path / "run").times_s is None


def two_series(folder: Path) -> None:
    write_folder(folder, SeriesDescription="Spine of Beeblebrox")
    write_frame(folder / "scout", 1, SeriesInstanceUID="1.2.9", SeriesNumber=3, PatientName="Zaphod^Beeblebrox")


def two_patients(folder: Path) -> None:
    write_folder(folder, PatientID="ZB-314159")
    write_frame(folder, 3, PatientID="AD-42")


def another(number: int = 3, **tags: Any) -> Callable[[Path], Any]:
    return lambda folder: [write_folder(folder), write_frame(folder, number, **tags)]


def volume(folder: Path) -> None:
    for number in range(4):
        write_ct(folder / f"{number}.dcm", PICTURE, [0, 0, number], Modality="XA", InstanceNumber=number + 1)


def copied(folder: Path) -> None:
    write_frame(write_folder(folder) / "copy", 3)


def whole(folder: Path) -> None:
    folder.mkdir()
    write_xray(folder / "whole.dcm", pixels=RUN, NumberOfFrames=5, **CARM)


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (two_series, "folder run contains 2 series (number 3 with 1 frames; number 7 with 5 frames): keep one run"),
        (two_patients, "folder run has frames of different patients (PatientID): keep one run in the folder."),
        (another(pixels=PICTURE[:, :18]), "has frames of different sizes (18 x 16, 20 x 16 pixels): keep one run"),
        (another(PhotometricInterpretation="MONOCHROME1"), "stored in different ways (PhotometricInterpretation)"),
        (copied, "has the InstanceNumber 3 twice, in copy/w.dcm and w.dcm, as of several runs or of copies"),
        (another(InstanceNumber=None), "in which order its 5 frames were taken: 1 have no InstanceNumber, and no time"),
        (whole, "holds whole.dcm, which has 5 frames itself: give that file"),
        (volume, "is a folder: give the file in it that shows the view."),
        (volume, "this one has only other images (4 x XA)."),
        (Path.mkdir, "each a DICOM X-ray of its own, is read."),
    ],
)
def test_a_folder_that_is_no_run_is_refused_in_a_sentence(
    tmp_path: Path, write: Callable[[Path], Any], words: str
) -> None:
    write(tmp_path / "run")
    for read in (read_xray_image, XRayRun):
        with pytest.raises(InputError) as raised:
            read(tmp_path / "run")
        (fault,) = raised.value.faults
        assert words in fault
        assert not any(secret in fault for secret in ("Beeblebrox", "ZB-", "AD-"))


def test_one_frame_is_an_image_and_no_run(tmp_path: Path) -> None:
    write_frame(tmp_path / "run", 1)
    np.testing.assert_array_equal(read_xray_image(tmp_path / "run").pixels, RUN[0])
    with pytest.raises(InputError, match="has 1 frame: give a run of several, or register it"):
        XRayRun(tmp_path / "run")
