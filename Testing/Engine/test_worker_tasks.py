"""What takes long in the real worker process: registering from everywhere, adapting, and making sample data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from prostreg.files import CACHE_VARIABLE
from prostreg.geometry.carm import CArm
from prostreg.geometry.standard_views import standard_view
from prostreg.images.attenuation import moving_volume
from prostreg.projector.selection import make_projector
from prostreg.prost.card import card_path
from prostreg.prost.shipped import shipped_weights
from prostreg.prost.weight_cache import adapted_path
from prostreg.registration.case_file import read_case

CARM = CArm.from_sdd(1000.0, (4.0, 4.0), (72, 64))
POSE = standard_view("PA", np.zeros(3), 620.0)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """The user's cache folder of these tests."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache mit ü")
        patch.setenv(CACHE_VARIABLE, str(folder))
        yield folder


@pytest.fixture(scope="module")
def worker(cache, start_worker):
    return start_worker()


@pytest.fixture(scope="module")
def patient(worker, small_patient):
    return worker.load_patient(*small_patient)


@pytest.fixture(scope="module")
def view(worker, small_patient):
    return worker.load_view(CARM, make_projector(moving_volume(*small_patient)).render(POSE[None], CARM)[0])


def test_without_a_start_the_patient_is_looked_for_everywhere(worker, patient, view):
    config = {"method": "cmaes", "population": 16, "generations": 4}
    answer = worker.end(worker.begin("register", views=[view], initial=None, config=config, **patient))
    assert answer.error is None
    assert "no start was given" in answer.reply["reasons"][-1]
    fractions = [progress["fraction"] for progress in answer.progress]
    assert fractions == sorted(fractions)
    assert "trying AP" in answer.progress[0]["message"]


class TestAdapting:
    def begin(self, worker, patient, **fields):
        return worker.begin("adapt", name="tiny", minutes=240, seed=1, **patient, **fields)

    def test_renders_are_answered_meanwhile_one_task_at_a_time_and_cancel_writes_nothing(
        self, worker, patient, view, cache
    ):
        adapting = self.begin(worker, patient, view=view, initial=POSE.tolist())
        worker.pump(lambda: adapting.progress)
        assert worker.reply("status")["state"] == "adapting"
        fields = {"ct": patient["ct"], "view": view, "world_from_volume": POSE.tolist()}
        meanwhile = worker.end(worker.begin("render", **fields))
        for command in ("register", "adapt", "sample"):
            error = worker.error(command)
            assert (error.kind, "An adaptation is running" in str(error)) == ("input", True)
        assert adapting.reply is adapting.error is None
        assert adapting.progress[0].keys() == {"stage", "fraction", "message", "seconds_left"}
        assert worker.reply("cancel") == {"cancelled": True}
        assert worker.end(adapting).error.kind == "stopped"
        alone = worker.end(worker.begin("render", **fields))
        np.testing.assert_array_equal(meanwhile.arrays["drr"], alone.arrays["drr"])
        assert worker.reply("status")["state"] == "ready"
        assert list(cache.rglob("*.safetensors")) == []
        assert worker.reply("adapted", **patient) == {"exists": False}

    def test_all_faults_of_the_request_come_at_once(self, worker, patient):
        error = worker.error("adapt", ct=patient["ct"], anatomy=3, initial=[[1]], minutes=241, seed=-1, view=[])
        assert error.kind == "input"
        assert len(error.faults) == 5
        assert '"minutes" of the request is 241: give a number from 0.05 to 240' in str(error)
        assert worker.error("adapt", **{**patient, "ct": "gone"}).kind == "not-loaded"


class TestAdaptedWeights:
    """What is told of weights that lie in the cache; here it is the shipped ones in their place."""

    @pytest.fixture
    def path(self, cache, small_patient):
        path = adapted_path(*small_patient)
        path.parent.mkdir(parents=True, exist_ok=True)
        yield path
        path.unlink(missing_ok=True)
        card_path(path).unlink(missing_ok=True)

    def test_usable_ones_are_described(self, worker, patient, path):
        for of in (path, card_path(path)):
            source = shipped_weights() if of is path else card_path(shipped_weights())
            of.write_bytes(source.read_bytes())
        told = worker.reply("adapted", **patient)
        assert told["exists"]
        assert told["weights"] == str(path)
        assert told["title"]
        assert told["steps"] > 0
        assert told["minutes"] > 0
        assert told["made"][:2] == "20"

    def test_damaged_ones_count_as_none_and_the_fault_is_told(self, worker, patient, path):
        path.write_bytes(b"no weights")
        card_path(path).write_text("{}")
        told = worker.reply("adapted", **patient)
        assert not told["exists"]
        assert "Adapt again" in told["fault"]
        assert path.name in told["fault"]


class TestSamples:
    def test_the_phantom_is_a_case_that_can_be_read(self, worker, tmp_path):
        answer = worker.end(worker.begin("sample", kind="phantom", folder=str(tmp_path / "new" / "case")))
        assert answer.error is None, str(answer.error)
        assert Path(answer.reply["case"]).parent == tmp_path / "new" / "case"
        assert answer.reply["attribution"] is None
        assert answer.progress[0]["message"]
        assert read_case(Path(answer.reply["case"])).initial_world_from_volume is not None

    def test_without_a_network_it_says_what_to_do(self, start_worker, monkeypatch, tmp_path):
        monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "empty"))
        monkeypatch.setenv("PIP_NO_INDEX", "1")
        error = start_worker().error("sample", kind="spine", folder=str(tmp_path / "case"))
        assert error.kind == "input"
        assert "Check the network" in str(error)
        assert "phantom" in str(error)
        assert not (tmp_path / "case").exists()

    def test_a_download_that_hangs_can_be_cancelled(self, start_worker, monkeypatch, tmp_path):
        (tmp_path / "pip").mkdir()
        (tmp_path / "pip" / "__main__.py").write_text("import time; time.sleep(1000)")
        (tmp_path / "pip" / "__init__.py").write_text("")
        monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "empty"))
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        worker = start_worker()
        fetching = worker.begin("sample", kind="spine", folder=str(tmp_path / "case"))
        worker.pump(lambda: fetching.progress)
        assert worker.reply("status")["state"] == "making a sample"
        worker.reply("cancel")
        assert worker.end(fetching).error.kind == "stopped"
        assert not (tmp_path / "case").exists()

    def test_unusable_requests(self, worker, tmp_path):
        (tmp_path / "file").write_text("")
        assert len(worker.error("sample", kind="knee").faults) == 2
        error = worker.error("sample", kind="phantom", folder=str(tmp_path / "file" / "case"))
        assert error.kind == "input"
        assert "file" in str(error)
