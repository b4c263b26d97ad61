"""Cards of weights: written and read without loss, and every fault of one is named."""

import json

import pytest

from prostreg.errors import FaultList
from prostreg.prost.card import Card, DataSource, MadeFor, Training, card_from_content, card_text, read_card

CARD = Card(
    title="Light network",
    training_data=(DataSource("pelvis-1", "Sammlung für Übungen", "CC BY 4.0"),),
    held_out_data=(),
    configuration={"learning_rate": 1e-4, "volumes": ["pelvis-1"]},
    commit="0123abc",
    training=Training(100, 12.5, "CPU, 2 cores", (3.0, 2.5, 2.0)),
    results={"prost-pelvis": {"success_percent": 80.0}},
    intended_use="Tests.",
    not_for="Patients.",
    licence="Apache-2.0",
    made_for=MadeFor("a" * 64, "b" * 64),
    network="prost-light",
    parameters=120,
    sha256="c" * 64,
)


def content_of(card, **changes):
    content = {**json.loads(card_text(card, FaultList())), **changes}
    return {key: value for key, value in content.items() if value is not None}


def read(content):
    faults = FaultList()
    return card_from_content(content, "light.json", faults), faults.faults


def test_a_card_comes_back_as_it_was():
    faults = FaultList()
    text = card_text(CARD, faults)
    assert card_from_content(json.loads(text), "light.json", faults) == CARD
    assert not faults
    assert "für Übungen" in text


def test_people_find_what_they_look_for_by_name():
    names = {"title", "network", "parameters", "sha256", "training_data", "held_out_data", "configuration", "commit"}
    assert names | {"training", "results", "intended_use", "not_for", "licence", "kind", "made_for"} == {
        *json.loads(card_text(CARD, FaultList()))
    }


def test_a_card_for_all_patients_needs_no_patient():
    card, faults = read(content_of(CARD, kind="shipped", made_for=None))
    assert faults == []
    assert card.made_for is None
    assert card.kind == "shipped"


def test_an_adapted_card_needs_its_patient():
    assert read(content_of(CARD, made_for=None)) == (None, ['light.json: the card lacks "made_for".'])


@pytest.mark.parametrize("content", [b"", b"{", b"[" * 99_999, b"\xff\xfe"])
def test_a_card_that_is_no_json(tmp_path, content):
    (tmp_path / "light.json").write_bytes(content)
    faults = FaultList()
    assert read_card(tmp_path / "light.json", faults) is None
    assert len(faults.faults) == 1
    assert "light.json" in faults.faults[0]
    assert "Copy it again" in faults.faults[0]


def test_a_card_that_is_a_folder(tmp_path):
    faults = FaultList()
    assert read_card(tmp_path, faults) is None
    assert "cannot be read" in faults.faults[0]


def test_json_that_is_no_card():
    assert read([1, 2])[1] == ["light.json: the card must be an object, {...}."]


def test_everything_wrong_is_listed():
    card, faults = read(
        content_of(
            CARD,
            title=None,
            licence=" ",
            parameters="many",
            sha256="abc",
            configuration=[],
            results=5,
            training={"steps": -1, "device": "CPU", "loss_curve": [1, "two"]},
            training_data=[{"name": "pelvis-1", "origin": "somewhere"}],
            made_for={"ct": "c" * 64},
        )
    )
    assert card is None
    words = ['"title"', '"licence"', '"parameters"', '"sha256"', '"configuration"', '"results"', '"steps"', '"seconds"']
    for word in [*words, '"loss_curve"', '"training_data" entry 1 lacks "licence"', '"made_for" lacks "anatomy"']:
        assert any(word in fault for fault in faults), word
    assert len(faults) == 11


def test_remarks_do_no_harm():
    assert read(content_of(CARD, remark="checked by a person")) == (CARD, [])


def test_a_loss_curve_may_be_a_file():
    training = {"steps": 1, "seconds": 1, "device": "CPU", "loss_curve": "losses.csv"}
    card, _ = read(content_of(CARD, training=training))
    assert card.training.loss_curve == "losses.csv"
