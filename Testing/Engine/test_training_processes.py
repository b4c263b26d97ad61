"""Several processes that share the work of a training."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from Patience import PATIENCE_S
from prostreg.errors import DeviceError
from prostreg.training.fabric_hardware import chosen_device

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("lightning_fabric") is None, reason="needs Lightning Fabric: pip install .[training]"
)

STEPS = 3

SCRIPT = """
import sys
from pathlib import Path
import torch
from prostreg.prost.networks import make_network
from prostreg.training.config import read_training_config
from prostreg.training.fabric_hardware import launch, leave
from prostreg.training.patients import read_patient_list
from prostreg.training.run import TrainingRun
from prostreg.training.run_folder import RunFolder

file, out = Path(sys.argv[1]), Path(sys.argv[2])
config = read_training_config(file)
torch.manual_seed(config.seed)
network = make_network(config.network, config.options)
hardware = launch("cpu", 2, config.precision)
entries = read_patient_list(file.parent / config.patients)
drawn = []
reduce = hardware.execution.reduce_gradients

def reduce_and_keep(network):
    own = next(network.parameters()).grad.clone()
    reduce(network)
    drawn.append((own, next(network.parameters()).grad.clone()))

object.__setattr__(hardware.execution, "reduce_gradients", reduce_and_keep)
run = TrainingRun(network, config, entries, RunFolder(out, config.content), hardware.execution, lambda line: None)
complete = run.go_on(lambda: hardware.any_of(hardware.execution.rank == 1 and run.step == 2))
torch.save(
    {"state": network.state_dict(), "drawn": drawn, "complete": complete, "step": run.step},
    out / f"rank{hardware.execution.rank}.pt",
)
leave()
"""


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1"}


def test_processes_learn_from_different_batches_and_have_equal_weights(
    write_training: Callable[..., Path], tmp_path: Path
) -> None:
    file = write_training(tmp_path, steps=STEPS, validate_every_steps=100)
    script, out = tmp_path / "script.py", tmp_path / "out"
    script.write_text(SCRIPT, encoding="utf-8")
    subprocess.run(
        [sys.executable, str(script), str(file), str(out)], check=True, timeout=PATIENCE_S, env=environment()
    )
    first, second = (torch.load(out / f"rank{rank}.pt", weights_only=True) for rank in (0, 1))
    for name, value in first["state"].items():
        assert value.isfinite().all()
        assert torch.equal(value, second["state"][name])
    for (own, mean), (other, same_mean) in zip(first["drawn"], second["drawn"], strict=True):
        assert not torch.equal(own, other)
        torch.testing.assert_close(mean, (own + other) / 2)
        assert torch.equal(mean, same_mean)
    for told in (first, second):  # what one process wants, all do
        assert (told["complete"], told["step"]) == (False, 2)
    assert torch.load(out / "checkpoint.pt", weights_only=True)["step"] == 2


def test_the_command_speaks_once_for_all_its_processes(write_training: Callable[..., Path], tmp_path: Path) -> None:
    file = write_training(tmp_path, steps=2, validation_xrays=1, xrays_per_patient=2)
    command = [sys.executable, "-m", "prostreg", "train", str(file), "--out", str(tmp_path / "out")]
    done = subprocess.run(
        [*command, "--device", "cpu", "--devices", "2", "--json"],
        capture_output=True, text=True, check=False, timeout=PATIENCE_S, env=environment(),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["complete"], report["step"]) == (True, 2)
    assert done.stderr.count("Step 2 of 2") == 1
    card = json.loads((tmp_path / "out" / "prost-light.json").read_text(encoding="utf-8"))
    assert card["training"]["device"].startswith("2 x ")


@pytest.mark.skipif(torch.cuda.is_available(), reason="has a CUDA device")
def test_a_missing_gpu_is_said() -> None:
    assert chosen_device("auto", None) == chosen_device("cpu", 4) == "cpu"
    with pytest.raises(DeviceError, match="no CUDA device"):
        chosen_device("cuda", None)
