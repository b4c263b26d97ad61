"""C-arms that no device is: refused at every door in words that name the value, and no usual one is."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prostreg.errors import InputError
from prostreg.geometry.camera_files.reading import read_camera, with_projection_taken_apart
from prostreg.geometry.carm import CArm
from prostreg.geometry.carm_values import carm_from_values
from prostreg.geometry.frames import Matrix

POSE = np.array([[1.0, 0, 0, 5], [0, 0, -1, -20], [0, 1, 0, 700], [0, 0, 0, 1]])

Door = Callable[[Matrix, tuple[int, int]], CArm]


def by_values(intrinsics: Matrix, size: tuple[int, int]) -> CArm:
    return carm_from_values({"K": intrinsics.tolist(), "size": list(size)}, "The camera")


def by_projection(intrinsics: Matrix, size: tuple[int, int]) -> CArm:
    camera = {"P": (intrinsics @ POSE[:3]).tolist(), "size": list(size)}
    return carm_from_values(with_projection_taken_apart(camera, "The camera"), "The camera")


def by_file(name: str, text: str) -> CArm:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_text(text, encoding="utf-8")
        return read_camera(path)


def by_mayacam(intrinsics: Matrix, size: tuple[int, int]) -> CArm:
    parts = {"image size": [size], "camera matrix": intrinsics, "rotation": POSE[:3, :3], "translation": POSE[:3, 3:]}
    texts = {label: "\n".join(",".join(repr(float(n)) for n in row) for row in rows) for label, rows in parts.items()}
    return by_file("camera.txt", "\n".join(f"{label}\n{text}\n" for label, text in texts.items()))


def by_opencv(intrinsics: Matrix, size: tuple[int, int]) -> CArm:
    data = ", ".join(repr(float(number)) for number in intrinsics.ravel())
    matrix = f"camera_matrix: !!opencv-matrix\n   rows: 3\n   cols: 3\n   dt: d\n   data: [{data}]\n"
    return by_file("camera.yml", f"%YAML:1.0\nimage_width: {size[0]}\nimage_height: {size[1]}\n{matrix}")


DOORS = pytest.mark.parametrize("door", [by_values, by_projection, by_mayacam, by_opencv])


@st.composite
def usual(draw: Any) -> tuple[Matrix, tuple[int, int], tuple[float, float]]:
    """K, size and pixel spacing of a device as there are."""
    sdd_mm, pitch_mm = draw(st.floats(600.0, 2000.0)), draw(st.floats(0.1, 0.5))
    size = draw(st.tuples(st.integers(64, 800), st.integers(64, 800)))
    ratio, skew = draw(st.floats(0.98, 1.02)), draw(st.floats(-3.0, 3.0))
    cx, cy = (draw(st.floats(0.0, 1.0)) * (length - 1) for length in size)
    fx = sdd_mm / pitch_mm
    intrinsics = np.array([[fx, skew, cx], [0, ratio * fx, cy], [0, 0, 1]])
    return intrinsics, size, (pitch_mm, pitch_mm / ratio)


def with_focal_length(intrinsics: Matrix, factor: float) -> None:
    intrinsics[0, 0] = intrinsics[1, 1] = 10.0 ** (5.5 + 3 * factor)


def with_skew(intrinsics: Matrix, factor: float) -> None:
    intrinsics[0, 1] = (0.025 + factor) * intrinsics[0, 0]


def with_far_principal_point(intrinsics: Matrix, factor: float) -> None:
    intrinsics[1, 2] = -(1.0 + 20 * factor) * intrinsics[1, 1]


def with_long_pixels(intrinsics: Matrix, factor: float) -> None:
    intrinsics[1, 1] = intrinsics[0, 0] / (1.55 + 2 * factor)


@DOORS
@given(device=usual())
@settings(max_examples=20, deadline=None)
def test_usual_devices_come_in(door: Door, device: Any) -> None:
    intrinsics, size, _ = device
    carm = door(intrinsics, size)
    np.testing.assert_allclose(carm.intrinsics, intrinsics, rtol=1e-9, atol=1e-6)
    assert carm.size == size


@DOORS
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (with_focal_length, ("focal length of", "300000 at most")),
        (with_skew, ("axes of", "degrees")),
        (with_far_principal_point, ("principal point at", "near the image's middle")),
        (with_long_pixels, ("the focal lengths", "square ones")),
    ],
)
@given(device=usual(), factor=st.floats(0.0, 1.0))
@settings(max_examples=15, deadline=None)
def test_what_no_device_has_is_refused_with_its_value(
    door: Door, change: Callable[[Matrix, float], None], words: tuple[str, ...], device: Any, factor: float
) -> None:
    intrinsics, size, _ = device
    change(intrinsics, factor)
    with pytest.raises(InputError) as refusal:
        door(intrinsics, size)
    (fault,) = refusal.value.faults
    for word in words:
        assert word in fault


@pytest.mark.parametrize("focal_length", [1e30, 1e305])
@DOORS
def test_parallel_rays_are_none(door: Door, focal_length: float) -> None:
    intrinsics = np.array([[focal_length, 0, 100], [0, focal_length, 100], [0, 0, 1]])
    with pytest.raises(InputError):
        door(intrinsics, (200, 200))


def refusal_of_spacing(device: Any, spacing_mm: tuple[float, float], size: tuple[int, int]) -> list[str]:
    values = {"K": device[0].tolist(), "size": list(size), "spacing_mm": list(spacing_mm)}
    with pytest.raises(InputError) as refusal:
        carm_from_values(values, "The camera")
    return refusal.value.faults


@given(device=usual(), factor=st.sampled_from([1e-9, 0.05, 0.14, 5.5, 1e6]))
@settings(max_examples=40, deadline=None)
def test_a_spacing_has_to_fit_the_focal_length(device: Any, factor: float) -> None:
    intrinsics, size, (along_u, along_v) = device
    assert carm_from_values({"K": intrinsics.tolist(), "size": list(size), "spacing_mm": [along_u, along_v]}, "It")
    contradiction = refusal_of_spacing(device, (along_u, 1.2 * along_v), size)
    assert ["contradict each other" in fault for fault in contradiction] == [True]
    assert any("(SDD) is" in fault for fault in refusal_of_spacing(device, (factor * along_u, factor * along_v), size))


@given(device=usual(), length=st.integers(15_001, 20_000))
@settings(max_examples=20, deadline=None)
def test_an_image_larger_than_any_detector_is_none(device: Any, length: int) -> None:
    intrinsics, _, spacing_mm = device
    intrinsics[0, 2] = length / 2
    faults = refusal_of_spacing(device, spacing_mm, (length, 64))
    assert any("mm long: detectors have 150 to 430" in fault or "opens by" in fault for fault in faults), faults


@pytest.mark.parametrize("sdd_mm", [0.0, -1000.0, 1.0, 1e9, float("nan"), float("inf")])
def test_a_distance_that_no_device_has_is_named(sdd_mm: float) -> None:
    with pytest.raises(InputError, match=r"\(SDD\) is .* mm: give one from 300 to 3000\. Mobile C-arms"):
        CArm.from_sdd(sdd_mm, (0.3, 0.3), (1024, 1024))


def test_images_of_a_sound_c_arm_may_be_reduced_and_cropped_as_far_as_one_likes() -> None:
    carm = CArm.from_sdd(2900.0, (0.02, 0.02), (2048, 2048))
    assert carm.downsampled(512).size == (4, 4)
    assert carm.cropped(0, 0, (8, 8)).resized(0.25, (2, 2)).sdd_mm == pytest.approx(2900.0)
