"""X-rays of a phantom of beads: which beads are found, what is told of the others, and what is refused."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from BeadImages import bead_image, write_bead_list
from numpy.typing import NDArray
from PIL import Image

from DicomFiles import write_xray
from prostreg.calibration.bead_list import BeadList
from prostreg.calibration.discs import sorts_of_discs
from prostreg.calibration.matching import match_beads
from prostreg.cli.main import main
from prostreg.geometry.carm import CArm
from prostreg.geometry.distortion import Distortion
from prostreg.geometry.rotations import rotation_from_vector
from prostreg.images.image_file import write_with_spacing

SDD_MM, PIXEL_MM, SIZE = 1020.0, 0.7, (320, 300)
MIDDLE = (164.0, 145.0)
K1 = 0.8
MISSING = [12, 17]
NO_BEADS = np.array([[40.3, 260.8], [270.1, 30.5]])


@dataclass(frozen=True)
class Scene:
    """A phantom of 27 beads in three layers, of which two are missing in its image, and two discs that are none."""

    points_mm: NDArray[np.float64]
    seen_px: NDArray[np.float64]
    pixels: NDArray[np.float32]


@pytest.fixture(scope="module")
def scene() -> Scene:
    rng = np.random.default_rng(3)
    grid = np.stack(np.meshgrid(*[(-33.0, 0.0, 33.0)] * 3), axis=-1).reshape(-1, 3)
    points = grid + rng.uniform(-6, 6, grid.shape)
    camera = points @ rotation_from_vector([0.2, -0.3, 0.5]).T + (4.0, -6.0, 700.0)
    pixels = Distortion(k1=K1).bent(camera[:, :2] / camera[:, 2:]) * SDD_MM / PIXEL_MM + MIDDLE
    drawn = np.concatenate([np.delete(pixels, MISSING, axis=0), NO_BEADS])
    return Scene(points, pixels, bead_image(drawn, SIZE, 3.0, rng))


def marks(scene: Scene, count: int = 8, shift_px: float = 0.0) -> NDArray[np.float64]:
    """Rough marks of as many beads, all over the phantom, NaN for the others."""
    rng = np.random.default_rng(4)
    told = np.full(scene.seen_px.shape, np.nan)
    chosen = [0, 2, 6, 8, 18, 20, 24, 26][:count]
    told[chosen] = scene.seen_px[chosen] + rng.uniform(-3.5, 3.5, (count, 2)) + shift_px
    return told


def calibrated(folder: Path, scene: Scene, told: NDArray[np.float64], *words: str) -> int:
    beads = write_bead_list(folder / "beads.csv", scene.points_mm, told)
    image = folder / "phantom.mha"
    write_with_spacing(image, scene.pixels, (PIXEL_MM, PIXEL_MM))
    known = ["--image", str(image), "--sdd", "1000", "--pixel-mm", str(PIXEL_MM)]
    return main(["calibrate", str(beads), *known, "--out", str(folder / "camera.json"), *words])


def test_the_beads_are_found_and_tell_the_camera(
    tmp_path: Path, scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    assert calibrated(tmp_path, scene, marks(scene), "--distortion", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert abs(report["sdd_mm"] - SDD_MM) < 4 * report["sdd_deviation_mm"] < 20
    off_px = np.abs(np.array(report["principal_point_px"]) - MIDDLE)
    assert (off_px < 4 * np.array(report["principal_point_deviation_px"])).all()
    assert report["not_found"] == [f"b{n}" for n in MISSING]
    assert report["outside"] == []
    assert sorted(report["discs_that_are_no_bead_px"]) == pytest.approx(NO_BEADS, abs=0.2)
    for name, centre in report["centres_px"].items():
        assert centre == pytest.approx(scene.seen_px[int(name[1:])], abs=0.15)
    with Image.open(tmp_path / "camera.png") as picture:
        assert picture.width > 1000


def test_beads_that_are_bright_are_found_as_well(scene: Scene) -> None:
    beads = BeadList([f"b{n}" for n in range(27)], scene.points_mm, marks(scene))
    rough = CArm.from_sdd(1000.0, (PIXEL_MM, PIXEL_MM), SIZE)
    seen = match_beads(beads, sorts_of_discs(-np.log(scene.pixels), None), rough, True)
    assert np.flatnonzero(np.isnan(seen.centres_px[:, 0])).tolist() == MISSING


def test_two_beads_that_overlap_are_no_disc() -> None:
    centres = np.array([[100.2, 100.4], [105.2, 100.4], [50.3, 50.1], [150.7, 40.2], [40.6, 150.3]])
    dark, *_ = sorts_of_discs(bead_image(centres, (200, 200), 4.8, np.random.default_rng(6)), None)
    assert sorted(dark.round(1)[:, 0]) == pytest.approx([40.6, 50.3, 150.7], abs=0.15)


def test_discs_under_a_shutter_do_not_count(scene: Scene) -> None:
    open_part = np.ones(scene.pixels.shape, dtype=bool)
    open_part[:150] = False
    dark, *_ = sorts_of_discs(scene.pixels, open_part)
    assert len(dark) > 5
    assert (dark[:, 1] > 149).all()


@pytest.mark.parametrize(
    ("count", "shift_px", "words", "said"),
    [
        (5, 0.0, (), "have 5 marks to begin with"),
        (8, 14.0, (), "have a small disc within 8 pixels"),
        (8, 0.0, ("--size", "300", "320"), "leave --size away"),
    ],
)
def test_what_cannot_begin_is_refused(
    tmp_path: Path,
    scene: Scene,
    count: int,
    shift_px: float,
    words: tuple[str, ...],
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert calibrated(tmp_path, scene, marks(scene, count, shift_px), *words) == 2
    assert said in capsys.readouterr().err
    assert not {"camera.json", "camera.png"} & {path.name for path in tmp_path.iterdir()}


def test_marks_of_other_beads_are_refused(tmp_path: Path, scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    told = marks(scene)
    chosen = np.flatnonzero(np.isfinite(told[:, 0]))
    told[chosen] = told[np.roll(chosen, 3)]
    assert calibrated(tmp_path, scene, told) == 2
    assert "beads that should be in the image are found" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "camera.json").exists()


def test_a_mark_of_another_bead_is_named(tmp_path: Path, scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    told = marks(scene)
    told[8] = scene.seen_px[10]
    assert calibrated(tmp_path, scene, told, "--json") == 2
    assert "Without the mark of b8 the others fit" in json.loads(capsys.readouterr().out)["error"]["faults"][0]


def test_camera_and_picture_are_written_together_or_not_at_all(tmp_path: Path, scene: Scene) -> None:
    (tmp_path / "camera.png").mkdir()
    assert calibrated(tmp_path, scene, marks(scene), "--distortion") == 2
    assert not (tmp_path / "camera.json").exists()


def test_without_an_image_size_and_marks_are_needed(
    tmp_path: Path, scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    beads = write_bead_list(tmp_path / "beads.csv", scene.points_mm, marks(scene))
    out = str(tmp_path / "camera.json")
    assert main(["calibrate", str(beads), "--sdd", "1000", "--pixel-mm", "0.7", "--out", out]) == 2
    told = capsys.readouterr().err
    assert "give --size WIDTH HEIGHT" in told
    assert "has no mark" in told


def test_an_image_that_is_stored_as_seen_from_the_detector(
    tmp_path: Path, scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    width = SIZE[0]
    told = marks(scene) * (-1, 1) + (width - 1, 0)
    beads = write_bead_list(tmp_path / "beads.csv", scene.points_mm, told)
    image = write_xray(tmp_path / "phantom.dcm", "XA", np.rint(scene.pixels[:, ::-1]).astype(np.uint16))
    words = [str(beads), "--image", str(image), "--sdd", "1000", "--pixel-mm", str(PIXEL_MM), "--distortion"]
    out = tmp_path / "camera.json"
    assert main(["calibrate", *words, "--out", str(out), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    off_px = np.abs(np.array(report["principal_point_px"]) - (width - 1 - MIDDLE[0], MIDDLE[1]))
    assert (off_px < 4 * np.array(report["principal_point_deviation_px"])).all()
    for name, centre in report["centres_px"].items():
        seen_px = scene.seen_px[int(name[1:])] * (-1, 1) + (width - 1, 0)
        assert centre == pytest.approx(seen_px, abs=0.15)
    assert report["flip"] is True
    assert "--no-flip overrules this" in report["warnings"][0]
    assert json.loads(out.read_text())["K"][0][2] == report["principal_point_px"][0]
    assert main(["calibrate", *words, "--out", str(tmp_path / "other.json"), "--no-flip"]) == 2
    assert "its mirror image well" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "other.json").exists()


def test_flip_turns_over_what_has_no_tags(tmp_path: Path, scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    turned = Scene(scene.points_mm, scene.seen_px, np.ascontiguousarray(scene.pixels[:, ::-1]))
    told = marks(scene) * (-1, 1) + (SIZE[0] - 1, 0)
    assert calibrated(tmp_path, turned, told, "--distortion") == 2
    assert calibrated(tmp_path, turned, told, "--distortion", "--flip") == 0
    assert calibrated(tmp_path, scene, marks(scene), "--distortion", "--flip") == 2
    capsys.readouterr()


def test_what_is_read_is_not_replaced(tmp_path: Path, scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    beads = write_bead_list(tmp_path / "beads.json", scene.points_mm, marks(scene))
    image = tmp_path / "phantom.png"
    Image.fromarray((scene.pixels / scene.pixels.max() * 255).astype(np.uint8)).save(image)
    before = beads.read_bytes(), image.read_bytes()
    words = ["calibrate", str(beads), "--image", str(image), "--sdd", "1000", "--pixel-mm", str(PIXEL_MM)]
    assert main([*words, "--out", str(image.with_suffix(".json"))]) == 2
    assert main([*words, "--out", str(beads)]) == 2
    assert capsys.readouterr().err.count("which is read") == 2
    assert (beads.read_bytes(), image.read_bytes()) == before


def test_specks_of_noise_are_a_sort_of_their_own() -> None:
    """Beads that are large in pixels stand before a slope, on which noise and ground are no longer even."""
    rng = np.random.default_rng(0)
    size, radius = (1200, 1200), 12.0
    centres = rng.uniform(0.1, 0.9, (20, 2)) * size
    apart = np.linalg.norm(centres[:, None] - centres[None], axis=-1) + 1e9 * np.eye(20)
    centres = centres[apart.min(axis=1) > 4 * radius]
    v, u = np.mgrid[: size[1], : size[0]]
    image = 3000 - 2400 * np.exp(-((u / 1200 - 0.45) ** 2 + (v / 1200 - 0.6) ** 2) / 0.03)
    for centre in centres:
        square = ((u - centre[0]) ** 2 + (v - centre[1]) ** 2) / radius**2
        image *= np.exp(-1.2 * np.sqrt(np.maximum(0, 1 - square)))
    image += rng.normal(0, 20, image.shape)
    found = [
        0 if len(discs) == 0 else int((np.linalg.norm(discs[:, None] - centres[None], axis=-1).min(axis=0) < 0.5).sum())
        for discs in sorts_of_discs(image.astype(np.float32), None)
    ]
    assert max(found) == len(centres)
    assert found[0] < len(centres)
