"""Which weights win: the user's file, else those of this patient, else the shipped ones, else a reason why none."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from prostreg.errors import WeightsError
from prostreg.files import CACHE_VARIABLE
from prostreg.images.volume import Volume
from prostreg.prost.card import card_path
from prostreg.prost.shipped import shipped_weights
from prostreg.prost.weight_cache import adapted_path
from prostreg.registration.case import Case
from prostreg.registration.config import RegistrationConfig
from prostreg.registration.weights_choice import chosen_weights, learned_model, model_to_ask

METHODS = ("auto", "cmaes", "prost", "prost+cmaes")


@pytest.fixture
def case(tmp_path, monkeypatch) -> Case:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    values = np.random.default_rng(0).normal(0, 500, (4, 5, 6)).astype(np.float32)
    return Case("patient", Volume(values, np.eye(4)), values > 200, ())


def adapt(case: Case) -> Path:
    """A file where weights adapted to the case belong; what is in it is not looked at here."""
    path = adapted_path(case.ct, case.anatomy)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"weights")
    card_path(path).write_text("{}")
    return path


@pytest.mark.parametrize("method", METHODS)
def test_a_file_that_was_named_wins_over_everything(case, method):
    adapt(case)
    config = RegistrationConfig(method=method, weights="mine.safetensors")
    assert chosen_weights(config, case) == chosen_weights(config, None) == Path("mine.safetensors")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("weights", "without", "with_adapted"),
    [("auto", "shipped", "adapted"), ("shipped", "shipped", "shipped"), ("adapted", "refused", "adapted")],
)
def test_weights_of_this_patient_win_where_they_are_wanted(case, method, weights, without, with_adapted):
    config = RegistrationConfig(method=method, weights=weights)
    if without == "refused":
        with pytest.raises(
            WeightsError, match="no weights adapted to the CT and anatomy of patient: run `prostreg adapt`"
        ):
            chosen_weights(config, case)
    else:
        assert chosen_weights(config, case) == shipped_weights()
    path = adapt(case)
    assert chosen_weights(config, case) == {"shipped": shipped_weights(), "adapted": path}[with_adapted]
    assert chosen_weights(config, None) == shipped_weights()


def test_weights_of_another_anatomy_of_the_same_ct_are_not_taken(case):
    adapt(Case("other", case.ct, ~case.anatomy, ()))
    assert chosen_weights(RegistrationConfig(), case) == shipped_weights()


def test_cmaes_reads_no_weights_even_if_they_are_damaged(case):
    adapt(case)
    assert learned_model(RegistrationConfig(method="cmaes"), case) is None
    with pytest.raises(WeightsError):
        learned_model(RegistrationConfig(method="auto"), case)


@pytest.mark.parametrize("weights", ["auto", "adapted"])
def test_who_is_locked_out_by_damaged_adapted_weights_is_told_the_way_out(case, weights):
    path = adapt(case)
    with pytest.raises(WeightsError, match="run it again for patient, or delete") as caught:
        learned_model(RegistrationConfig(method="auto", weights=weights), case)
    assert str(path) in str(caught.value)
    with pytest.raises(WeightsError) as caught:  # a file that the user named is the user's
        learned_model(RegistrationConfig(method="auto", weights=str(path)), case)
    assert "prostreg adapt" not in str(caught.value)


def test_auto_does_not_read_weights_that_their_card_does_not_recommend(case, tmp_path):
    path = tmp_path / "damaged.safetensors"
    path.write_bytes(b"no weights at all")
    shipped = shipped_weights()
    assert shipped is not None
    card = json.loads(card_path(shipped).read_text(encoding="utf-8"))
    card["configuration"]["residual_spreads"] = [1.0] * 6  # descents that narrow nothing
    card_path(path).write_text(json.dumps(card), encoding="utf-8")
    config = RegistrationConfig(method="auto", weights=str(path))
    assert model_to_ask(config, case) is None
    with pytest.raises(WeightsError):
        model_to_ask(replace(config, method="prost"), case)
    wide = replace(config, spread_rotation_deg=40.0, spread_shift_mm=60.0, spread_depth_mm=180.0)
    with pytest.raises(WeightsError):  # asked, and so read
        model_to_ask(wide, case)


def test_auto_asks_the_network_of_this_patient_and_never_the_shipped_one(case, monkeypatch):
    asked = []
    monkeypatch.setattr("prostreg.registration.weights_choice.learned_model", lambda *given: asked.append(given))
    monkeypatch.setattr("prostreg.registration.weights_choice.is_believed", lambda *_: True)
    for weights in ("auto", "shipped"):
        assert model_to_ask(RegistrationConfig(method="auto", weights=weights), case) is None
    assert not asked
    for method in ("prost", "prost+cmaes"):
        model_to_ask(RegistrationConfig(method=method, weights="shipped"), case)
    assert len(asked) == 2
