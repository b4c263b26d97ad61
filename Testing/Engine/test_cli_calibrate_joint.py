"""Several images of a phantom by one C-arm: what they tell together, and which of them does not belong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from BeadImages import bead_image, write_bead_list
from numpy.typing import NDArray
from PIL import Image

from prostreg.calibration.bead_fit import fit_to_exact_marks
from prostreg.calibration.joint_fit import JointFit, joint_fit
from prostreg.cli.main import main
from prostreg.geometry.camera_files.reading import read_calibration
from prostreg.geometry.camera_fit import CameraFit
from prostreg.geometry.carm import CArm
from prostreg.geometry.distortion import Distortion
from prostreg.geometry.rotations import rotation_from_vector
from prostreg.images.image_file import write_with_spacing

SDD_MM, PIXEL_MM, SIZE = 1020.0, 0.7, (320, 300)
MIDDLE = np.array([164.0, 145.0])
TURNS = ([0.2, -0.3, 0.5], [-0.35, 0.1, 0.2], [0.1, 0.4, -0.3])
ROUGH = CArm.from_sdd(1000.0, (PIXEL_MM, PIXEL_MM), SIZE)
Array = NDArray[np.float64]


def phantom() -> Array:
    """27 beads in three layers."""
    grid = np.stack(np.meshgrid(*[(-33.0, 0.0, 33.0)] * 3), axis=-1).reshape(-1, 3)
    return np.asarray(grid + np.random.default_rng(3).uniform(-6, 6, grid.shape))


def seen_px(points: Array, turn: list[float], sdd_mm: float = SDD_MM, k1: float = 0.8) -> Array:
    camera = points @ rotation_from_vector(turn).T + (4.0, -6.0, 700.0)
    return np.asarray(Distortion(k1=k1).bent(camera[:, :2] / camera[:, 2:]) * sdd_mm / PIXEL_MM + MIDDLE)


def fitted(images: list[Array], points: Array) -> tuple[list[CameraFit], JointFit]:
    alone = [fit_to_exact_marks(points, marks, ROUGH, True) for marks in images]
    return alone, joint_fit([(points, marks) for marks in images], alone)


def test_three_images_tell_the_distance_better_than_one() -> None:
    points, alone_off, joint_off, times_deviation = phantom(), [], [], []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        marks = [seen_px(points, turn) + rng.normal(0, 0.1, (27, 2)) for turn in TURNS]
        alone, joint = fitted(marks, points)
        alone_off.append([fit.intrinsics[0, 0] * PIXEL_MM - SDD_MM for fit in alone])
        joint_off.append(joint.fits[0].intrinsics[0, 0] * PIXEL_MM - SDD_MM)
        times_deviation.append(joint_off[-1] / (joint.fits[0].deviations[0] * PIXEL_MM))
        assert joint.fits[0].deviations[0] < min(fit.deviations[0] for fit in alone)
        assert joint.disagreement < 4
    rms_mm = [float(np.sqrt(np.mean(np.square(off)))) for off in (alone_off, joint_off)]
    assert rms_mm[1] < 0.7 * rms_mm[0]
    assert 0.4 < np.sqrt(np.mean(np.square(times_deviation))) < 1.6


def test_without_noise_the_shared_camera_is_the_true_one() -> None:
    points = phantom()
    _, joint = fitted([seen_px(points, turn) for turn in TURNS], points)
    for fit in joint.fits:
        assert fit.intrinsics[0, 0] * PIXEL_MM == pytest.approx(SDD_MM, abs=1e-3)
        np.testing.assert_allclose(fit.intrinsics[:2, 2], MIDDLE, atol=1e-3)
        assert fit.distortion.k1 == pytest.approx(0.8, abs=1e-3)
        assert fit.rms_px < 1e-4
    assert joint.odd is None


def test_the_image_of_another_distance_is_named_and_the_deviations_are_wider() -> None:
    points, rng = phantom(), np.random.default_rng(0)
    marks = [seen_px(points, turn) + rng.normal(0, 0.1, (27, 2)) for turn in TURNS]
    _, same = fitted(marks, points)
    marks[1] = seen_px(points, TURNS[1], 1080.0) + rng.normal(0, 0.1, (27, 2))
    alone, joint = fitted(marks, points)
    assert joint.disagreement > 4
    assert joint.odd == 1
    assert joint.fits[0].deviations[0] > 2 * same.fits[0].deviations[0]
    two = joint_fit([(points, marks[0]), (points, marks[1])], alone[:2])
    assert (two.disagreement > 4, two.odd) == (True, None)


def lists(folder: Path, distances_mm: tuple[float, ...]) -> list[Path]:
    """Exact marks of three images, 0.05 pixels off."""
    points, rng = phantom(), np.random.default_rng(1)
    return [
        write_bead_list(folder / f"{name}.csv", points, seen_px(points, turn, sdd_mm) + rng.normal(0, 0.05, (27, 2)))
        for name, turn, sdd_mm in zip("abc", TURNS, distances_mm, strict=True)
    ]


def run(folder: Path, beads: list[Path], *words: str) -> int:
    told = ["--sdd", "1000", "--pixel-mm", str(PIXEL_MM), "--distortion", "--out", str(folder / "camera.json")]
    return main(["calibrate", *map(str, beads), *told, *words])


MARKED = ("--size", str(SIZE[0]), str(SIZE[1]))


def test_lists_of_several_images_make_one_camera_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    beads = lists(tmp_path, (SDD_MM,) * 3)
    assert run(tmp_path, beads, *MARKED, "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert abs(report["sdd_mm"] - SDD_MM) < 4 * report["sdd_deviation_mm"] < 10
    assert report["warnings"] == []
    assert (report["odd_image"], [one["beads"] for one in report["images"]]) == (None, list(map(str, beads)))
    for one in report["images"]:
        assert len(one["errors_px"]) == 27
        assert one["alone"]["sdd_deviation_mm"] > report["sdd_deviation_mm"]
        assert one["alone"]["rms_px"] <= one["rms_px"] < 0.2
    carm, distortion = read_calibration(tmp_path / "camera.json")
    assert (carm.sdd_mm, carm.accuracy) == (pytest.approx(report["sdd_mm"]), report["accuracy"])
    assert distortion is not None
    assert run(tmp_path, beads, *MARKED) == 0
    assert "c.csv: 27 beads, 0.0" in "".join(capsys.readouterr().out.split("\n"))


def test_an_image_that_does_not_belong_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    beads = lists(tmp_path, (SDD_MM, SDD_MM, 1040.0))
    assert run(tmp_path, beads, *MARKED, "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["odd_image"] == str(beads[2])
    (said,) = report["warnings"]
    assert f"without {beads[2]} the others agree" in said


def test_beads_are_found_in_each_image_from_its_own_marks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    points, rng = phantom(), np.random.default_rng(2)
    beads, images = [], []
    for name, turn in zip("ab", TURNS[:2], strict=True):
        places = seen_px(points, turn)
        marks = np.full(places.shape, np.nan)
        chosen = [0, 2, 6, 8, 18, 20, 24, 26]
        marks[chosen] = places[chosen] + rng.uniform(-3, 3, (8, 2))
        beads.append(write_bead_list(tmp_path / f"{name}.csv", points, marks))
        images.append(tmp_path / f"{name}.mha")
        write_with_spacing(images[-1], bead_image(places, SIZE, 3.0, rng), (PIXEL_MM, PIXEL_MM))
    assert run(tmp_path, beads, "--image", *map(str, images), "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert abs(report["sdd_mm"] - SDD_MM) < 4 * report["sdd_deviation_mm"] < 20
    for number, one in enumerate(report["images"], start=1):
        assert len(one["centres_px"]) >= 25
        with Image.open(tmp_path / f"camera_{number}.png") as picture:
            assert picture.width > 1000
    assert not (tmp_path / "camera.png").exists()
    for others, words in (
        (images[:1], "2 lists of beads and 1 images"),
        ([images[0], images[0]], "are the same image: give each image once."),
    ):
        assert run(tmp_path, beads, "--image", *map(str, others), "--json") == 2
        assert words in " ".join(faults_of(capsys))


def faults_of(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)["error"]["faults"]


def test_each_fault_tells_its_image(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    beads = lists(tmp_path, (SDD_MM,) * 3)
    assert run(tmp_path, [beads[0], beads[0]], *MARKED, "--json") == 2
    assert "are the same image" in faults_of(capsys)[0]
    rows = beads[1].read_text(encoding="utf-8").splitlines()
    ends = [row.rsplit(",", 2) for row in rows[1:]]
    mixed = [",".join([one[0], *other[1:]]) for one, other in zip(ends, ends[1:] + ends[:1], strict=True)]
    beads[1].write_text("\n".join(mixed) + "\n", encoding="utf-8")
    assert run(tmp_path, beads, *MARKED, "--json") == 2
    (fault,) = faults_of(capsys)
    assert fault.startswith(f"{beads[1]}: The beads fit no camera")
