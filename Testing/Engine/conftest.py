"""What tests share: a small CT, a list of patients, a configuration of a few steps; and a user of worker processes."""

from __future__ import annotations

import itertools
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from Patience import PATIENCE_S
from prostreg.geometry.carm import CArm
from prostreg.images.volume import Volume
from prostreg.registration import everywhere, monitor
from prostreg.training.config_files import config_file
from ProSTRegistrationLib.Worker.WorkerClient import WorkerClient, WorkerError
from ProSTRegistrationLib.Worker.WorkerSource import LocalWorker

SPACING_MM = 5.0
SIZE = (36, 28, 32)


def small_ct_hu(seed: int) -> np.ndarray:
    """HU (k, j, i) of a trunk of muscle with a crooked piece of bone in it; another one for every seed."""
    rng = np.random.default_rng(seed)
    k, j, i = (SPACING_MM * (axis - axis.mean()) for axis in np.indices(SIZE[::-1], dtype=float))
    hu = np.where((i / 85) ** 2 + (j / 62) ** 2 < 1, 40.0, -1000.0)
    bone = ((i / 16) ** 2 + (j / 14) ** 2 < 1) & (abs(k) < 50)
    for _ in range(6):
        centre, radii = rng.uniform([-35, -15, -40], [35, 15, 40]), rng.uniform(8, 22, size=3)
        offset = np.stack([i, j, k], axis=-1) - centre
        bone |= ((offset / radii) ** 2).sum(axis=-1) < 1
    hu[bone] = 700.0
    return hu.astype(np.float32)


def write_small_ct(file: Path, seed: int) -> Path:
    image = sitk.GetImageFromArray(small_ct_hu(seed))
    image.SetSpacing([SPACING_MM] * 3)
    file.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(image, str(file))
    return file


@pytest.fixture(scope="session")
def small_patient() -> tuple[Volume, np.ndarray]:
    """A small CT and its bone."""
    hu = small_ct_hu(1)
    return Volume(hu, np.diag([SPACING_MM] * 3 + [1.0])), hu > 300


@pytest.fixture(scope="session")
def write_training() -> Callable[..., Path]:
    """Writes CTs, their list, and the smoke test's configuration with changes; gives the configuration's file."""

    def write(folder: Path, **changes: Any) -> Path:
        data = {
            "training": write_small_ct(folder / "one.nii.gz", 1),
            "validation": write_small_ct(folder / "two.nii.gz", 2),
        }
        entries = [
            {"name": use, "ct": ct.name, "use": use, "origin": "made by the test", "licence": "CC0"}
            for use, ct in data.items()
        ]
        (folder / "smoke-patients.json").write_text(json.dumps({"patients": entries}), encoding="utf-8")
        content = json.loads(config_file("smoke").read_text(encoding="utf-8"))
        file = folder / "tiny.json"
        file.write_text(json.dumps({**content, **changes}), encoding="utf-8")
        return file

    return write


@pytest.fixture
def count_looks_as_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """A registration's clock that is a second later at every look: time limits mean the same work on every machine."""
    clock = SimpleNamespace(perf_counter=itertools.count().__next__)
    for module in (everywhere, monitor):
        monkeypatch.setattr(module, "time", clock)


class WorkerUser:
    """Drives a real worker process as the application does, and waits for its answers."""

    def __init__(self, log_folder: Path) -> None:
        self.client = WorkerClient(LocalWorker(sys.executable, log_folder))

    def begin(self, command: str, arrays: dict[str, np.ndarray] | None = None, **fields: Any) -> SimpleNamespace:
        """Asks; the answer has ``reply``, ``arrays``, ``error`` and ``progress``, filled while `pump` runs."""
        answer = SimpleNamespace(reply=None, arrays=None, error=None, progress=[])
        self.client.request(
            command,
            arrays,
            onReply=lambda content, got: vars(answer).update(reply=content, arrays=got),
            onProgress=answer.progress.append,
            onError=lambda error: vars(answer).update(error=error),
            **fields,
        )
        return answer

    def pump(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline, f"no answer; the worker's log:\n{self.client.logTail()}"
            self.client.poll()
            time.sleep(0.002)

    def end(self, answer: SimpleNamespace) -> SimpleNamespace:
        self.pump(lambda: answer.reply is not None or answer.error is not None)
        return answer

    def error(self, command: str, arrays: dict[str, np.ndarray] | None = None, **fields: Any) -> WorkerError:
        answer = self.end(self.begin(command, arrays, **fields))
        assert answer.error is not None, answer.reply
        return answer.error

    def reply(self, command: str, arrays: dict[str, np.ndarray] | None = None, **fields: Any) -> dict[str, Any]:
        answer = self.end(self.begin(command, arrays, **fields))
        assert answer.error is None, f"{answer.error}\n{answer.error.details}\n{self.client.logTail()}"
        return answer.reply

    def load_patient(self, ct: Volume, anatomy: np.ndarray) -> dict[str, str]:
        """Fields ``ct`` and ``anatomy`` of later requests."""
        loaded = self.reply("load_ct", {"ct": ct.values}, volume_from_index=ct.volume_from_index.tolist())["ct"]
        return {"ct": loaded, "anatomy": self.reply("load_anatomy", {"mask": anatomy}, ct=loaded)["anatomy"]}

    def load_view(self, carm: CArm, pixels: np.ndarray, polarity: str = "bone-bright") -> str:
        view = {
            "K": carm.intrinsics.tolist(),
            "size": list(carm.size),
            "camera_from_world": carm.camera_from_world.tolist(),
            "spacing_mm": list(carm.spacing_mm),
            "polarity": polarity,
        }
        return self.reply("load_views", {"pixels0": pixels}, views=[view])["views"][0]


@pytest.fixture(scope="module")
def start_worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], WorkerUser]]:
    """Starts worker processes with the environment as it is when they are first asked; ends them after the tests."""
    started: list[WorkerUser] = []

    def start() -> WorkerUser:
        started.append(WorkerUser(tmp_path_factory.mktemp("log")))
        return started[-1]

    yield start
    for worker in started:
        worker.client.stop()


@pytest.fixture(scope="session")
def body() -> Volume:
    """A CT of bones without any symmetry: ellipsoids of 900 HU in water."""
    k, j, i = np.indices((38, 36, 40))
    rng = np.random.default_rng(11)
    hu = np.full(k.shape, 0.0)
    for _ in range(16):
        centre, radii = rng.uniform(9, 28, 3), rng.uniform(2, 6, 3)
        hu[sum(((axis - c) / r) ** 2 for axis, c, r in zip((k, j, i), centre, radii, strict=True)) < 1] = 900.0
    return Volume(hu.astype(np.float32), np.diag([2.0, 2.0, 2.0, 1.0]))
