"""`prostreg track` on a DICOM run of the phantom: files that read back, frames that were asked for, faults in words."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from PhantomImages import the_phantom
from PIL import Image

from DicomFiles import write_xray
from prostreg.cli import track as cli_track
from prostreg.cli.main import main
from prostreg.geometry.carm import CArm
from prostreg.geometry.carm_values import carm_to_values
from prostreg.geometry.chart import PoseChart
from prostreg.geometry.frames import ras_from_lps
from prostreg.geometry.standard_views import standard_view
from prostreg.images.attenuation import moving_volume
from prostreg.images.dicom.run import XRayRun
from prostreg.images.frames import Frames
from prostreg.images.xray_reading import read_xray_image
from prostreg.outputs.transform_file import read_pose
from prostreg.projector.selection import make_projector
from prostreg.registration.case_file import read_case
from prostreg.samples.phantom import VERTEBRA_LABELS
from prostreg.tracking.frame_images import DicomRuns
from prostreg.tracking.track import Track

PIXELS, COUNT = 96, 6
STEP = np.array([*np.deg2rad([1.0, -1.0, 1.0]), 2.0, -2.0, 2.0])
SETTINGS = {"search_pixels": 32, "judge_pixels": 64, "polish_pixels": 64, "most_restarts": 2}


def write_volume(path: Path, values: np.ndarray, volume_from_index: np.ndarray) -> None:
    image = sitk.GetImageFromArray(values)
    lps = ras_from_lps(volume_from_index)
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetOrigin(lps[:3, 3].tolist())
    image.SetDirection((lps[:3, :3] / spacing).ravel().tolist())
    sitk.WriteImage(image, str(path))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A case whose X-ray is a run of six frames, the last one blank, 0.1 s apart; the third one is registered."""
    folder, phantom = tmp_path_factory.mktemp("case"), the_phantom()
    write_volume(folder / "ct.nii.gz", phantom.ct.values.astype(np.int16), phantom.ct.volume_from_index)
    write_volume(folder / "labels.nii.gz", phantom.labels.values.astype(np.uint8), phantom.labels.volume_from_index)
    centre = phantom.vertebra_centres_mm.mean(axis=0)
    carm = CArm.from_sdd(1020.0, (298.0 / PIXELS,) * 2, (PIXELS, PIXELS))
    chart = PoseChart(standard_view("AP", centre, 620.0), np.eye(4), centre)
    truth = chart.world_from_volume_at((np.arange(COUNT) - 2)[:, None] * STEP)
    np.save(folder / "truth.npy", truth)
    everything = make_projector(moving_volume(phantom.ct, np.ones(phantom.ct.values.shape, dtype=bool)))
    images = everything.render(truth, carm)
    images = 60000 * images / images.max() + np.random.default_rng(0).normal(0, 300, images.shape)
    images[-1] = 5000
    pixels = np.clip(images, 0, 65535).astype(np.uint16)
    write_xray(folder / "run.dcm", "XA", pixels, NumberOfFrames=COUNT, FrameTime=100.0)
    write_xray(folder / "single.dcm", "XA", pixels[2])
    view = {"image": "run.dcm", "camera": carm_to_values(carm), "polarity": "bone-bright", "frame": 3, "flip": False}
    content = {
        "name": "moving",
        "ct": "ct.nii.gz",
        "anatomy": {"labels": "labels.nii.gz", "values": list(VERTEBRA_LABELS)},
        "views": [view],
        "initial": {"world_from_volume": chart.world_from_volume_at([0.05, -0.04, 0.06, 8, -6, 10])[0].tolist()},
    }
    (folder / "case.json").write_text(json.dumps(content), encoding="utf-8")
    (folder / "settings.json").write_text(json.dumps(SETTINGS), encoding="utf-8")
    return folder


def track(folder: Path, out: Path, capsys: pytest.CaptureFixture[str], *more: object) -> tuple[int, Any, str]:
    """Exit code, report and what was said."""
    given = ["track", folder, "--out", out, "--config", folder / "settings.json", "--json", *more]
    code = main([str(word) for word in given])
    said = capsys.readouterr()
    return code, json.loads(said.out), said.err


def with_view(folder: Path, tmp_path: Path, **changes: Any) -> Path:
    """The case with another view; paths as before."""
    content = json.loads((folder / "case.json").read_text(encoding="utf-8"))
    view = content["views"][0] | changes
    content["views"][0] = {key: value for key, value in view.items() if value is not None}
    content["views"][0]["image"] = str(folder / content["views"][0]["image"])
    content["ct"] = str(folder / content["ct"])
    content["anatomy"]["labels"] = str(folder / content["anatomy"]["labels"])
    (tmp_path / "case.json").write_text(json.dumps(content), encoding="utf-8")
    (tmp_path / "settings.json").write_text(json.dumps(SETTINGS), encoding="utf-8")
    return tmp_path


def test_a_run_is_tracked_and_its_files_agree(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, report, said = track(folder, tmp_path, capsys, "--transforms")
    assert code == 3, said
    assert report["track"]["lost"] == [6]
    assert "lost: 6" in said
    assert "frame 2: " in said
    out, truth = tmp_path / "moving", np.load(folder / "truth.npy")
    content = json.loads((out / "track.json").read_text(encoding="utf-8"))
    assert content["first_frame"] == 3
    frames = content["frames"]
    assert [frame["frame"] for frame in frames] == [1, 2, 3, 4, 5, 6]
    np.testing.assert_allclose([frame["time_s"] for frame in frames], np.arange(6) / 10)
    rows = np.loadtxt(out / "track.tra", delimiter=",")
    assert rows.shape == (6, 16)
    assert np.isnan(rows[5]).all()
    for number in range(5):
        np.testing.assert_allclose(rows[number].reshape(4, 4), frames[number]["world_from_volume"])
        np.testing.assert_allclose(frames[number]["world_from_volume"], truth[number], atol=4)
        pose = read_pose(out / "transforms" / f"frame_{number + 1}.tfm")
        np.testing.assert_allclose(pose, frames[number]["world_from_volume"], atol=1e-9)
    assert not (out / "transforms" / "frame_6.tfm").exists()
    table = [line.split(",") for line in (out / "track.csv").read_text(encoding="utf-8").splitlines()]
    assert table[0][:7] == ["frame", "time_s", "status", "confidence", "confirmed", "tilt_u_deg", "tilt_v_deg"]
    np.testing.assert_allclose([float(cell) for cell in table[4][11:]], rows[3], atol=1e-5)
    assert (table[6][2], set(table[6][5:])) == ("lost", {""})
    with Image.open(out / "track.png") as picture:
        assert picture.width > 500
    assert (out / "first_frame" / "result.json").is_file()


def test_a_run_that_is_stored_mirrored(folder: Path, tmp_path: Path) -> None:
    with_view(folder, tmp_path, flip=True)
    case = read_case(tmp_path)
    assert case.views[0].is_flipped
    assert case.views[0].frames == Frames(3, 3)
    stored = read_xray_image(folder / "run.dcm", Frames(2, 2)).pixels
    runs = DicomRuns(case)
    np.testing.assert_array_equal(runs.pixels(2)[0], stored[:, ::-1])
    assert runs.time_s(2) == pytest.approx(0.1)


def test_a_run_in_a_folder_is_the_same_case(folder: Path, tmp_path: Path) -> None:
    stored = XRayRun(folder / "run.dcm")
    for number in range(1, COUNT + 1):
        path = tmp_path / "frames" / f"{COUNT - number}.dcm"
        path.parent.mkdir(exist_ok=True)
        write_xray(path, "XA", stored.frame(number).astype(np.uint16), InstanceNumber=number, FrameTime=100.0)
    cases = [read_case(folder), read_case(with_view(folder, tmp_path, image=str(tmp_path / "frames")))]
    one, other = (case.views[0] for case in cases)
    np.testing.assert_array_equal(one.xray.line_integrals, other.xray.line_integrals)
    np.testing.assert_array_equal(one.carm.intrinsics, other.carm.intrinsics)
    assert one.frames == other.frames == Frames(3, 3)
    runs = [DicomRuns(case) for case in cases]
    for number in range(1, COUNT + 1):
        np.testing.assert_array_equal(*(run.pixels(number)[0] for run in runs))
        assert runs[0].time_s(number) == runs[1].time_s(number) == pytest.approx(0.1 * (number - 1))


def test_the_frames_so_far_are_written_when_it_is_stopped(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped as soon as the first frame's result is there."""

    @contextmanager
    def stop_requests(answer: str) -> Iterator[Callable[[], bool]]:
        yield (tmp_path / "moving" / "first_frame" / "result.json").is_file

    monkeypatch.setattr(cli_track, "stop_requests", stop_requests)
    code, report, said = track(folder, tmp_path, capsys)
    assert code == 4, said
    content = json.loads((tmp_path / "moving" / "track.json").read_text(encoding="utf-8"))
    assert content == report["track"]
    assert (content["stopped"], [frame["frame"] for frame in content["frames"]]) == ("cancelled", [3])
    assert "stopped: cancelled" in said


def test_a_track_that_cannot_be_written_where_it_should_be_is_not_lost(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    inside = cli_track.track_run

    def meanwhile(*given: Any) -> Track:
        (tmp_path / "out" / "moving" / "track.json").mkdir(parents=True)
        return inside(*given)

    monkeypatch.setattr(cli_track, "track_run", meanwhile)
    code, report, said = track(folder, tmp_path / "out", capsys, "--frames", "3-4")
    assert code == 2, said
    assert "The track cannot be written into" in report["error"]["faults"][0]
    assert "They were written into" in report["error"]["faults"][0]
    (elsewhere,) = tmp_path.glob("prostreg-result-*/moving/track.json")
    assert json.loads(elsewhere.read_text(encoding="utf-8"))["asked"] == [3, 4]


def test_only_the_frames_that_are_asked_for_from_another_first_one(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, report, said = track(folder, tmp_path, capsys, "--frames", "4-5", "--first-frame", "4")
    content = report["track"]
    assert code in (0, 3), said
    assert (content["first_frame"], content["asked"], content["lost"]) == (4, [4, 5], [])
    rows = (tmp_path / "moving" / "track.tra").read_text(encoding="utf-8").splitlines()
    assert [row.startswith("NaN,NaN") for row in rows] == [True, True, True, False, False, True]


def test_where_nobody_says_the_first_frame_is_one_of_those_that_are_asked_for(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case = with_view(folder, tmp_path, frame=None)
    _, report, said = track(case, tmp_path / "out", capsys, "--frames", "4-5")
    assert report["track"]["first_frame"] == 4, said


@pytest.mark.parametrize(
    ("changes", "more", "words"),
    [
        ({"image": "single.dcm", "frame": 1}, (), "has 1 frame: give a run of several, or register it"),
        ({}, ("--frames", "2-9"), "Frames 2 to 9 were asked for, and the run has 6"),
        ({}, ("--frames", "4-5"), "Frame 3 is to be registered first, and lies outside of frames 4 to 5"),
        ({}, ("--first-frame", "7"), "has 6 frames, and frame 7 was asked for"),
    ],
)
def test_a_bad_run_is_refused_in_words_and_nothing_is_written(
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    changes: dict[str, Any],
    more: tuple[str, ...],
    words: str,
) -> None:
    case = with_view(folder, tmp_path, **changes)
    code, report, _ = track(case, tmp_path / "out", capsys, *more)
    assert code == 2
    assert words in " ".join(report["error"]["faults"])
    assert not (tmp_path / "out").exists()


def test_everything_that_keeps_it_from_being_tracked_is_told_at_once(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Several bones, a folder where a file shall be, and a C-arm that moved."""
    case = with_view(folder, tmp_path)
    content = json.loads((case / "case.json").read_text(encoding="utf-8"))
    bones = [{"name": "one", "values": [VERTEBRA_LABELS[0]]}, {"name": "two", "values": [VERTEBRA_LABELS[1]]}]
    content["anatomy"] = {"labels": content["anatomy"]["labels"], "bones": bones}
    run = XRayRun(folder / "run.dcm")
    pixels = np.stack([run.frame(number) for number in range(1, COUNT + 1)])
    angles = {"PositionerPrimaryAngle": 0, "PositionerPrimaryAngleIncrement": [0, 0, 0, 3, 3, 3]}
    write_xray(tmp_path / "turning.dcm", "XA", pixels.astype(np.uint16), NumberOfFrames=COUNT, **angles)
    content["views"][0]["image"] = str(tmp_path / "turning.dcm")
    (case / "case.json").write_text(json.dumps(content), encoding="utf-8")
    (tmp_path / "out" / "moving" / "track.csv").mkdir(parents=True)
    code, report, _ = track(case, tmp_path / "out", capsys)
    assert code == 2
    told = report["error"]["faults"]
    assert len(told) == 3
    for words in ("several bones that move", "track.csv cannot be written: a folder", "in frames 1 to 3 only"):
        assert any(words in fault for fault in told)
