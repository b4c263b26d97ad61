"""A run without the command around it: stops, validations and checkpoints change nothing in what is learned."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from SyntheticPeople import write_people_wheel

from prostreg.errors import InputError
from prostreg.people import person
from prostreg.people.atlas import SUBJECTS
from prostreg.prost.networks import make_network
from prostreg.training.config import read_training_config
from prostreg.training.patients import read_patient_list, run_description
from prostreg.training.run import Execution, TrainingRun
from prostreg.training.run_folder import RunFolder
from prostreg.training.variants import Variant
from prostreg.training.xray_bank import XrayBank

WriteTraining = Callable[..., Path]


def new_run(file: Path, out: Path, say: Callable[[str], None] = lambda line: None) -> TrainingRun:
    config = read_training_config(file)
    torch.manual_seed(config.seed)
    network = make_network(config.network, config.options)
    entries = read_patient_list(file.parent / config.patients)
    return TrainingRun(network, config, entries, RunFolder(out, config.content), Execution(), say)


def after(run: TrainingRun, step: int) -> Callable[[], bool]:
    return lambda: run.step >= step


def test_neither_stops_nor_validations_change_what_batch_norms_and_dropout_learn(
    write_training: WriteTraining, tmp_path: Path
) -> None:
    changes = {
        "network": {"name": "prost-crossvit", "options": {"image_size": 32}}, "loss": "distance", "steps": 3,
        "batch": 2, "xrays_per_patient": 2, "validation_xrays": 1, "validate_every_steps": 100,
    }  # fmt: skip
    file = write_training(tmp_path, **changes)
    straight = new_run(file, tmp_path / "straight")
    assert straight.go_on(lambda: False)
    file = write_training(tmp_path, **{**changes, "validate_every_steps": 2})
    first = new_run(file, tmp_path / "stopped")
    assert not first.go_on(after(first, 2))
    assert first.validation is not None
    second = new_run(file, tmp_path / "stopped")
    assert second.go_on(lambda: False)
    expected = straight.network.state_dict()
    assert any("running_mean" in name for name in expected)
    for name, value in second.network.state_dict().items():
        assert torch.equal(value, expected[name]), name


def test_people_are_drawn_anew_and_a_stop_changes_nothing(
    write_training: WriteTraining, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(person, "SPACING_MM", 8.0)  # people of few voxels are drawn soon
    file = write_training(tmp_path, steps=4, renew_every_steps=2, validation_xrays=1, xrays_per_patient=2)
    wheel = write_people_wheel(tmp_path / "people.whl")
    listed = json.loads((tmp_path / "smoke-patients.json").read_text(encoding="utf-8"))["patients"]
    drawn = {"of": list(SUBJECTS[:5]), "number": 2}
    listed[0] = {**listed[0], "name": "person", "ct": wheel.name, "people": drawn, "values": [25, 77, 78]}
    (tmp_path / "smoke-patients.json").write_text(json.dumps({"patients": listed}), encoding="utf-8")
    straight = new_run(file, tmp_path / "straight")
    assert straight.go_on(lambda: False)
    xrays = [
        tmp_path / "straight/xrays" / renewal / name for renewal in "01" for name in ("person-1.npz", "person-2.npz")
    ]
    assert len({XrayBank.load(path).images.tobytes() for path in xrays}) == len(xrays)
    assert not (tmp_path / "straight/xrays/2").exists()  # nobody is drawn whom no step needs
    first = new_run(file, tmp_path / "stopped")
    assert not first.go_on(after(first, 3))
    assert first.step == 3
    second = new_run(file, tmp_path / "stopped")
    assert second.go_on(lambda: False)
    for name, value in second.network.state_dict().items():
        assert torch.equal(value, straight.network.state_dict()[name]), name


def test_a_stop_while_x_rays_are_simulated_keeps_those_that_are_done(
    write_training: WriteTraining, tmp_path: Path
) -> None:
    file, said = write_training(tmp_path, steps=1, validation_xrays=1, xrays_per_patient=1), list[str]()
    answers = iter([False, True])
    stopped = new_run(file, tmp_path / "out", said.append)
    assert not stopped.go_on(lambda: next(answers))
    assert (stopped.step, said) == (0, ["Simulating 1 X-rays of validation"])
    again = new_run(file, tmp_path / "out", said.append)
    assert again.go_on(lambda: False)
    assert [line for line in said if "Simulating" in line] == [
        "Simulating 1 X-rays of validation",
        "Simulating 1 X-rays of training",
    ]


def rows() -> Iterator[dict[str, float]]:
    for step in (20, 40, 60):
        yield {"step": step, "total": 1 / step}


def test_a_run_forgets_what_its_checkpoint_does_not_know_of(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path, {"steps": 60})
    for row in rows():
        folder.add_row("training.csv", row)
    folder.forget_after(40)
    assert [row["step"] for row in folder.rows("training.csv")] == ["20", "40"]
    folder.forget_after(0)
    assert folder.rows("training.csv") == []


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04" + bytes(100)])
def test_a_damaged_checkpoint_is_named(tmp_path: Path, content: bytes) -> None:
    folder = RunFolder(tmp_path, {})
    assert folder.load_checkpoint() is None
    (tmp_path / "checkpoint.pt").write_bytes(content)
    with pytest.raises(InputError, match="delete it to begin anew"):
        folder.load_checkpoint()


def test_a_folder_belongs_to_one_configuration(tmp_path: Path) -> None:
    RunFolder(tmp_path, {"steps": 1})
    RunFolder(tmp_path, {"steps": 1})
    with pytest.raises(InputError, match="another configuration"):
        RunFolder(tmp_path, {"steps": 2})
    assert [file.name for file in tmp_path.iterdir()] == ["config.json"]


def test_a_run_with_other_patients_is_another_run(write_training: WriteTraining, tmp_path: Path) -> None:
    file = write_training(tmp_path)
    config = read_training_config(file)
    entries = read_patient_list(file.parent / config.patients)
    description = run_description(config.content, entries)
    RunFolder(tmp_path / "run", description)
    RunFolder(tmp_path / "run", run_description(config.content, entries))
    turned = tuple(replace(entry, variant=Variant(is_mirrored=not entry.variant.is_mirrored)) for entry in entries)
    with pytest.raises(InputError, match="another"):
        RunFolder(tmp_path / "run", run_description(config.content, turned))


def test_rows_after_the_checkpoint_are_forgotten_and_the_others_stay(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path, {})
    for step in (20, 40, 60):
        folder.add_row("training.csv", {"step": step, "total": 1.0})
    folder.forget_after(40)
    assert [row["step"] for row in folder.rows("training.csv")] == ["20", "40"]
    folder.forget_after(0)
    assert folder.rows("training.csv") == []
    folder.add_row("training.csv", {"step": 20, "total": 2.0})
    assert [row["total"] for row in folder.rows("training.csv")] == ["2.0"]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["config.json", "training.csv"]
