"""Distorted X-rays: what is known of a bent image has to be where a pinhole has it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from PIL import Image

from prostreg.cli.main import main
from prostreg.errors import InputError
from prostreg.geometry.distortion import Distortion, Undistortion
from prostreg.registration.case_file import read_case

K = np.array([[1000.0, 0.0, 120.0], [0.0, 1010.0, 95.0], [0.0, 0.0, 1.0]])
SIZE = (256, 200)
BENT = Distortion(k1=2.5, k2=1.5, p1=0.01, p2=-0.02, k3=3.0)


def by_opencv_s_words(distortion: Distortion, u: float, v: float) -> tuple[float, float]:
    """The model once more, pixel by pixel, as OpenCV's documents say it."""
    x, y = (u - K[0, 2]) / K[0, 0], (v - K[1, 2]) / K[1, 1]
    r2 = x**2 + y**2
    radial = 1 + distortion.k1 * r2 + distortion.k2 * r2**2 + distortion.k3 * r2**3
    bent_x = x * radial + 2 * distortion.p1 * x * y + distortion.p2 * (r2 + 2 * x**2)
    bent_y = y * radial + distortion.p1 * (r2 + 2 * y**2) + 2 * distortion.p2 * x * y
    return K[0, 0] * bent_x + K[0, 2], K[1, 1] * bent_y + K[1, 2]


def beads_at(places: list[tuple[float, float]]) -> np.ndarray:
    columns, rows = np.meshgrid(np.arange(SIZE[0]), np.arange(SIZE[1]))
    image = np.full(SIZE[::-1], 1000.0)
    for u, v in places:
        image -= 800 * np.exp(-((columns - u) ** 2 + (rows - v) ** 2) / (2 * 2.0**2))
    return image.astype(np.float32)


def centre_near(image: np.ndarray, u: float, v: float) -> tuple[float, float]:
    left, top = round(u) - 9, round(v) - 9
    weights = 1000.0 - image[top : top + 19, left : left + 19].astype(np.float64)
    rows, columns = np.mgrid[top : top + 19, left : left + 19]
    return float((weights * columns).sum() / weights.sum()), float((weights * rows).sum() / weights.sum())


def test_beads_land_where_a_pinhole_has_them() -> None:
    ideal = [(u, v) for u in (24.3, 90.0, 150.7, 225.2) for v in (22.4, 100.1, 171.6)]
    bent = [by_opencv_s_words(BENT, u, v) for u, v in ideal]
    assert max(np.hypot(a - u, b - v) for (u, v), (a, b) in zip(ideal, bent, strict=True)) > 2
    straight = Undistortion(K, SIZE, BENT).image(beads_at(bent))
    found = [centre_near(straight, u, v) for u, v in ideal]
    assert max(np.hypot(a - u, b - v) for (u, v), (a, b) in zip(ideal, found, strict=True)) < 0.1


def test_what_lies_outside_of_the_image_does_not_count() -> None:
    pincushion = Undistortion(K, SIZE, Distortion(k1=2.5))
    reached = pincushion.mask(None)
    assert reached is not None
    assert not reached[0, 0]
    assert reached[95, 120]
    assert Undistortion(K, SIZE, Distortion(k1=-1.0)).mask(None) is None
    open_part = np.ones(SIZE[::-1], bool)
    open_part[:, :60] = False
    mask = pincushion.mask(open_part)
    assert mask is not None
    assert not mask[95, 55]
    assert mask[95, 70]


def test_a_mask_is_made_straight_with_its_image() -> None:
    ideal = 24.0, 22.0
    column, _ = by_opencv_s_words(BENT, *ideal)
    open_part = np.ones(SIZE[::-1], bool)
    open_part[:, : round(column)] = False
    mask = Undistortion(K, SIZE, BENT).mask(open_part)
    assert mask is not None
    assert column < 21
    assert not mask[22, 23]
    assert mask[22, 25]


def test_coefficients_that_fold_the_image_are_refused() -> None:
    with pytest.raises(InputError, match="folds or tears"):
        Undistortion(K, SIZE, Distortion(k1=-30.0))


def written_case(folder: Path, camera: dict[str, object], **view: object) -> Path:
    labels = np.zeros((12, 12, 12), np.int16)
    labels[4:8, 4:8, 4:8] = 1
    for name, values in (("ct", labels * 900 - 100), ("labels", labels)):
        sitk.WriteImage(sitk.GetImageFromArray(values.astype(np.int16)), str(folder / f"{name}.mha"))
    places = [by_opencv_s_words(BENT, u, v) for u, v in ((60.0, 50.0), (200.0, 150.0))]
    Image.fromarray(beads_at(places)).save(folder / "xray.tif")
    content = {
        "name": "bent", "ct": "ct.mha", "anatomy": {"labels": "labels.mha", "values": [1]},
        "views": [{"image": "xray.tif", "camera": camera, "polarity": "bone-dark", **view}],
    }  # fmt: skip
    path = folder / "case.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


CAMERA = {"K": K.tolist(), "size": list(SIZE), "distortion": BENT.coefficients}


@pytest.mark.parametrize("flip", [False, True])
def test_the_x_ray_of_a_case_is_undistorted_before_it_is_flipped(tmp_path: Path, flip: bool) -> None:
    view = read_case(written_case(tmp_path, CAMERA, flip=flip)).views[0]
    peaks = view.xray.line_integrals
    for u, v in ((60, 50), (200, 150)):
        column = SIZE[0] - 1 - u if flip else u
        patch = peaks[v - 6 : v + 7, column - 6 : column + 7]
        assert np.unravel_index(patch.argmax(), patch.shape) == (6, 6)
    assert not view.xray.mask[0, 0]
    assert view.undistortion is not None


@pytest.mark.parametrize(
    ("camera", "said"),
    [
        (CAMERA | {"distortion": [0.1] * 8}, "[k1, k2, p1, p2, k3]"),
        (CAMERA | {"distortion": "plumb_bob"}, "[k1, k2, p1, p2, k3]"),
        (CAMERA | {"distortion": [-30.0]}, "folds or tears"),
    ],
)
def test_faults_of_a_distortion_are_said(tmp_path: Path, camera: dict[str, object], said: str) -> None:
    with pytest.raises(InputError) as raised:
        read_case(written_case(tmp_path, camera))
    assert any(said in fault for fault in raised.value.faults), raised.value.faults


def test_the_command_line_takes_a_calibration_with_coefficients(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written_case(tmp_path, CAMERA)
    yaml = f"""image_width: {SIZE[0]}
image_height: {SIZE[1]}
camera_matrix:
  rows: 3
  cols: 3
  data: {K.ravel().tolist()}
distortion_model: plumb_bob
distortion_coefficients:
  rows: 1
  cols: 5
  data: {BENT.coefficients}
"""
    (tmp_path / "c.yaml").write_text(yaml, encoding="utf-8")
    words = ["case", "--ct", "ct.mha", "--xray", "xray.tif", "--labels", "labels.mha", "--camera", "c.yaml"]
    files = [str(tmp_path / word) if "." in word else word for word in words]
    assert main([*files, "--values", "1", "--out", str(tmp_path / "out")]) == 0
    assert "undistorted by up to" in capsys.readouterr().out
    content = json.loads((tmp_path / "out" / "case.json").read_text(encoding="utf-8"))
    assert content["views"][0]["camera"]["distortion"] == BENT.coefficients
