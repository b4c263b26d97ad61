"""``prostreg train``: trains a network for all patients, and writes its weights, their card and figures."""

from __future__ import annotations

import argparse
import importlib.util
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch

from prostreg.cli.console import duration, say
from prostreg.cli.exit_code import ExitCode
from prostreg.cli.interruption import stop_requests
from prostreg.cli.outcome import ANOTHER_OUT, Outcome
from prostreg.cli.process_rank import process_rank
from prostreg.cli.training_progress import TrainingProgress
from prostreg.errors import FaultList
from prostreg.files import cache_folder, output_folder_faults
from prostreg.folder_lock import only_writer
from prostreg.outputs.result_file import plain
from prostreg.prost.network import ProSTNetwork
from prostreg.prost.networks import make_network
from prostreg.training.config import TrainingConfig, read_training_config
from prostreg.training.config_files import config_file
from prostreg.training.fabric_hardware import (
    EXTRA,
    Hardware,
    chosen_device,
    fabric_faults,
    launch,
    leave,
)
from prostreg.training.finished_weights import training_of
from prostreg.training.patients import (
    PatientEntry,
    check_contents,
    number_of_patients,
    read_patient_list,
    run_description,
)
from prostreg.training.run import TrainingRun
from prostreg.training.run_folder import RunFolder, check_same_run
from prostreg.training.tensorboard_mirror import TensorboardMirror

STOPPING = (
    "Stopping after this step; a checkpoint will be written. Run the same command again to go on. Press Ctrl-C again to"
    " leave at once."
)

Made = TypeVar("Made")


@dataclass(frozen=True)
class _Plan:
    """The training that was asked for, after it was found to be possible."""

    config: TrainingConfig
    entries: tuple[PatientEntry, ...]
    network: ProSTNetwork
    device: str

    @property
    def description(self) -> dict[str, Any]:
        """The key that this run shares with its continuations."""
        return run_description(self.config.content, self.entries)


def run(arguments: argparse.Namespace) -> Outcome:
    """Checks everything, trains on, and at the end writes weights and figures."""
    is_leading = process_rank() == 0
    plan = _checked(arguments, is_leading)
    try:
        if not is_leading:
            return _help(arguments, plan)
        arguments.out.mkdir(parents=True, exist_ok=True)
        with only_writer(arguments.out), stop_requests(STOPPING) as is_asked_to_stop:
            return _lead(arguments, plan, is_asked_to_stop)
    finally:
        leave()


def _lead(arguments: argparse.Namespace, plan: _Plan, is_asked_to_stop: Callable[[], bool]) -> Outcome:
    """The first process: it speaks, and writes."""
    folder, config = RunFolder(arguments.out, plan.description), plan.config
    hardware = launch(plan.device, arguments.devices, config.precision)
    mirror, progress = TensorboardMirror(folder), TrainingProgress(config.steps, time.monotonic)

    def on_row(curve: str, row: Mapping[str, Any]) -> None:
        mirror.add(curve, row)
        progress.add(curve, row)

    say(f"{config.network} on {hardware.device.type}, {number_of_patients(plan.entries)} patients -> {arguments.out}")
    training = TrainingRun(
        plan.network.to(hardware.device), config, plan.entries, folder, hardware.execution, say, on_row
    )
    is_complete = training.go_on(lambda: hardware.any_of(is_asked_to_stop()))
    mirror.close()
    if not is_complete:
        say(f"Stopped after step {training.step} of {config.steps}: run the same command again to go on.")
        return Outcome(ExitCode.STOPPED, _report(arguments, plan, training, {}))
    return _finished(arguments, plan, training, folder, hardware)


def _finished(
    arguments: argparse.Namespace, plan: _Plan, training: TrainingRun, folder: RunFolder, hardware: Hardware
) -> Outcome:
    from prostreg.training.report import write_report

    told = training_of(training.step, training.seconds, hardware.device, hardware.processes)
    card, files = write_report(training, plan.config, plan.entries, folder, told)
    say(f"Trained {training.step} steps in {duration(training.seconds)} -> {arguments.out / files[0]}")
    written = {"weights": str(arguments.out / files[0]), "sha256": card.sha256, "files": files}
    return Outcome(ExitCode.DONE, _report(arguments, plan, training, written))


def _help(arguments: argparse.Namespace, plan: _Plan) -> Outcome:
    """A further process: it shares the work in silence, and stops when the first one does."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    hardware = launch(plan.device, arguments.devices, plan.config.precision)
    folder = RunFolder(arguments.out, plan.description)
    network = plan.network.to(hardware.device)
    training = TrainingRun(network, plan.config, plan.entries, folder, hardware.execution, lambda line: None)
    training.go_on(lambda: hardware.any_of(False))
    return Outcome(ExitCode.DONE)


def _report(
    arguments: argparse.Namespace, plan: _Plan, training: TrainingRun, written: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "network": plan.config.network,
        "complete": bool(written),
        "step": training.step,
        "steps": plan.config.steps,
        "seconds": round(training.seconds, 1),
        "validation": None if training.validation is None else plain(training.validation.to_dict()),
        "out": str(arguments.out),
        **written,
    }


def _checked(arguments: argparse.Namespace, is_leading: bool) -> _Plan:
    """Everything that can be wrong, found before a process is started or a file is written."""
    faults = FaultList()
    faults.extend(output_folder_faults(arguments.out, ANOTHER_OUT))
    faults.extend(f"The folder {data} of --data does not exist." for data in arguments.data if not data.is_dir())
    faults.extend(fabric_faults())
    if importlib.util.find_spec("matplotlib") is None:
        faults.add(f"Training ends with figures and needs matplotlib: install it with pip install 'prostreg[{EXTRA}]'.")
    device = faults.collect(lambda: chosen_device(arguments.device, arguments.devices))
    file = faults.collect(lambda: config_file(arguments.config))
    config = None if file is None else faults.collect(lambda: read_training_config(file))
    entries = network = None
    if file is not None and config is not None:
        entries = faults.collect(lambda: _entries(file.parent / config.patients, arguments.data, is_leading))
        if entries is not None:
            content = run_description(config.content, entries)
            faults.collect(lambda: check_same_run(arguments.out, content))
        network = faults.collect(lambda: _network(config))
    faults.raise_if_any()
    if config is None or entries is None or network is None or device is None:
        raise AssertionError("what is missing is a fault")
    return _Plan(config, entries, network, device)


def _entries(patients: Path, data: list[Path], is_leading: bool) -> tuple[PatientEntry, ...]:
    entries = read_patient_list(patients, [*data, cache_folder()])
    if is_leading:
        check_contents(entries)
    return entries


def _network(config: TrainingConfig) -> ProSTNetwork:
    """The network with the fresh weights that belong to the seed."""
    torch.manual_seed(config.seed)
    return make_network(config.network, config.options)
