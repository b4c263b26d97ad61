"""prostreg simulate: images of every format, equal seeds, and all faults at once."""

import json
import subprocess
import sys

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from PIL import Image

from DicomFiles import write_ct
from prostreg.cli.main import main
from prostreg.geometry.standard_views import standard_view
from prostreg.images.reading import read_ct
from prostreg.images.xray_reading import read_xray_image

CAMERA = {"K": [[500, 0, 47.5], [0, 500, 39.5], [0, 0, 1]], "size": [96, 80], "spacing_mm": [2.0, 2.0]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A body with a bone, labels for it, a camera, a case that holds the camera, and a pose."""
    folder = tmp_path_factory.mktemp("simulate")
    hu = np.full((30, 30, 30), -1000, dtype=np.int16)
    hu[:, 6:24, 4:26] = 40
    hu[:, 12:18, 12:18] = 600
    for name, values in (("ct.nii.gz", hu), ("labels.nii.gz", (hu > 300).astype(np.uint8) * 75)):
        image = sitk.GetImageFromArray(values)
        image.SetSpacing((5.0, 5.0, 5.0))
        image.SetOrigin((-72.5, -72.5, -72.5))
        sitk.WriteImage(image, str(folder / name))
    (folder / "camera.json").write_text(json.dumps(CAMERA))
    (folder / "case.json").write_text(json.dumps({"views": [{"camera": {}}, {"image": "later.tif", "camera": CAMERA}]}))
    np.savetxt(folder / "pose.txt", standard_view("AP", (0, 0, 0), 600.0))
    return folder


def arguments(folder, out, **changes):
    given = {"camera": folder / "camera.json", "pose": folder / "pose.txt", "out": out, "preset": "hard", **changes}
    words = ["simulate", str(folder / "ct.nii.gz")]
    for name, value in given.items():
        words += [f"--{name}", *(str(v) for v in (value if isinstance(value, list) else [value]))]
    return words


def test_it_runs_as_a_user_runs_it(folder, tmp_path):
    words = arguments(folder, tmp_path / "new" / "xray.tif", seed=4, labels=folder / "labels.nii.gz", femora=[75])
    outcome = subprocess.run(
        [sys.executable, "-m", "prostreg", *words, "--json"], capture_output=True, text=True, check=False
    )
    assert outcome.returncode == 0, outcome.stderr
    answer = json.loads(outcome.stdout)
    assert answer["size"] == [96, 80]
    assert answer["polarity"] in ("bone-dark", "bone-bright")
    assert answer["settings"]["instruments"] == [0, 5]
    assert "arning" not in outcome.stderr
    assert read_xray_image(tmp_path / "new" / "xray.tif").pixels.shape == (80, 96)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["xray.tif"]


def test_formats_hold_the_same_pixels_and_seeds_differ(folder, tmp_path):
    images = []
    for name, seed in (("a.tif", 1), ("a.mha", 1), ("a.nrrd", 1), ("a.png", 1), ("b.mha", 2)):
        assert main(arguments(folder, tmp_path / name, seed=seed)) == 0
        if name.endswith("png"):
            with Image.open(tmp_path / name) as picture:
                images.append(np.array(picture))
        else:
            images.append(sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / name))))
    for image in images[1:4]:
        np.testing.assert_array_equal(image, images[0])
    assert not np.array_equal(images[4], images[0])
    assert sitk.ReadImage(str(tmp_path / "a.mha")).GetSpacing() == (2.0, 2.0)


def test_a_case_gives_its_camera_and_a_file_its_settings(folder, tmp_path, capsys):
    (tmp_path / "settings.json").write_text('{"log_share": 1, "inverted_share": 0, "eight_bit_share": 1}')
    words = arguments(
        folder, tmp_path / "x.png", camera=folder / "case.json", view=2, settings=tmp_path / "settings.json"
    )
    assert main([*words, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["polarity"] == "bone-bright"
    assert answer["settings"]["collimation_share"] == 0.5
    with Image.open(tmp_path / "x.png") as picture:
        assert (picture.size, picture.mode) == ((96, 80), "L")


def test_every_fault_is_listed_and_nothing_written(folder, tmp_path, capsys):
    (tmp_path / "pose.txt").write_text("2 0 0 0\n0 1 0 0\n0 0 1 0\n0 0 0 1")
    (tmp_path / "settings.json").write_text('{"haze": 1, "gamma": [3, 1]}')
    (tmp_path / "camera.json").write_text('{"K": [[1]], "colour": "red"}')
    words = arguments(
        folder, tmp_path / "out" / "x.docx", pose=tmp_path / "pose.txt", settings=tmp_path / "settings.json",
        camera=tmp_path / "camera.json", labels=folder / "labels.nii.gz", femora=[76],
    )  # fmt: skip
    words[1] = str(tmp_path / "none.nii.gz")
    assert main([*words, "--json"]) == 2
    printed = capsys.readouterr()
    expected = ("no known ending", "none.nii.gz", "not rigid", 'key "haze"', '"gamma"', 'lacks "size"', "colour")
    for words_of_fault in expected:
        assert words_of_fault in printed.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"femora": [75]}, "belong together"),
        ({"camera": "case.json", "view": 1}, 'lacks "K" and "size"'),
        ({"camera": "case.json", "view": 3}, "no view 3"),
        ({"camera": "none.json"}, "camera file"),
        ({"labels": "labels.nii.gz", "femora": [75, 3]}, "(3)"),
    ],
)
def test_what_does_not_fit_is_said(folder, tmp_path, capsys, changes, words):
    files = {name: folder / value if isinstance(value, str) else value for name, value in changes.items()}
    assert main(arguments(folder, tmp_path / "x.tif", **files)) == 2
    assert words in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", ["simulate", "drr"])
def test_what_is_odd_about_the_ct_is_said(folder, tmp_path, capsys, command):
    for number, pixels in enumerate(np.random.default_rng(5).integers(0, 1500, (4, 16, 16)).astype(np.uint16)):
        write_ct(tmp_path / "ct" / f"{number}", pixels, [0, 0, 2.0 * number], Modality="OT")
    sitk.WriteImage(sitk.GetImageFromArray(np.arange(96 * 80, dtype=np.uint16).reshape(80, 96)), tmp_path / "xray.tif")
    content = {"name": "odd", "ct": "ct", "views": [{"image": "xray.tif", "camera": CAMERA}]}
    case = tmp_path / "case.json"
    case.write_text(json.dumps(content))
    given = {"simulate": [tmp_path / "ct", "--camera", case], "drr": [case]}[command]
    pose = standard_view("AP", tuple(read_ct(tmp_path / "ct").centre_mm), 600.0)
    np.savetxt(tmp_path / "pose.txt", pose)
    words = [command, *given, "--pose", tmp_path / "pose.txt", "--out", tmp_path / "out.tif"]
    assert main([str(word) for word in words]) == 0, capsys.readouterr()
    assert "Note: The slices in ct are stored as OT and not as CT" in capsys.readouterr().err
