"""Configurations and lists of patients: all faults at once, and the shipped ones can be read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from prostreg.errors import InputError
from prostreg.files import sha256_of
from prostreg.people.atlas import SUBJECTS
from prostreg.prost.networks import make_network
from prostreg.training.config import read_training_config
from prostreg.training.config_files import CONFIGS_FOLDER, config_file, config_names
from prostreg.training.patients import check_contents, read_patient, read_patient_list

WriteTraining = Callable[..., Path]


def test_every_configuration_that_comes_along_fits_its_network_and_its_patients() -> None:
    assert {"prost-light", "prost-cnn", "prost-crossvit", "smoke"} <= set(config_names())
    for name in config_names():
        config = read_training_config(config_file(name))
        assert make_network(config.network, config.options).image_size in (32, 64, 128)
        listed = json.loads((CONFIGS_FOLDER / config.patients).read_text(encoding="utf-8"))["patients"]
        assert {"training", "validation"} <= {entry["use"] for entry in listed}
        assert all(entry["origin"] and entry["licence"] for entry in listed)


def test_no_scan_is_both_trained_on_and_held_out() -> None:
    listed = json.loads((CONFIGS_FOLDER / "prost-light-patients.json").read_text(encoding="utf-8"))["patients"]
    volumes = {use: {entry["sha256"] for entry in listed if entry["use"] == use} for use in ("training", "validation")}
    assert not volumes["training"] & volumes["validation"]


HELD_OUT = {"2007_5028", "2008_0019", "2008_1342", "2008_2571"}
"""People of the atlas on whom registrations are measured."""


def test_nobody_who_is_measured_on_is_drawn_from() -> None:
    listed = json.loads((CONFIGS_FOLDER / "prost-light-population-patients.json").read_text(encoding="utf-8"))[
        "patients"
    ]
    drawn_from = [set(entry["people"]["of"]) for entry in listed if "people" in entry]
    assert drawn_from == [set(SUBJECTS) - HELD_OUT] * 2
    measured = {entry["name"] for entry in listed if entry["use"] == "measurement"}
    assert measured == HELD_OUT | {"visible-human-male", "pelvis-lumbar"}
    scans = {entry["ct"] for entry in listed if entry["use"] != "measurement" and "people" not in entry}
    assert not any("pelvis_lumbar" in scan for scan in scans)


def test_an_unknown_name_lists_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"prost-light.*smoke"):
        config_file("prost-lite")
    file = tmp_path / "mine.json"
    file.write_text("{}", encoding="utf-8")
    assert config_file(str(file)) == file


def test_what_is_left_out_has_a_default(write_training: WriteTraining, tmp_path: Path) -> None:
    config = read_training_config(write_training(tmp_path))
    assert (config.loss, config.clip, config.weight_decay, config.precision) == ("whitened", 5.0, 1e-3, "32-true")
    np.testing.assert_allclose(config.scene.spread, [*np.deg2rad([20, 20, 20]), 30, 30, 60])


def test_all_faults_of_a_configuration_come_at_once(write_training: WriteTraining, tmp_path: Path) -> None:
    file = write_training(tmp_path, batch=0, loss="absolute", precision="16", seed=-1, stepps=3, learning_rate="fast")
    content = json.loads(file.read_text(encoding="utf-8"))
    content["network"]["name"] = "prost-lite"
    content["scene"]["sdd_mm"] = [1100, 1000]
    content["scene"]["starts"]["depth_mm"] = {"uniform": [-5, 5]}
    content["scene"]["simulator"] = "murky"
    del content["augmentation"]["gamma"]
    del content["steps"]
    file.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_training_config(file)
    told = "\n".join(caught.value.faults)
    for word in ('"batch"', '"loss"', '"precision"', '"seed"', '"stepps"', '"learning_rate"', '"name"', '"sdd_mm"'):
        assert word in told
    for word in ('"starts" must be normal', "murky", 'lacks "gamma"', 'lacks "steps"'):
        assert word in told


@pytest.mark.parametrize("content", ["", "[1, 2", "[" * 100_000, "[]"])
def test_a_configuration_that_is_no_object(tmp_path: Path, content: str) -> None:
    file = tmp_path / "config.json"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(InputError):
        read_training_config(file)
    with pytest.raises(InputError):
        read_patient_list(file)


def entry(**changes: Any) -> dict[str, Any]:
    return {"name": "anna", "ct": "anna.nii.gz", "origin": "a study", "licence": "CC0", **changes}


def test_all_faults_of_a_list_of_patients_come_at_once(tmp_path: Path) -> None:
    entries = [
        entry(),
        entry(ct="berta.nii.gz", labels="labels.nii.gz"),
        entry(name="c/d", use="testing", sex="female", mirrored="yes"),
        {"name": "dora"},
    ]
    file = tmp_path / "patients.json"
    file.write_text(json.dumps({"patients": entries, "note": "none"}), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_patient_list(file, [tmp_path / "data"])
    told = caught.value.faults
    assert len(told) == len(set(told))
    text = "\n".join(told)
    for word in (
        '"anna" occurs twice',
        "anna.nii.gz",
        "berta.nii.gz",
        "labels.nii.gz",
        '"c/d"',
        '"mirrored"',
        "'testing'",
        '"sex"',
    ):
        assert word in text
    for word in ('lacks "ct"', 'lacks "origin"', 'lacks "licence"', 'no "values"', "none for validation", '"note"'):
        assert word in text
    assert str(tmp_path / "data") in text
    assert "It comes from: a study" in text


def test_faults_of_people_who_are_drawn(tmp_path: Path) -> None:
    (tmp_path / "anna.whl").touch()
    faulty = [
        entry(ct="anna.whl", people={"of": ["2007_4987", "2008_0006", "1999_0001"], "number": 2}, values=[25]),
        entry(ct="anna.whl", people={"of": ["2007_4987", "2008_0006"], "number": 0}),
    ]
    file = tmp_path / "patients.json"
    file.write_text(json.dumps({"patients": faulty}), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_patient_list(file, [tmp_path])
    text = "\n".join(caught.value.faults)
    for word in ('"of"', '"number"', 'has "people" and no "values"', "2 names: give 3 or more"):
        assert word in text


def test_files_are_found_in_the_first_folder_that_has_them(write_training: WriteTraining, tmp_path: Path) -> None:
    write_training(tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    (other / "one.nii.gz").write_bytes((tmp_path / "two.nii.gz").read_bytes())
    found = read_patient_list(tmp_path / "smoke-patients.json", [tmp_path / "missing", other])
    assert [entry.ct for entry in found] == [other / "one.nii.gz", tmp_path / "two.nii.gz"]


def test_another_file_of_the_same_name_is_refused(write_training: WriteTraining, tmp_path: Path) -> None:
    write_training(tmp_path)
    file = tmp_path / "smoke-patients.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    content["patients"][0]["sha256"] = sha256_of(tmp_path / "one.nii.gz")
    file.write_text(json.dumps(content), encoding="utf-8")
    check_contents(read_patient_list(file))
    content["patients"][1]["sha256"] = "0" * 64
    file.write_text(json.dumps(content), encoding="utf-8")
    entries = read_patient_list(file)
    with pytest.raises(InputError, match=r"two\.nii\.gz is another file"):
        check_contents(entries)
    with pytest.raises(InputError, match=r"two\.nii\.gz is another file"):
        read_patient(entries[1])


def test_a_mirrored_patient_is_the_mirror_image_in_the_same_grid(write_training: WriteTraining, tmp_path: Path) -> None:
    write_training(tmp_path)
    file = tmp_path / "smoke-patients.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    content["patients"].append({**content["patients"][0], "name": "mirrored", "mirrored": True})
    file.write_text(json.dumps(content), encoding="utf-8")
    plain, _, mirrored = (read_patient(entry) for entry in read_patient_list(file))
    np.testing.assert_array_equal(mirrored.ct.values, plain.ct.values[:, :, ::-1])
    np.testing.assert_array_equal(mirrored.anatomy, plain.anatomy[:, :, ::-1])
    np.testing.assert_array_equal(mirrored.ct.volume_from_index, plain.ct.volume_from_index)
    assert plain.anatomy.sum() > 100
