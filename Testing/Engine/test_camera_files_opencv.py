"""Calibrations of OpenCV: read as they are, refused where they would be read as something else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from prostreg.errors import InputError
from prostreg.geometry.camera_files.reading import read_calibration, read_camera

K = np.array([[3500.5, 0, 511.25], [0, 3498.0, 500.75], [0, 0, 1]])
OPENCV = """%YAML:1.0
---
calibration_time: "once"
image_width: 1024
image_height: 1000
camera_matrix: !!opencv-matrix
   rows: 3
   cols: 3
   dt: d
   data: [ 3.5005e+03, 0., 5.1125e+02, 0., 3498., 500.75, 0.,
       0., 1. ]
distortion_coefficients: !!opencv-matrix
   rows: 5
   cols: 1
   dt: d
   data: [ 0., 0., 0., 0., 0. ]
"""
ROS = """image_width: 1024
image_height: 1000
camera_name: c_arm
camera_matrix:
  rows: 3
  cols: 3
  data: [3500.5, 0, 511.25, 0, 3498, 500.75, 0, 0, 1]
"""


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("text", [OPENCV, ROS])
@pytest.mark.parametrize("name", ["c.yml", "c.YAML"])
def test_k_and_size_are_those_of_the_file(tmp_path: Path, text: str, name: str) -> None:
    carm = read_camera(written(tmp_path / name, text))
    np.testing.assert_allclose(carm.intrinsics, K)
    assert carm.size == (1024, 1000)
    np.testing.assert_array_equal(carm.camera_from_world, np.eye(4))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("camera_matrix:", "other_matrix:", 'lacks "camera_matrix", 3 rows of 3 numbers'),
        ("cols: 3", "cols: 2", 'lacks "camera_matrix"'),
        ("3498.", "x", 'lacks "camera_matrix"'),
        ("image_width: 1024", "", 'lacks "image_width" or "image_height"'),
        ("image_width: 1024", "image_width: many", 'lacks "image_width" or "image_height"'),
        ("data: [ 0., 0.,", "data: [ -0.12, 0.,", "`prostreg case` or `prostreg register`, or undistort"),
        ("3.5005e+03", "-3.5005e+03", "The camera in"),
    ],
)
def test_what_cannot_be_used_is_said(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in OPENCV
    with pytest.raises(InputError) as raised:
        read_camera(written(tmp_path / "c.yml", OPENCV.replace(old, new, 1)))
    assert any(said in fault and "c.yml" in fault for fault in raised.value.faults), raised.value.faults


@pytest.mark.parametrize("count", [4, 5])
def test_coefficients_are_read_in_opencv_s_order(tmp_path: Path, count: int) -> None:
    told = [0.1, -0.02, 0.003, 0.0004, 0.5][:count]
    text = OPENCV.replace("rows: 5", f"rows: {count}").replace("[ 0., 0., 0., 0., 0. ]", str(told))
    _, distortion = read_calibration(written(tmp_path / "c.yml", text))
    assert distortion is not None
    assert distortion.coefficients == [0.1, -0.02, 0.003, 0.0004, 0.5 if count == 5 else 0.0]


def test_more_coefficients_than_five_are_refused_unless_they_are_0(tmp_path: Path) -> None:
    eight = OPENCV.replace("rows: 5", "rows: 8").replace("[ 0., 0., 0., 0., 0. ]", "[ .1, 0, 0, 0, 0, 0, 0, 0 ]")
    _, distortion = read_calibration(written(tmp_path / "c.yml", eight))
    assert distortion is not None
    assert distortion.coefficients == [0.1, 0, 0, 0, 0]
    with pytest.raises(InputError, match="another model"):
        read_calibration(written(tmp_path / "c.yml", eight.replace("0, 0 ]", "0, 0.1 ]")))


def test_fisheye_coefficients_are_not_taken_for_plain_ones(tmp_path: Path) -> None:
    text = OPENCV.replace("[ 0., 0., 0.", "[ 0.1, 0., 0.") + "distortion_model: equidistant\n"
    with pytest.raises(InputError, match="another model"):
        read_calibration(written(tmp_path / "c.yml", text))


def test_a_file_that_is_not_there_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        read_camera(tmp_path / "none.yml")
    (tmp_path / "c.yml").write_bytes(b"\xff\xfe\x00" * 40)
    with pytest.raises(InputError, match="cannot be read"):
        read_camera(tmp_path / "c.yml")
