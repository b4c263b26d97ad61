"""A phantom of beads whose C-arm is known: what is estimated, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from prostreg.cli.main import main
from prostreg.geometry.camera_files.reading import read_calibration
from prostreg.geometry.distortion import Distortion
from prostreg.geometry.rotations import rotation_from_vector

SDD_MM, PIXEL_MM, SIZE = 1020.0, 0.4, (512, 480)
MIDDLE = (262.0, 231.0)
K1 = 0.6


def bead_file(path: Path, noise_px: float, k1: float = 0.0, thickness_mm: float = 80.0) -> Path:
    rng = np.random.default_rng(5)
    points = rng.uniform(-60, 60, (40, 3))
    points[:, 2] = np.where(np.arange(40) % 2, 0.5, -0.5) * thickness_mm
    seen = points @ rotation_from_vector([0.2, -0.3, 0.5]).T + (4.0, -6.0, 650.0)
    slopes = Distortion(k1=k1).bent(seen[:, :2] / seen[:, 2:])
    pixels = slopes * SDD_MM / PIXEL_MM + MIDDLE + rng.normal(0, noise_px, (40, 2))
    lines = [f"b{n},{','.join(map(str, [*p, *q]))}" for n, (p, q) in enumerate(zip(points, pixels, strict=True))]
    path.write_text("name,x,y,z,u,v\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return path


def calibrated(beads: Path, *words: str) -> int:
    size = [str(n) for n in SIZE]
    out = str(beads.with_name("camera.json"))
    told = ["--size", *size, "--sdd", "1000", "--pixel-mm", str(PIXEL_MM), "--out", out]
    return main(["calibrate", str(beads), *told, *words])


def test_without_noise_the_camera_is_the_true_one(tmp_path: Path) -> None:
    assert calibrated(bead_file(tmp_path / "beads.csv", 0.0, K1), "--distortion") == 0
    carm, distortion = read_calibration(tmp_path / "camera.json")
    assert carm.sdd_mm == pytest.approx(SDD_MM, abs=0.05)
    assert carm.principal_point == pytest.approx(MIDDLE, abs=0.05)
    assert carm.accuracy == "calibrated"
    assert distortion is not None
    assert distortion.k1 == pytest.approx(K1, abs=1e-3)


def test_under_noise_the_truth_lies_within_what_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = calibrated(bead_file(tmp_path / "beads.csv", 0.1), "--json")
    report = json.loads(capsys.readouterr().out)
    assert code == 0
    assert abs(report["sdd_mm"] - SDD_MM) < 4 * report["sdd_deviation_mm"] < 40
    off_px = np.abs(np.array(report["principal_point_px"]) - MIDDLE)
    assert (off_px < 4 * np.array(report["principal_point_deviation_px"])).all()
    assert 0.05 < report["rms_px"] < 0.2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("b0,1,2,3,4\n", "is no bead"),
        ("b0,1,2,3,4,\n", "is no bead"),
        ("b0,1,2,3,4,nan\n", "is no bead"),
        ("b0,1,2,3,4,5\n", "give 8 or more"),
    ],
)
def test_bad_lists_are_refused(tmp_path: Path, text: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "beads.csv"
    path.write_text(text, encoding="utf-8")
    assert calibrated(path) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "camera.json").exists()


def test_a_flat_phantom_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert calibrated(bead_file(tmp_path / "beads.csv", 0.0, thickness_mm=0.0)) == 2
    assert "lie in a plane" in capsys.readouterr().err


def test_beads_that_are_mixed_up_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = bead_file(tmp_path / "beads.csv", 0.0)
    lines = path.read_text(encoding="utf-8").splitlines()
    ends = [line.rsplit(",", 2) for line in lines[1:]]
    mixed = [",".join([a[0], *b[1:]]) for a, b in zip(ends, ends[1:] + ends[:1], strict=True)]
    path.write_text("\n".join(mixed), encoding="utf-8")
    assert calibrated(path) == 2
    assert "fit no camera" in capsys.readouterr().err
