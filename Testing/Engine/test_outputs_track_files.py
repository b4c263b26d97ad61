"""Files of a track: an earlier one's go, and a picture that cannot be drawn costs nothing else."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from prostreg.geometry.chart import PoseChart
from prostreg.geometry.standard_views import standard_view
from prostreg.outputs.track_files import track_folder_faults, write_track
from prostreg.registration.result import Result
from prostreg.tracking.track import Track, TrackedFrame

POSE = standard_view("AP", np.zeros(3), 600.0)


def track_of(*numbers: int) -> Track:
    first = Result("run", "accepted", 0.9, POSE, (), (), 0.0, "cpu", "fused-cpu", None, {}, {})
    frames = tuple(TrackedFrame(number, None, "tracked", 0.9, POSE, (POSE,)) for number in numbers)
    return Track("run", first, 1, 9, PoseChart(POSE, np.eye(4), np.zeros(3)), (1, len(numbers)), frames, 1.0)


def files_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


TABLES = {"track.json", "track.csv", "track.tra"}


def test_a_new_track_leaves_no_transform_and_no_figure_of_an_earlier_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert write_track(tmp_path, track_of(1, 2), with_transforms=True) == []
    assert files_in(tmp_path) == TABLES | {"transforms/frame_1.tfm", "transforms/frame_2.tfm"}
    (tmp_path / "track.png").write_bytes(b"an earlier one")
    (tmp_path / "transforms" / "mine.tfm").write_bytes(b"somebody's")
    write_track(tmp_path, track_of(1))
    assert files_in(tmp_path) == TABLES | {"transforms/mine.tfm"}
    (tmp_path / "transforms" / "mine.tfm").unlink()
    write_track(tmp_path, track_of(1, 2), with_transforms=True)
    write_track(tmp_path, track_of(1))
    assert not (tmp_path / "transforms").exists()


@pytest.mark.parametrize("missing", [True, False])
def test_a_figure_that_cannot_be_drawn_costs_only_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: bool
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    if missing:
        monkeypatch.setitem(sys.modules, "prostreg.outputs.track_figure", None)
    else:
        figure = pytest.importorskip("prostreg.outputs.track_figure")
        monkeypatch.setattr(figure, "save_figure", lambda figure, path: path.write_bytes(b"half") and 1 / 0)
    (warning,) = write_track(tmp_path, track_of(1))
    assert warning.startswith("track.png could not be drawn (")
    assert files_in(tmp_path) == TABLES
    assert json.loads((tmp_path / "track.json").read_text(encoding="utf-8"))["warnings"] == [warning]


@pytest.mark.parametrize("name", ["track.json", "track.csv", "track.tra", "track.png"])
def test_a_folder_in_the_place_of_a_file_is_told_before(tmp_path: Path, name: str) -> None:
    assert track_folder_faults(tmp_path, "Choose another.") == []
    (tmp_path / name).mkdir()
    (fault,) = track_folder_faults(tmp_path, "Choose another.")
    assert fault == f"The track {tmp_path / name} cannot be written: a folder has its name. Choose another."
    assert track_folder_faults(tmp_path / "new", "") == []
