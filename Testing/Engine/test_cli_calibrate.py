"""A phantom of beads whose C-arm is known: what is estimated, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from prostreg.calibration.bead_fit import fit_to_exact_marks, known_as
from prostreg.cli.main import main
from prostreg.errors import InputError
from prostreg.geometry.camera_files.reading import read_calibration
from prostreg.geometry.carm import CArm
from prostreg.geometry.distortion import Distortion
from prostreg.geometry.rotations import rotation_from_vector

SDD_MM, PIXEL_MM, SIZE = 1020.0, 0.4, (640, 608)
MIDDLE = (326.0, 295.0)
K1 = 0.6


def bead_file(path: Path, noise_px: float, k1: float = 0.0, thickness_mm: float = 80.0) -> Path:
    rng = np.random.default_rng(5)
    points = rng.uniform(-48, 48, (40, 3))
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


def rewritten(path: Path, change: Callable[[list[list[str]]], list[list[str]]], between: str = ",") -> Path:
    """The list with other rows; the first has the names of the columns."""
    rows = change([line.split(",") for line in path.read_text(encoding="utf-8").splitlines()])
    path.write_text("\n".join(between.join(row) for row in rows) + "\n", encoding="utf-8")
    return path


def as_in_germany(rows: list[list[str]]) -> list[list[str]]:
    return [[word.replace(".", ",") for word in row] for row in rows]


def in_another_order(rows: list[list[str]]) -> list[list[str]]:
    return [[row[n] for n in (4, 5, 0, 3, 2, 1)] for row in rows]


@pytest.mark.parametrize(
    ("change", "between"), [(as_in_germany, ";"), (list, "\t"), (in_another_order, ","), (lambda rows: rows[1:], ",")]
)
def test_lists_as_programs_write_them(
    tmp_path: Path, change: Callable[[list[list[str]]], list[list[str]]], between: str
) -> None:
    assert calibrated(rewritten(bead_file(tmp_path / "beads.csv", 0.0), change, between)) == 0
    carm, _ = read_calibration(tmp_path / "camera.json")
    assert carm.sdd_mm == pytest.approx(SDD_MM, abs=0.05)


def scaled(factor: float) -> Callable[[list[list[str]]], list[list[str]]]:
    def change(rows: list[list[str]]) -> list[list[str]]:
        return [rows[0], *([r[0], *(str(factor * float(x)) for x in r[1:4]), *r[4:]] for r in rows[1:])]

    return change


def turned_over(rows: list[list[str]]) -> list[list[str]]:
    return [rows[0], *([*r[:4], str(SIZE[0] - 1 - float(r[4])), r[5]] for r in rows[1:])]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (scaled(0.1), "within 0.5 mm"),
        (scaled(1e-3), "within 0.5 mm"),
        (scaled(25.4), "give the beads' places in mm"),
        (turned_over, "its mirror image well"),
        (lambda rows: [*rows[:5], ["b0", *rows[5][1:]], *rows[6:]], "b0 twice"),
        (lambda rows: [*rows[:5], ["", *rows[5][1:]], *rows[6:]], "without a name"),
        (lambda rows: [*rows, ["again", *rows[5][1:]]], "b4 and again"),
        (lambda rows: [*rows[:5], [*rows[5][:4], "900", "20"], *rows[6:]], "the marks of b4 lie beside it"),
        (lambda rows: [[row[0], *row[4:], "", ""] for row in rows], "names the columns"),
        (lambda rows: [[" ".join(row)] for row in rows], "names the columns"),
        (lambda rows: [[" ".join(row)] for row in rows[1:]], "names the columns"),
        (lambda rows: rows[:1] + [[*row[:3], "x", *row[4:]] for row in rows[1:]], "and 35 more of"),
        (lambda rows: rows + [[f"c{n}", str(n), str(n % 7), "300", "9", "9"] for n in range(1000)], "1000 at most"),
    ],
)
def test_lists_that_would_tell_a_wrong_camera_are_refused_in_few_words(
    tmp_path: Path,
    change: Callable[[list[list[str]]], list[list[str]]],
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert calibrated(rewritten(bead_file(tmp_path / "beads.csv", 0.05), change), "--json") == 2
    faults = json.loads(capsys.readouterr().out)["error"]["faults"]
    assert len(faults) == 1
    assert said in faults[0]
    assert not (tmp_path / "camera.json").exists()


def test_flip_is_about_marks_as_well(tmp_path: Path) -> None:
    path = rewritten(bead_file(tmp_path / "beads.csv", 0.0, K1), turned_over)
    assert calibrated(path, "--distortion", "--flip") == 0
    carm, _ = read_calibration(tmp_path / "camera.json")
    assert carm.principal_point == pytest.approx((SIZE[0] - 1 - MIDDLE[0], MIDDLE[1]), abs=0.05)


def test_a_distance_far_from_the_rough_one_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert calibrated(bead_file(tmp_path / "beads.csv", 0.0), "--pixel-mm", "0.6") == 0
    assert "--sdd says 1000 mm: check --pixel-mm" in " ".join(capsys.readouterr().out.split())


def test_a_distortion_that_the_beads_do_not_tell_at_the_corners_is_no_calibration(tmp_path: Path) -> None:
    """Beads in the middle tell K well and k1, k2 together, which then say nothing of the corners."""
    rng = np.random.default_rng(1)
    grid = np.stack(np.meshgrid(*[(-20.0, 0.0, 20.0)] * 3), axis=-1).reshape(-1, 3) + rng.uniform(-4, 4, (27, 3))
    seen = grid @ rotation_from_vector([0.2, -0.3, 0.5]).T + (4.0, -6.0, 400.0)
    pixels = seen[:, :2] / seen[:, 2:] * SDD_MM / PIXEL_MM + MIDDLE + rng.normal(0, 0.01, (27, 2))
    fit = fit_to_exact_marks(grid, pixels, CArm.from_sdd(1000.0, (PIXEL_MM, PIXEL_MM), SIZE), True)
    names = [f"b{n}" for n in range(27)]
    wide = 4 * SIZE[0], 4 * SIZE[1]
    assert known_as(fit, SIZE, names) == "calibrated"
    assert fit.bend_deviation_px(wide) > 0.02 * max(wide)
    with pytest.raises(InputError, match="the distortion of its corners"):
        known_as(fit, wide, names)
