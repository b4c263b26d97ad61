"""result.json and the files beside it: complete or absent."""

import errno
import json
import os

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from prostreg.errors import InputError
from prostreg.files import output_folder_faults
from prostreg.images.image_file import write_with_spacing
from prostreg.outputs.result_file import (
    drr_file_names,
    remove_result,
    result_folder_faults,
    result_to_dict,
    write_result_json,
    write_together,
)
from prostreg.registration.result import Result, StageReport


@pytest.fixture
def result():
    return Result(
        name="knee-ä",
        status="uncertain",
        confidence=0.4,
        world_from_volume=np.eye(4),
        camera_from_volume=(np.eye(4), np.diag([-1.0, 1, -1, 1])),
        stages=(StageReport("cmaes", 3800, 1.25, float("nan"), 4),),
        seconds=2.1,
        device="cpu",
        projector="fused-cpu",
        mtre_mm=None,
        config={"restarts": np.int64(3), "levels": (8, 4)},
        versions={"prostreg": "0.1.0"},
        warnings=("one thing",),
        stopped="time limit",
    )


def test_result_json_has_every_entry_of_the_contract(tmp_path, result):
    write_result_json(tmp_path / "result.json", result)
    content = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))
    assert content["name"] == "knee-ä"
    assert content["camera_from_volume"][1][0] == [-1, 0, 0, 0]
    assert content["stages"] == [
        {"name": "cmaes", "evaluations": 3800, "seconds": 1.25, "score": None, "starts": 4},
    ]
    assert content["mtre_mm"] is None
    assert content["config"] == {"restarts": 3, "levels": [8, 4]}
    assert content["stopped"] == "time limit"
    assert content["warnings"] == ["one thing"]
    assert set(content) >= {"status", "confidence", "world_from_volume", "seconds", "device", "projector", "versions"}


def test_the_dictionary_is_strict_json(result):
    json.dumps(result_to_dict(result), allow_nan=False)


def test_a_drr_keeps_values_and_spacing(tmp_path):
    drr = np.random.default_rng(0).random((5, 7)).astype(np.float32)
    write_with_spacing(tmp_path / "drr.nrrd", drr, (0.2, 0.3), is_compressed=True)
    image = sitk.ReadImage(str(tmp_path / "drr.nrrd"))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), drr)
    assert image.GetSpacing() == pytest.approx((0.2, 0.3))


@pytest.mark.parametrize("name", ["größe.nrrd", os.fsdecode(b"caf\xe9.nrrd"), "a b.nrrd"])
def test_an_image_can_have_any_name_that_the_system_knows(tmp_path, name):
    try:
        (tmp_path / name).touch()
    except OSError:
        pytest.skip("this system does not know the name")
    write_with_spacing(tmp_path / name, np.ones((3, 4), dtype=np.float32), (1.0, 1.0))
    assert (tmp_path / name).read_bytes().startswith(b"NRRD")
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_drr_names():
    assert drr_file_names(3) == ["drr.nrrd", "drr_2.nrrd", "drr_3.nrrd"]


def test_a_crash_leaves_nothing(tmp_path):
    def crash(folder):
        (folder / "drr.nrrd").write_text("half")
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        write_together(tmp_path / "out" / "case", crash)
    assert list((tmp_path / "out").iterdir()) == []


def test_older_outputs_are_replaced_and_other_files_left_alone(tmp_path):
    folder = tmp_path / "case"
    folder.mkdir()
    for name in ("result.json", "drr.nrrd", "drr_2.nrrd", "notes.txt"):
        (folder / name).write_text("old")

    def write(scratch):
        (scratch / "result.json").write_text("new")
        (scratch / "drr.nrrd").write_text("new")

    write_together(folder, write)
    assert {file.name: file.read_text() for file in folder.iterdir()} == {
        "result.json": "new",
        "drr.nrrd": "new",
        "notes.txt": "old",
    }


def write_result(scratch):
    (scratch / "result.json").write_text("new")


def test_a_users_files_are_nobodys_to_remove(tmp_path):
    folder = tmp_path / "case"
    folder.mkdir()
    mine = ("drr_mine.nrrd", "drr_old.nrrd", "drr_02.nrrd", "drr.nrrd.bak")
    for name in ("result.json", *mine):
        (folder / name).write_text("old")
    write_together(folder, write_result)
    assert all((folder / name).read_text() == "old" for name in mine)
    (folder / "result.json").unlink()
    (folder / "drr_2.nrrd").write_text("not from here: there is no result")
    write_together(folder, write_result)
    assert (folder / "drr_2.nrrd").exists()


OF_ONE_BODY = ("result.json", "overlay.png", "report.html", "registration.dcm", "world_from_volume.tfm", "drr.nrrd")
OF_BONES = ("bones.json", "bones.png")


@pytest.mark.parametrize(("old", "new"), [(OF_ONE_BODY, OF_BONES), (OF_BONES, OF_ONE_BODY)])
def test_one_body_and_several_bones_leave_nothing_beside_each_other(tmp_path, old, new):
    folder = tmp_path / "case"
    folder.mkdir()
    for name in (*old, "notes.png"):
        (folder / name).write_text("old")

    def write(scratch):
        for name in new:
            (scratch / name).write_text("new")

    write_together(folder, write)
    assert {file.name: file.read_text() for file in folder.iterdir()} == {
        **dict.fromkeys(new, "new"),
        "notes.png": "old",
    }


def test_only_what_a_result_left_is_removed(tmp_path):
    folder = tmp_path / "femur"
    remove_result(folder)
    folder.mkdir()
    (folder / "overlay.png").write_text("a user's: there is no result")
    remove_result(folder)
    assert (folder / "overlay.png").exists()
    for name in OF_ONE_BODY:
        (folder / name).write_text("old")
    (folder / "notes.txt").write_text("mine")
    remove_result(folder)
    assert [file.name for file in folder.iterdir()] == ["notes.txt"]
    (folder / "notes.txt").rename(folder / "result.json")
    remove_result(folder)
    assert not folder.exists()


@pytest.mark.parametrize("name", ["result.json", "overlay.png", "drr.nrrd", "drr_2.nrrd", "world_from_volume.tfm"])
def test_a_folder_in_a_results_place_is_found_before_and_costs_no_older_result(tmp_path, name):
    folder = tmp_path / "case"
    (folder / name).mkdir(parents=True)
    old = folder / ("drr.nrrd" if name == "result.json" else "result.json")
    old.write_text("old")
    assert name in result_folder_faults(folder, "Try X.")[0]
    assert result_folder_faults(folder, "Try X.")[0].endswith("Try X.")

    def write(scratch):
        for other in {name, "drr.nrrd", "result.json"}:
            (scratch / other).write_text("new")

    with pytest.raises(InputError, match=name):
        write_together(folder, write)
    assert old.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["case"]


def test_a_full_disk_is_told_in_words_and_leaves_the_older_result(tmp_path):
    (tmp_path / "case").mkdir()
    (tmp_path / "case" / "result.json").write_text("old")

    def fill(scratch):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(InputError, match="make room on the disk"):
        write_together(tmp_path / "case", fill)
    assert (tmp_path / "case" / "result.json").read_text() == "old"


def test_links_to_nowhere_and_endless_names_are_no_output_folders(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    assert "a link to nowhere" in output_folder_faults(tmp_path / "link")[0]
    assert "File name too long" in output_folder_faults(tmp_path / ("x" * 300))[0]


def test_an_output_folder_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    assert "is a file" in output_folder_faults(tmp_path / "file" / "below")[0]
    assert "--out" not in output_folder_faults(tmp_path / "file" / "below")[0]
    assert output_folder_faults(tmp_path / "file" / "below", "Try X.")[0].endswith("Try X.")
    with pytest.raises(InputError, match="not writable"):
        write_together(tmp_path / "file" / "below", lambda folder: None)


def test_checking_a_folder_makes_nothing(tmp_path):
    assert output_folder_faults(tmp_path / "a" / "b") == []
    assert list(tmp_path.iterdir()) == []
