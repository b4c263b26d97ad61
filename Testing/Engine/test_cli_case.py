"""A case told in words on the command line: what is missing is asked for at once, and what is written can be read."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from PIL import Image

from DicomFiles import write_xray
from prostreg.cli.main import main
from prostreg.errors import InputError
from prostreg.geometry.carm_devices import PRESETS
from prostreg.images.frames import Frames
from prostreg.images.xray_preparation import prepare_xray
from prostreg.images.xray_reading import read_xray_image
from prostreg.registration.case_file import read_case

POSE = np.array([[-1.0, 0, 0, 20], [0, 0, -1, 20], [0, -1, 0, 620], [0, 0, 0, 1]])


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small CT with two bones, their labels, an X-ray, a pose, and a camera."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    labels = np.zeros((20, 20, 20), dtype=np.uint8)
    labels[4:16, 4:9, 4:16], labels[4:16, 12:17, 4:16] = 25, 77
    hu = np.where(labels > 0, 800, rng.integers(-30, 60, labels.shape)).astype(np.int16)
    hu[:2] = hu[:, :, :2] = -1000
    for name, values in (("ct.nii.gz", hu), ("labels.nii.gz", labels)):
        image = sitk.GetImageFromArray(values)
        image.SetSpacing([2.0, 2.0, 2.0])
        sitk.WriteImage(image, name)
    sitk.WriteImage(sitk.GetImageFromArray(rng.integers(0, 4000, (60, 80)).astype(np.uint16)), "hip left.tif")
    np.savetxt("pose.txt", POSE)
    Path("folder").mkdir()
    Path("camera.json").write_text(json.dumps({"K": [[900, 0, 40], [0, 900, 30], [0, 0, 1]], "size": [80, 60]}))


TOLD = ["--ct", "ct.nii.gz", "--xray", "hip left.tif"]


def faults_of(capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
    assert main(["case", *words, "--out", "case", "--json"]) == 2
    assert not Path("case").exists()
    faults: list[str] = json.loads(capsys.readouterr().out)["error"]["faults"]
    return faults


def written(*words: str) -> Path:
    assert main(["case", *TOLD, *words, "--out", "case"]) == 0
    return Path("case/case.json")


def test_the_c_arm_is_that_of_the_distances() -> None:
    case = read_case(written("--sdd", "1000", "--pixel-mm", "2", "4"))
    carm = case.views[0].carm
    assert (carm.sdd_mm, carm.spacing_mm, carm.size) == (1000.0, (2.0, 4.0), (80, 60))
    assert carm.principal_point == (39.5, 29.5)
    assert (carm.accuracy, case.name, case.initial_world_from_volume) == ("calibrated", "hip left", None)


def test_a_camera_file_without_a_size_has_that_of_its_x_ray() -> None:
    intrinsics = np.array([[900.0, 0, 40], [0, 900, 30], [0, 0, 1]])
    np.savetxt("P.csv", intrinsics @ POSE[:3], delimiter=",")
    carm = read_case(written("--camera", "P.csv")).views[0].carm
    assert carm.size == (80, 60)
    np.testing.assert_allclose(carm.intrinsics, intrinsics, atol=1e-9)
    np.testing.assert_allclose(carm.camera_from_world, POSE, atol=1e-9)


def test_a_folder_with_a_file_for_each_frame_is_a_run(tmp_path: Path) -> None:
    frames = np.random.default_rng(1).integers(0, 4000, (4, 60, 80)).astype(np.uint16)
    tags = {"DistanceSourceToDetector": 1000, "ImagerPixelSpacing": [2.0, 2.0], "SeriesInstanceUID": "1.2.3"}
    for number, pixels in enumerate(frames, start=1):
        write_xray(Path("folder") / f"{9 - number}.dcm", pixels=pixels, InstanceNumber=number, **tags)
    assert main(["case", "--ct", "ct.nii.gz", "--xray", "folder", "--frame", "2-3", "--out", "case"]) == 0
    content = json.loads(Path("case/case.json").read_text())
    assert content["name"] == "folder"
    assert content["views"] == [{"image": str(tmp_path / "folder"), "frame": [2, 3]}]
    case = read_case(Path("case"))
    assert case.views[0].frames == Frames(2, 3)
    assert case.views[0].carm.sdd_mm == 1000.0


@pytest.mark.parametrize("words", ["Radiography, table", "wall stand", "Mobile C-arm, flat panel 20 cm, 1024 px"])
def test_a_part_of_a_presets_name_is_enough_and_its_values_count_as_guessed(words: str) -> None:
    (facts,) = (facts for name, facts in PRESETS.items() if words in name)
    carm = read_case(written("--preset", words)).views[0].carm
    assert carm.sdd_mm == pytest.approx(facts.sdd_mm)
    assert carm.spacing_mm == pytest.approx((facts.field_mm / 80,) * 2)
    assert carm.accuracy == "preset"


def test_labels_start_side_and_name_are_kept_also_where_the_file_is_moved(tmp_path: Path) -> None:
    words = ["--labels", "labels.nii.gz", "--values", "25", "77", "--initial", "pose.txt", "--name", "left"]
    path = written("--camera", "camera.json", "--flip", "--polarity", "bone-dark", *words)
    (tmp_path / "elsewhere").mkdir()
    case = read_case(path.rename(tmp_path / "elsewhere" / "case.json"))
    assert case.name == "left"
    assert case.anatomy.sum() == 2 * 12 * 5 * 12
    np.testing.assert_allclose(case.initial_world_from_volume, POSE)
    assert case.views[0].carm.intrinsics[0, 2] == 80 - 1 - 40  # the mirrored picture's
    assert json.loads((tmp_path / "elsewhere" / "case.json").read_text())["views"][0]["polarity"] == "bone-dark"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], ["The CT is missing: give --ct", "The X-ray is missing: give --xray"]),
        (["--ct", "no.nii", "--xray", "no.tif"], ["no.nii does not exist", "no.tif does not exist"]),
        ([*TOLD], ["Here that is --sdd MM with --pixel-mm MM, --preset NAME, or --camera FILE"]),
        ([*TOLD, "--sdd", "1000"], ["one is missing: give --pixel-mm MM"]),
        ([*TOLD, "--pixel-mm", "0.3"], ["one is missing: give --sdd MM"]),
        ([*TOLD, "--preset", "inch"], ['9 inch intensifier, 1024 px" or "Mobile C-arm, 12 inch']),
        (
            [*TOLD, "--preset", "Siemens"],
            ['no --preset "Siemens": give a part of "Mobile C-arm, 9 inch intensifier, 1024 px", "'],
        ),
        ([*TOLD, "--labels", "labels.nii.gz"], ["the values of the bone in it. The labels contain 25, 77."]),
        ([*TOLD, "--labels", "no.nii.gz"], ["no.nii.gz does not exist", "the values of the bone in it."]),
        (["--ct", "ct.nii.gz", "--xray", "folder"], ["folder is a folder: give the file in it"]),
        ([*TOLD, "--preset", "9 inch", "--sdd", "1000"], ["give one of the three"]),
        ([*TOLD, "--camera", "camera.json", "camera.json"], ["There are 1 X-rays and 2 cameras"]),
        ([*TOLD, "--values", "25", "--initial", "no.tfm"], ["--labels and --values belong together", "no.tfm"]),
        ([*TOLD, "--camera", "camera.json", "--name", "a/b"], ["cannot be a folder's name"]),
        ([*TOLD, "--camera", "camera.json", "--name", "a\udcff"], ["a\\udcff holds half of a character"]),
        ([*TOLD, "--sdd", "1000", "--pixel-mm", "1", "1", "1"], ["--pixel-mm has 3 numbers: give one, or two"]),
    ],
)
def test_all_that_is_missing_or_wrong_is_said_at_once_and_nothing_written(
    capsys: pytest.CaptureFixture[str], words: list[str], expected: list[str]
) -> None:
    faults = faults_of(capsys, *words)
    assert len(faults) == len(expected)
    for fault, words_of_it in zip(faults, expected, strict=True):
        assert words_of_it in fault


def test_register_takes_the_same_words_and_keeps_the_case_beside_its_result(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--camera", "camera.json", "--initial", "pose.txt", "--method", "cmaes", "--restarts", "1"]
    assert main(["register", *TOLD, *words, "--out", "out", "--time-limit", "20"]) in (0, 3, 4)
    assert read_case(Path("out/hip left")).name == "hip left"
    assert (Path("out/hip left") / "result.json").is_file()


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        ([], "There is nothing to register"),
        (["case.json", *TOLD], "exclude each other"),
        ([*TOLD, "--camera", "camera.json", "--weights", "no.safetensors"], "no.safetensors"),
        ([*TOLD, "--camera", "camera.json", "--config", "no.json"], "no.json"),
        ([*TOLD, "--camera", "camera.json", "--weights", "."], "The weights . cannot be used"),
        (["case.json", "--polarity", "bone-dark", "--bone", "a=1"], "--bone, --polarity would change nothing"),
        (["case.json", "--no-flip", "--pixel-mm", "1"], "--pixel-mm, --flip would change nothing"),
    ],
)
def test_register_writes_no_case_that_it_cannot_run(
    capsys: pytest.CaptureFixture[str], words: list[str], fault: str
) -> None:
    assert main(["register", *words, "--out", "out"]) == 2
    assert fault in capsys.readouterr().err
    assert not Path("out").exists()


def run_of_frames(name: str = "run.dcm") -> None:
    """Five frames of 60 x 80, each a little brighter, of a C-arm that the tags tell."""
    frames = np.random.default_rng(1).integers(0, 2000, (1, 60, 80)) + 300 * np.arange(5)[:, None, None]
    write_xray(
        Path(name), "XA", frames.astype(np.uint16), NumberOfFrames=5, RepresentativeFrameNumber=4,
        DistanceSourceToDetector=1000, ImagerPixelSpacing=[2.0, 2.0], PositionerPrimaryAngle=12.5,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("words", "frame", "image"), [((), None, 4), (("--frame", "2"), 2, 2), (("--frame", "1-3"), [1, 3], 2)]
)
def test_the_frame_of_a_run_is_said_and_kept(words: tuple[str, ...], frame: int | None, image: int) -> None:
    run_of_frames()
    assert main(["case", "--ct", "ct.nii.gz", "--xray", "run.dcm", *words, "--out", "case"]) == 0
    content = json.loads(Path("case/case.json").read_text())
    assert content["views"][0].get("frame") == frame
    view = read_case(Path("case/case.json")).views[0]
    run_of_frames("other.dcm")
    expected = prepare_xray(read_xray_image(Path("other.dcm"), Frames(image, image)).pixels, "auto")
    np.testing.assert_allclose(view.xray.line_integrals[:, ::-1], expected.line_integrals, atol=1e-5)
    said = " ".join(view.notes)
    assert ("Of 5 frames number 4 is used" in said) == (frame is None)


def test_the_numbers_of_the_c_arm_are_told_with_their_origin(capsys: pytest.CaptureFixture[str]) -> None:
    run_of_frames()
    assert main(["case", "--ct", "ct.nii.gz", "--xray", "run.dcm", "--out", "case"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "source to detector 1000.0 mm ± 10 mm DistanceSourceToDetector" in [" ".join(line.split()) for line in lines]
    assert any(line.startswith("source to patient") and "not told" in line for line in lines)
    assert any(line.startswith("primary angle") and "12.5 degrees" in line for line in lines)
    assert any("Of 5 frames number 4 is used" in line for line in lines)


def test_one_frame_for_each_x_ray_or_one_for_all(capsys: pytest.CaptureFixture[str]) -> None:
    run_of_frames()
    faults = faults_of(capsys, "--ct", "ct.nii.gz", "--xray", "run.dcm", "--frame", "1", "2")
    assert "There are 1 X-rays and 2 frames: give one --frame" in faults[0]
    (fault,) = faults_of(capsys, "--ct", "ct.nii.gz", "--xray", "run.dcm", "--frame", "6")
    assert "has 5 frames, and frame 6 was asked for" in fault


@pytest.mark.parametrize("frame", ["0", "-1", "3-2", "1.5", "first"])
def test_what_is_no_frame_is_told_so(frame: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["case", *TOLD, f"--frame={frame}", "--out", "case"]) == 2
    assert "is no frame: give a number from 1 on" in capsys.readouterr().err


@pytest.mark.parametrize("frame", [0, "2", [3, 2], [1, 2, 3], 1.5, True])
def test_what_is_no_frame_in_a_case_file_is_told_so(frame: object) -> None:
    path = written("--sdd", "1000", "--pixel-mm", "2")
    content = json.loads(path.read_text())
    content["views"][0]["frame"] = frame
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=r'"frame" of view 1 is .* give a whole number from 1 on'):
        read_case(path)


def test_a_picture_shows_what_is_taken_of_each_x_ray(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["case", *TOLD, "--sdd", "1000", "--pixel-mm", "2", "--out", "case", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    with Image.open(told["picture"]) as picture:
        assert picture.width > 2 * picture.height * 0.8  # both polarities
    assert Path(told["picture"]) == Path("case/readings.png")


def test_the_next_command_is_told_as_a_shell_here_finds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a virtual environment that is not activated, the name alone is not found."""
    program = tmp_path / "bin" / "prostreg"
    program.parent.mkdir()
    program.write_text("")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "argv", [str(program)])
    monkeypatch.setattr("shutil.which", lambda name: None)
    written("--preset", "9 inch")
    assert f"Register it with: {program} register" in capsys.readouterr().out
    monkeypatch.setattr("shutil.which", lambda name: str(program))
    written("--preset", "9 inch")
    assert "Register it with: prostreg register" in capsys.readouterr().out


def test_the_next_command_holds_a_path_with_a_space(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["case", *TOLD, "--preset", "9 inch", "--out", "left hip"]) == 0
    told = capsys.readouterr().out.partition("Register it with: ")[2].strip()
    if sys.platform == "win32":
        assert '"left hip' in told
    else:
        assert shlex.split(told)[1:] == ["register", "left hip/case.json", "--out", "DIR"]


def test_what_is_read_is_not_replaced(capsys: pytest.CaptureFixture[str]) -> None:
    Path("case").mkdir()
    words = ["--ct", "ct.nii.gz", "--camera", "case/case.json"]
    Path("case/case.json").write_bytes(Path("camera.json").read_bytes())
    before = Path("case/case.json").read_bytes()
    assert main(["case", *words, "--xray", "hip left.tif", "--out", "case", "--json"]) == 2
    assert "which is read" in capsys.readouterr().out
    assert Path("case/case.json").read_bytes() == before


@pytest.mark.parametrize("given", ["ct.nrrd", "pose.txt.nrrd", "xray.nrrd", "labels.nrrd"])
def test_a_drr_and_a_simulated_image_replace_nothing_that_they_are_made_of(
    given: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, source in (("ct", "ct.nii.gz"), ("labels", "labels.nii.gz"), ("xray", "hip left.tif")):
        sitk.WriteImage(sitk.ReadImage(source), f"{name}.nrrd")
    np.savetxt("pose.txt.nrrd", POSE)
    told = ["--ct", "ct.nrrd", "--xray", "xray.nrrd", "--labels", "labels.nrrd", "--values", "25"]
    assert main(["case", *told, "--camera", "camera.json", "--out", "case"]) == 0
    before = Path(given).read_bytes()
    assert main(["drr", "case", "--pose", "pose.txt.nrrd", "--out", given]) == 2
    simulated = ["ct.nrrd", "--camera", "camera.json", "--pose", "pose.txt.nrrd", "--labels", "labels.nrrd"]
    if given != "xray.nrrd":
        assert main(["simulate", *simulated, "--femora", "25", "--out", given]) == 2
    assert "which is read" in capsys.readouterr().err
    assert Path(given).read_bytes() == before


def test_a_result_replaces_no_file_of_its_case(capsys: pytest.CaptureFixture[str]) -> None:
    Path("hip").mkdir()
    image = Path("hip/drr.nrrd")
    sitk.WriteImage(sitk.ReadImage("hip left.tif"), str(image))
    before = image.read_bytes()
    told = ["--ct", "ct.nii.gz", "--xray", str(image), "--camera", "camera.json", "--name", "hip"]
    assert main(["register", *told, "--out", "."]) == 2
    assert "which is read" in capsys.readouterr().err
    assert image.read_bytes() == before
