"""`prostreg train` as users run it: a whole run, stops, kills, several processes, and what is refused."""

from __future__ import annotations

import csv
import importlib.util
import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from Patience import PATIENCE_S
from prostreg.cli.main import main
from prostreg.geometry.chart import PARAMETERS
from prostreg.prost.model import load_model
from prostreg.training.run_folder import CHECKPOINT_FILE

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("lightning_fabric") is None, reason="needs Lightning Fabric: pip install .[training]"
)

STEPS = 40
WEIGHTS = "prost-light.safetensors"

WriteTraining = Callable[..., Path]


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, dict[str, Any], str]:
    """Exit code, the JSON on stdout, and stderr."""
    code = main([str(argument) for argument in arguments])
    printed = capsys.readouterr()
    return code, json.loads(printed.out), printed.err


@pytest.fixture(scope="module")
def config(write_training: WriteTraining, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_training(tmp_path_factory.mktemp("data"), steps=STEPS, checkpoint_every_steps=5)


@pytest.fixture(scope="module")
def finished(config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that went through in one go."""
    folder = tmp_path_factory.mktemp("finished")
    assert main(["train", str(config), "--out", str(folder), "--device", "cpu", "--json"]) == 0
    return folder


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_a_run_ends_with_weights_that_can_be_used_and_say_what_they_are(finished: Path) -> None:
    model = load_model(finished / WEIGHTS)
    card = model.card
    assert (card.kind, card.network, card.training.steps) == ("shipped", "prost-light", STEPS)
    assert [source.name for source in card.training_data] == ["training"]
    assert [source.name for source in card.held_out_data] == ["validation"]
    assert card.training.loss_curve == "training.csv"
    assert card.results["validation"]["cases"] == 3
    assert set(card.results["right_share_around_the_truth"]["L_N"]) == set(PARAMETERS)
    assert len(card.commit) >= 40 or card.commit.startswith("prostreg ")
    assert "no medical device" in card.not_for
    assert model.residual.shape == (6,)


def test_a_run_ends_with_curves_and_figures(finished: Path) -> None:
    assert [row["step"] for row in rows(finished / "training.csv")] == ["20", "40"]
    assert [row["step"] for row in rows(finished / "validation.csv")] == ["25", "40"]
    assert all(float(row["total"]) > 0 for row in rows(finished / "training.csv"))
    for name in ("curves.png", "convexity.png"):
        with Image.open(finished / name) as figure:
            assert figure.width > 600
            assert len(figure.convert("RGB").getcolors(10**6) or []) > 60
    around = json.loads((finished / "convexity.json").read_text(encoding="utf-8"))
    assert around["xrays"] == 3
    middle = around["offsets_spreads"].index(0.0)
    for parameter in PARAMETERS:
        courses = around["parameters"][parameter]
        assert 0 <= courses["L_N"]["right_share"] <= 1
        assert courses["Patch-GradNCC"]["mean"][middle] == pytest.approx(0.0, abs=0.2)  # these X-rays are clean
        assert courses["Patch-GradNCC"]["right_share"] > 0.5


def test_tensorboard_shows_what_the_curves_say(finished: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events = accumulator.EventAccumulator(str(finished / "tensorboard")).Reload()
    shown = [(event.step, event.value) for event in events.Scalars("training/total")]
    written = [(int(row["step"]), float(row["total"])) for row in rows(finished / "training.csv")]
    assert [step for step, _ in shown] == [step for step, _ in written]
    assert [value for _, value in shown] == pytest.approx([value for _, value in written], rel=1e-5)
    assert [event.step for event in events.Scalars("validation/arrived")] == [25, 40]


def test_a_finished_run_only_writes_its_weights_and_figures_again(
    config: Path, finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "again"
    shutil.copytree(finished, folder)
    (folder / WEIGHTS).unlink()
    (folder / "convexity.png").unlink()
    code, report, said = run(capsys, "train", config, "--out", folder, "--device", "cpu", "--json")
    assert (code, report["complete"], report["step"]) == (0, True, STEPS)
    assert (folder / WEIGHTS).read_bytes() == (finished / WEIGHTS).read_bytes()
    assert all((folder / name).is_file() for name in report["files"])
    assert "Simulating" not in said
    assert rows(folder / "training.csv") == rows(finished / "training.csv")


def test_another_configuration_in_the_same_folder_is_refused(
    config: Path, finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = config.with_name("other.json")
    content = json.loads(config.read_text(encoding="utf-8"))
    other.write_text(json.dumps({**content, "learning_rate": 0.001}), encoding="utf-8")
    before = (finished / "config.json").read_bytes()
    code, report, _ = run(capsys, "train", other, "--out", finished, "--json")
    assert code == 2
    assert "another configuration" in report["error"]["faults"][0]
    assert (finished / "config.json").read_bytes() == before


def test_a_damaged_checkpoint_is_named(
    config: Path, finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "damaged"
    shutil.copytree(finished, folder)
    content = (folder / CHECKPOINT_FILE).read_bytes()
    (folder / CHECKPOINT_FILE).write_bytes(content[: len(content) // 2])
    code, report, _ = run(capsys, "train", config, "--out", folder, "--device", "cpu", "--json")
    assert code == 2
    assert CHECKPOINT_FILE in report["error"]["faults"][0]
    assert "delete it to begin anew" in report["error"]["faults"][0]


def test_all_faults_are_told_before_anything_is_written(
    write_training: WriteTraining, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write_training(tmp_path, network={"name": "prost-light", "options": {"image_size": 30}})
    (tmp_path / "one.nii.gz").unlink()
    missing, out = tmp_path / "no-such-folder", tmp_path / "out"
    code, report, _ = run(capsys, "train", file, "--out", out, "--data", missing, "--json")
    faults = "\n".join(report["error"]["faults"])
    assert (code, len(report["error"]["faults"])) == (2, 3)
    assert "of --data does not exist" in faults
    assert "one.nii.gz" in faults
    assert "30 x 30 pixels" in faults
    assert not out.exists()
    code, report, _ = run(capsys, "train", "prost-lite", "--out", file, "--json")
    assert (code, len(report["error"]["faults"])) == (2, 2)


def test_without_fabric_it_is_said_how_to_get_it(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "lightning_fabric", None)  # as Python itself marks what cannot be imported
    code, report, _ = run(capsys, "train", config, "--out", tmp_path / "out", "--json")
    assert code == 2
    assert "pip install 'prostreg[training]'" in report["error"]["faults"][0]
    assert not (tmp_path / "out").exists()


def started(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "prostreg", "train", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for_change(file: Path, since: int = 0) -> None:
    """Waits until a file is there, or is another one than the one that was changed at ``since``."""
    deadline = time.monotonic() + PATIENCE_S
    while not (file.is_file() and file.stat().st_mtime_ns > since) and time.monotonic() < deadline:
        time.sleep(0.005)


@pytest.mark.usefixtures("signals_heard")
def test_a_stopped_and_a_killed_run_end_as_if_nothing_had_happened(
    config: Path, finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = tmp_path / CHECKPOINT_FILE
    arguments = (config, "--out", tmp_path, "--device", "cpu", "--json")
    process = started(*arguments)
    wait_for_change(checkpoint)
    process.send_signal(signal.SIGINT)
    printed, said = process.communicate(timeout=PATIENCE_S)
    report = json.loads(printed)
    assert (process.returncode, report["complete"]) == (4, False)
    stopped_after = torch.load(checkpoint, weights_only=True)["step"]
    assert report["step"] == stopped_after >= 5
    assert f"Stopped after step {stopped_after}" in said
    assert not (tmp_path / WEIGHTS).exists()

    before = checkpoint.stat().st_mtime_ns
    process = started(*arguments)
    wait_for_change(checkpoint, before)
    process.kill()
    process.communicate(timeout=PATIENCE_S)
    killed_after = torch.load(checkpoint, weights_only=True)["step"]
    assert stopped_after < killed_after < STEPS

    code, report, said = run(capsys, "train", *arguments)
    assert (code, report["complete"]) == (0, True)
    assert f"Going on after step {killed_after}" in said
    assert (tmp_path / WEIGHTS).read_bytes() == (finished / WEIGHTS).read_bytes()
    last, expected = (torch.load(folder / CHECKPOINT_FILE, weights_only=True) for folder in (tmp_path, finished))
    assert all(torch.equal(last["network"][name], value) for name, value in expected["network"].items())
    assert [row["step"] for row in rows(tmp_path / "training.csv")] == ["20", "40"]
