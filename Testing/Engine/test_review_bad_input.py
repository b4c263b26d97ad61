"""One fault hides no other, and a blocked place for results is known before the work begins."""

import json

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from prostreg.cli.main import main

START = [[1, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 700], [0, 0, 0, 1]]


@pytest.fixture
def case(tmp_path):
    """A usable case with one labelled bone, in ``tmp_path / "case"``."""
    folder = tmp_path / "case"
    folder.mkdir()
    hu = np.full((10, 12, 14), -1000, np.int16)
    hu[3:8, 3:9, 3:10] = 600
    labels = (hu > 0).astype(np.uint8)
    sitk.WriteImage(sitk.GetImageFromArray(hu), str(folder / "ct.nrrd"))
    sitk.WriteImage(sitk.GetImageFromArray(labels), str(folder / "labels.nrrd"))
    v, u = np.mgrid[:48, :64]
    xray = (60000 * np.exp(-1.5 * np.exp(-((u - 31) ** 2 + (v - 20) ** 2) / 150))).astype(np.uint16)
    sitk.WriteImage(sitk.GetImageFromArray(xray), str(folder / "xray.tif"))
    camera = {"K": [[800, 0, 31.5], [0, 800, 23.5], [0, 0, 1]], "size": [64, 48]}
    return folder, {
        "name": "one",
        "ct": "ct.nrrd",
        "anatomy": {"labels": "labels.nrrd", "values": [1]},
        "views": [{"image": "xray.tif", "camera": camera}],
        "initial": {"world_from_volume": START},
    }


def faults_of(folder, content, out, capsys):
    (folder / "case.json").write_text(json.dumps(content))
    assert main(["register", str(folder), "--out", str(out), "--json"]) == 2
    return json.loads(capsys.readouterr().out)["error"]["faults"]


def test_a_damaged_ct_hides_no_wrong_label_values(case, tmp_path, capsys):
    folder, content = case
    (folder / "ct.nrrd").write_bytes(b"damaged")
    content["anatomy"]["values"] = [99]
    faults = faults_of(folder, content, tmp_path / "out", capsys)
    assert len(faults) == 2
    assert "ct.nrrd cannot be read" in faults[0]
    assert "value of the anatomy (99)" in faults[1]
    assert not (tmp_path / "out").exists()


def test_a_wrong_focal_length_hides_no_wrong_size(case, tmp_path, capsys):
    folder, content = case
    content["views"][0]["camera"] |= {"K": [[-800, 0, 31.5], [0, 800, 23.5], [0, 0, 1]], "size": [48, 64]}
    faults = faults_of(folder, content, tmp_path / "out", capsys)
    assert len(faults) == 2
    assert "focal length fx is -800" in faults[0]
    assert "64 x 48 pixels, but its camera says 48 x 64" in faults[1]


def test_a_file_in_the_place_of_a_result_folder(case, tmp_path, capsys):
    folder, content = case
    out = tmp_path / "out"
    out.mkdir()
    (out / "one").write_text("mine")
    (fault,) = faults_of(folder, content, out, capsys)
    assert f"{out / 'one'} is a file" in fault
    assert (out / "one").read_text() == "mine"
    assert [path.name for path in out.iterdir()] == ["one"]


@pytest.mark.parametrize(
    ("place", "value", "fault"),
    [
        ((), {"name": "x" * 300}, "name has 300 characters"),
        ((), {"ct": "x" * 5000 + ".nii"}, "cannot be read (File name too long)"),
        (("anatomy",), {"values": [10**30]}, "whole numbers"),
        (("views", 0, "camera"), {"size": [10**400, 48]}, "two whole numbers"),
        (("views", 0, "camera"), {"K": [[10**400, 0, 31], [0, 800, 23], [0, 0, 1]]}, "K contains NaN or infinity"),
        (("initial",), {"world_from_volume": [[10**400, 0, 0, 0], *START[1:]]}, "contains NaN or infinity"),
    ],
)
def test_what_is_too_large_is_a_fault_and_no_defect(case, tmp_path, capsys, place, value, fault):
    folder, content = case
    entry = content
    for key in place:
        entry = entry[key]
    entry |= value
    (found,) = faults_of(folder, content, tmp_path / "out", capsys)
    assert fault in found


def test_a_case_file_of_brackets_only(tmp_path, capsys):
    (tmp_path / "case.json").write_text("[" * 100_000)
    assert main(["register", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert "nested without end" in capsys.readouterr().err
