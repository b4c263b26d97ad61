"""Adapting to one patient: what is kept is found again for this CT, is no worse than before, and is for nobody else."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
import torch
from PhantomImages import FINEST_MM, the_phantom

from prostreg.cli.main import main
from prostreg.errors import Stopped
from prostreg.geometry.carm import CArm
from prostreg.geometry.chart import PoseChart
from prostreg.geometry.standard_views import MAIN_VIEWS, nearest_standard_view, standard_view
from prostreg.images.xray import XRay
from prostreg.prost.card import Card, DataSource, Training
from prostreg.prost.light import ProSTLight
from prostreg.prost.model import LearnedModel, configuration_of_model, load_model
from prostreg.prost.weight_cache import adapted_path, find_adapted, patient_of
from prostreg.prost.weights import save_weights
from prostreg.registration.case import Case, View
from prostreg.registration.start import anatomy_centre_mm, anatomy_points_mm
from prostreg.simulation.fluoroscopy import FluoroscopySimulator
from prostreg.simulation.presets import preset
from prostreg.training import adaptation
from prostreg.training.adaptation import adapt_case
from prostreg.training.config import TrainingConfig
from prostreg.training.patient_scene import adaptation_config
from prostreg.worker import adapting

SIZE = 32
SPREAD = np.array([*np.deg2rad([20.0] * 3), 30.0, 30.0, 60.0])


@pytest.fixture(scope="module")
def patient() -> Case:
    phantom = the_phantom()
    return Case("phantom", phantom.ct, phantom.labels.values > 0)


@pytest.fixture
def model(tmp_path: Path) -> LearnedModel:
    """A small network that knows nothing, read from a file as users' are."""
    torch.manual_seed(3)
    source = (DataSource("phantom", "computed", "none"),)
    card = Card(
        title="untrained",
        training_data=source,
        held_out_data=source,
        configuration=configuration_of_model(SPREAD, np.ones(6), {}),
        commit="none",
        training=Training(0, 0.0, "cpu", ()),
        results={"arrived": 0},
        intended_use="tests",
        not_for="patients",
        licence="none",
    )
    path = tmp_path / "untrained.safetensors"
    save_weights(path, ProSTLight(image_size=SIZE), "prost-light", {"image_size": SIZE}, card)
    return load_model(path)


def quick(config: TrainingConfig) -> TrainingConfig:
    """Few images without noise, so that a test is done in seconds."""
    scene = replace(config.scene, simulator=preset("clean"))
    return replace(config, scene=scene, xrays_per_patient=8, validation_xrays=3, batch=4)


@pytest.fixture
def few_xrays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adaptation, "adaptation_config", lambda *given: quick(adaptation_config(*given)))
    monkeypatch.setattr(adaptation, "FluoroscopySimulator", partial(FluoroscopySimulator, finest_mm=FINEST_MM))


def test_adapted_weights_are_found_for_this_patient_and_are_no_worse(patient, model, few_xrays, tmp_path, monkeypatch):
    monkeypatch.setenv("PROSTREG_CACHE", str(tmp_path))
    original = {name: value.clone() for name, value in model.network.state_dict().items()}
    told = []
    path = adapted_path(patient.ct, patient.anatomy)
    done = adapt_case(patient, model, 0.15, 1, path, told.append)
    assert find_adapted(patient.ct, patient.anatomy) == path
    assert done.steps > 0
    before, after = done.before, done.after
    assert (after.arrived, -after.after) >= (before.arrived, -before.after)
    adapted = load_model(path)
    assert adapted.card.made_for == patient_of(patient.ct, patient.anatomy)
    np.testing.assert_allclose(adapted.residual, after.residual)
    for name, value in model.network.state_dict().items():
        torch.testing.assert_close(value, original[name], rtol=0, atol=0)
    assert {progress.stage for progress in told} == {"simulate", "learn", "validate"}
    assert [progress.fraction for progress in told] == sorted(progress.fraction for progress in told)


def test_the_worker_tells_what_came_of_it_and_finds_it_again(patient, model, few_xrays, tmp_path, monkeypatch):
    """With a small network and few X-rays in place of the shipped one's."""
    monkeypatch.setenv("PROSTREG_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(adapting, "shipped_weights", lambda: tmp_path / "untrained.safetensors")
    told = []
    done = adapting.adapt_to_patient(patient, 0.05, 1, told.append, lambda: False)
    found = adapting.adapted_state(patient.ct, patient.anatomy)
    assert found["exists"]
    for key in ("weights", "title", "steps"):
        assert found[key] == done[key]
    assert found["title"].endswith("adapted to phantom")
    assert found["minutes"] == pytest.approx(done["seconds"] / 60, abs=0.01)
    assert found["arrived_before"] == done["before"]["arrived"]
    assert found["arrived_after"] == done["after"]["arrived"]
    assert told[-1].seconds_left >= 0
    assert not adapting.adapted_state(patient.ct, ~patient.anatomy)["exists"]


def test_a_cancelled_adaptation_writes_nothing_and_leaves_the_network_as_it_was(patient, model, few_xrays, tmp_path):
    original = {name: value.clone() for name, value in model.network.state_dict().items()}
    stages = []

    def cancelled() -> bool:
        return stages[-1:] == ["learn"]

    path = tmp_path / "never" / "adapted.safetensors"
    with pytest.raises(Stopped):
        adapt_case(patient, model, 5.0, 1, path, lambda progress: stages.append(progress.stage), cancelled)
    assert not path.parent.exists()
    for name, value in model.network.state_dict().items():
        torch.testing.assert_close(value, original[name], rtol=0, atol=0)


@pytest.mark.parametrize("view", MAIN_VIEWS)
def test_the_standard_view_nearest_to_a_pose_is_recognised(view):
    centre_mm = np.array([10.0, 20.0, 30.0])
    chart = PoseChart(standard_view(view, centre_mm, 600.0), np.eye(4), centre_mm)
    assert nearest_standard_view(chart.world_from_volume_at([0.4, -0.4, 0.3, 20, 30, 40])[0]) == view


def test_x_rays_are_simulated_as_this_c_arm_will_see_this_patient(patient, model):
    carm = CArm.from_sdd(1100.0, (1.5, 1.5), (200, 160))
    xray = XRay(np.zeros((160, 200), np.float32), np.ones((160, 200), bool))
    centre_mm = anatomy_centre_mm(anatomy_points_mm(patient))
    start = standard_view("left lateral", centre_mm, 770.0)
    scene = adaptation_config(
        replace(patient, views=(View(xray, carm),), initial_world_from_volume=start), model, seed=0
    ).scene
    assert scene.view == "left lateral"
    assert scene.sdd_mm == pytest.approx((1100.0, 1100.0))
    assert scene.field_mm == pytest.approx((300.0, 300.0))
    assert scene.isocentre_share == pytest.approx((0.65, 0.75))
    np.testing.assert_allclose(scene.spread, model.spread)


def test_all_that_is_wrong_is_said_at_once_and_nothing_is_written(tmp_path, capsys):
    weights = tmp_path / "other.safetensors"
    weights.write_bytes(b"no weights")
    arguments = [
        "adapt",
        str(tmp_path / "no.json"),
        "--weights",
        str(weights),
        "--out",
        str(tmp_path / "x.pt"),
        "--json",
    ]
    assert main(arguments) == 2
    printed = capsys.readouterr()
    faults = json.loads(printed.out)["error"]["faults"]
    assert len(faults) == 3
    for words in ("x.pt", "no.json", "other.safetensors"):
        assert any(words in fault for fault in faults)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other.safetensors"]


def test_a_card_replaces_no_other_file(patient, model, tmp_path, capsys):
    case = tmp_path / "case.json"
    case.write_text('{"name": "mine"}')
    arguments = ["adapt", str(case), "--out", str(tmp_path / "case.safetensors"), "--json"]
    assert main([*arguments, "--weights", str(tmp_path / "untrained.safetensors")]) == 2
    faults = json.loads(capsys.readouterr().out)["error"]["faults"]
    assert any("would replace" in fault and "case.json" in fault for fault in faults)
    assert case.read_text() == '{"name": "mine"}'


def test_a_folder_that_cannot_be_is_named_before_the_work(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(["adapt", str(tmp_path / "no.json"), "--out", str(tmp_path / "file" / "x.safetensors")]) == 2
    assert "cannot be made" in capsys.readouterr().err
    (tmp_path / "folder.safetensors").mkdir()
    assert main(["adapt", str(tmp_path / "no.json"), "--out", str(tmp_path / "folder.safetensors")]) == 2
    assert "which is a folder: give the name of a file" in capsys.readouterr().err


def test_a_case_may_have_no_x_rays_yet(patient, model, few_xrays, tmp_path, capsys):
    for name, values in (("ct", patient.ct.values), ("labels", patient.anatomy.astype(np.uint8))):
        image = sitk.GetImageFromArray(values)
        image.SetSpacing([float(s) for s in patient.ct.spacing_mm])
        sitk.WriteImage(image, str(tmp_path / f"{name}.nii.gz"))
    case = {"name": "early", "ct": "ct.nii.gz", "anatomy": {"labels": "labels.nii.gz", "values": [1]}}
    (tmp_path / "case.json").write_text(json.dumps(case))
    out = tmp_path / "adapted.safetensors"
    weights = tmp_path / "untrained.safetensors"
    arguments = ["adapt", str(tmp_path), "--weights", str(weights), "--out", str(out), "--minutes", "0.02", "--json"]
    assert main(arguments) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["weights"] == str(out)
    assert report["title"] == "untrained, adapted to early"
    assert load_model(out).card.kind == "adapted"
