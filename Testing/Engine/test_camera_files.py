"""C-arms that other programs calibrated: a point is projected where the file's own numbers put it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from prostreg.errors import InputError
from prostreg.geometry.camera_files.reading import read_camera
from prostreg.geometry.carm import CArm
from prostreg.geometry.frames import Matrix
from prostreg.geometry.rotations import rotation_from_vector

WIDTH, HEIGHT = 1760, 1500
K = np.array([[6167.35, 0.0, 803.74], [0.0, 6165.63, 765.7], [0.0, 0.0, 1.0]])
POINTS = np.random.default_rng(5).uniform(-80, 80, (40, 3))
"""In the world of the calibration object, mm."""
MOST_PX = 1e-6


def place(turn: Sequence[float] = (0.4, -2.1, 0.7)) -> tuple[Matrix, Matrix]:
    """R and t of a camera that looks at the world's origin from about 900 mm."""
    return rotation_from_vector(turn), np.array([-16.6, -77.8, 901.4])


def projected(projection: Matrix, points: Matrix = POINTS) -> Matrix:
    homogeneous = np.column_stack([points, np.ones(len(points))]) @ projection.T
    return np.asarray(homogeneous[:, :2] / homogeneous[:, 2:])


def projection_of(skew: float = 0.0) -> Matrix:
    rotation, shift = place()
    intrinsics = K + np.array([[0, skew, 0], [0, 0, 0], [0, 0, 0]])
    return np.asarray(intrinsics @ np.column_stack([rotation, shift]))


def assert_projects_like(carm: CArm, projection: Matrix) -> None:
    np.testing.assert_allclose(carm.project_world(POINTS), projected(projection), atol=MOST_PX)


def lines(rows: Matrix, between: str = ",") -> str:
    return "\n".join(between.join(map(repr, np.atleast_1d(row).tolist())) for row in rows) + "\n"


def maya_2(size: tuple[int, int] = (WIDTH, HEIGHT), rotation: Matrix | None = None, mm: float = 1.0) -> str:
    told, shift = place()
    parts = {"camera matrix": K, "rotation": told if rotation is None else rotation, "translation": mm * shift}
    return f"image size\n{size[0]},{size[1]}\n" + "".join(f"\n{name}\n{lines(rows)}" for name, rows in parts.items())


def maya_1(size: tuple[int, int] = (WIDTH, HEIGHT), focal_length: float = -6000.0, mm: float = 1.0) -> str:
    """The line of sight, the angles and the rows as Maya has them: y up, x, y and z turned about in this order."""
    rotation, shift = place()
    maya = rotation.T @ np.diag([1.0, -1.0, -1.0])  # world_from_camera, right, up, against the beam
    x, y = np.arctan2(maya[2, 1], maya[2, 2]), np.arcsin(-maya[2, 0])
    z = np.arctan2(maya[1, 0], maya[0, 0])
    rows = [-mm * rotation.T @ shift, np.rad2deg([x, y, z]), [3.9, 4.1, 0.1 * focal_length]]
    rows += [[K[0, 2] + 1, HEIGHT - K[1, 2], focal_length], [0.1, *size]]
    return lines(np.array(rows))


def written(tmp_path: Path, text: str, name: str = "camera 1.txt") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def faults_of(path: Path) -> list[str]:
    with pytest.raises(InputError) as raised:
        read_camera(path)
    return raised.value.faults


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_mayacam_2_is_the_camera_as_it_stands(tmp_path: Path, ending: str) -> None:
    carm = read_camera(written(tmp_path, maya_2().replace("\n", ending)))
    assert carm.size == (WIDTH, HEIGHT)
    assert_projects_like(carm, projection_of())


@pytest.mark.parametrize("focal_length", [-6000.0, 6000.0])
def test_mayacam_1_counts_rows_from_below_and_from_1(tmp_path: Path, focal_length: float) -> None:
    carm = read_camera(written(tmp_path, maya_1(focal_length=focal_length), "camera.csv"))
    assert carm.size == (WIDTH, HEIGHT)
    intrinsics = np.array([[6000.0, 0, K[0, 2]], [0, 6000.0, K[1, 2]], [0, 0, 1]])
    assert_projects_like(carm, intrinsics @ np.column_stack(place()))


def test_mayacam_1_and_2_put_the_camera_at_one_place(tmp_path: Path) -> None:
    first = read_camera(written(tmp_path, maya_1(), "1.csv"))
    second = read_camera(written(tmp_path, maya_2(), "2.txt"))
    np.testing.assert_allclose(first.camera_from_world, second.camera_from_world, atol=1e-9)


def test_digits_that_were_cut_leave_a_rotation(tmp_path: Path) -> None:
    carm = read_camera(written(tmp_path, maya_2(rotation=np.round(place()[0], 4))))
    rotation = carm.camera_from_world[:3, :3]
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(rotation, place()[0], atol=1e-4)


@pytest.mark.parametrize("scale", [1.0, -0.3, 1 / 901.4])
@pytest.mark.parametrize("skew", [0.0, 60.0])
@pytest.mark.parametrize("between", [",", " ", "; ", "\t"])
def test_a_3x4_matrix_of_any_scale_and_sign(tmp_path: Path, scale: float, skew: float, between: str) -> None:
    text = "# P of the left camera\n" + lines(scale * projection_of(skew), between)
    carm = read_camera(written(tmp_path, text, "P.csv"), image_size=lambda: (WIDTH, HEIGHT))
    assert carm.size == (WIDTH, HEIGHT)
    assert_projects_like(carm, projection_of(skew))


def test_a_3x4_matrix_in_json(tmp_path: Path) -> None:
    camera = {"P": (-2 * projection_of()).tolist(), "size": [WIDTH, HEIGHT], "accuracy": "preset"}
    carm = read_camera(written(tmp_path, json.dumps(camera), "P.json"))
    assert_projects_like(carm, projection_of())
    assert (carm.size, carm.accuracy) == ((WIDTH, HEIGHT), "preset")


ROWS_UP = np.array([[1.0, 0, 0], [0, -1, HEIGHT - 1], [0, 0, 1]])
COLUMNS_BACK = np.array([[-1.0, 0, WIDTH - 1], [0, 1, 0], [0, 0, 1]])
SHEARED = np.array([[1.0, 0.1, 0], [0, 1, 0], [0, 0, 1]])
PARALLEL = np.array([[6.8, 0, 0, 800], [0, 6.8, 0, 700], [0, 0, 0, 1]])
FLAT = np.array([[6000.0, 0, 6000, 1], [0, 0, 0, 1], [1, 0, 1, 900]])


@pytest.mark.parametrize(
    ("matrix", "said"),
    [
        (ROWS_UP @ projection_of(), ['has a "P" that is mirrored']),
        (-ROWS_UP @ projection_of(), ['has a "P" that is mirrored']),
        (COLUMNS_BACK @ projection_of(), ['has a "P" that is mirrored']),
        (SHEARED @ projection_of(), ["sheared: the axes of its image stand at 84.3 degrees"]),
        (SHEARED @ ROWS_UP @ projection_of(), ["mirrored", "sheared"]),
        (PARALLEL, ["singular: its rays do not start in one point"]),
        (FLAT, ["singular: its rays do not start in one point"]),
        (np.diag([1e3, 1e3, 1]) @ projection_of(), ["its rays are parallel"]),
        (np.full((3, 4), np.nan), ["NaN, infinity or numbers beyond"]),
        (projection_of()[:, :3], ['has a "P" of shape 3x3: give 3 rows of 4 numbers']),
    ],
)
def test_matrices_of_no_c_arm_are_refused_in_words(tmp_path: Path, matrix: Matrix, said: list[str]) -> None:
    faults = faults_of(written(tmp_path, json.dumps({"P": matrix.tolist(), "size": [WIDTH, HEIGHT]}), "P.json"))
    assert len(faults) == len(said)
    assert all(words in fault and "P.json" in fault for words, fault in zip(said, faults, strict=True))


PARTS = ("image size", "camera matrix", "rotation", "translation")
MIRRORED = np.diag([1.0, -1.0, 1.0]) @ place()[0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (maya_2(rotation=MIRRORED), ["left-handed (determinant -1), it mirrors"]),
        (maya_2(rotation=SHEARED @ place()[0]), ["not rigid, it scales or shears"]),
        (maya_2(size=(WIDTH, 0)), ["The image size (1760, 0) must be"]),
        (maya_2(size=(0, 0)), ["does not tell the size of its image"]),
        (maya_2(size=(0, 0), rotation=MIRRORED), ["does not tell the size of its image", "it mirrors"]),
        (maya_2().replace("803.74", "x"), ['3 x 3 numbers below "camera matrix"', "which no MayaCam 2.0 has"]),
        (maya_2().replace("translation", "distortion"), ['below "translation"', 'has "distortion"']),
        (maya_2() + maya_2(), [f'has "{part}" twice' for part in PARTS]),
        (maya_2(mm=0.1), ['look like cm. Multiply the "translation" by 10']),
        (maya_1(mm=0.1), ["look like cm. Multiply the first line by 10"]),
        (maya_1(size=(0, 0)), ["does not tell the size of its image"]),
        (maya_1(focal_length=0.0), ["its focal length fx", "its focal length fy"]),
        (lines(projection_of()), ["does not tell the size of its image"]),
        (lines(np.full((3, 4), np.inf)), ["give finite numbers"] * 3),
        (lines(np.eye(3)), ["is none that is read here. Give JSON"]),
        ("", ["is none that is read here. Give JSON"]),
    ],
)
def test_files_that_cannot_be_used_say_all_that_is_wrong(tmp_path: Path, text: str, said: list[str]) -> None:
    faults = faults_of(written(tmp_path, text))
    assert len(faults) == len(said), faults
    assert all(words in fault for words, fault in zip(said, faults, strict=True)), faults
    assert all("camera 1.txt" in fault for fault in faults)


@pytest.mark.parametrize("text", [maya_2(size=(0, 0)), maya_1(size=(0, 0), focal_length=-6166.49)])
def test_a_size_of_zero_is_that_of_the_image(tmp_path: Path, text: str) -> None:
    carm = read_camera(written(tmp_path, text), image_size=lambda: (WIDTH, HEIGHT))
    np.testing.assert_allclose(carm.project_world(POINTS), projected(projection_of()), atol=0.5)
    assert carm.size == (WIDTH, HEIGHT)


@pytest.mark.parametrize("beside", ["K", "camera_from_world"])
def test_a_matrix_beside_what_it_tells_is_refused(tmp_path: Path, beside: str) -> None:
    camera = {"P": projection_of().tolist(), "size": [WIDTH, HEIGHT], beside: np.eye(4).tolist()}
    (fault,) = faults_of(written(tmp_path, json.dumps(camera), "P.json"))
    assert f'has "P" and {beside}, which tell the same' in fault
