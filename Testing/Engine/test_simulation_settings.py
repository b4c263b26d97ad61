"""Settings of the simulator: presets, JSON there and back, every fault named."""

import json
from dataclasses import fields

import pytest

from prostreg.cli.arguments import SIMULATOR_PRESETS
from prostreg.errors import InputError
from prostreg.simulation.presets import PRESETS, preset
from prostreg.simulation.settings import SimulatorSettings


@pytest.mark.parametrize("name", PRESETS)
def test_presets_survive_json(name):
    settings = preset(name)
    assert SimulatorSettings.from_dict(json.loads(json.dumps(settings.to_dict()))) == settings


def test_the_command_line_knows_the_presets():
    assert SIMULATOR_PRESETS == PRESETS


def test_presets_grow_harder():
    clean, paper, hard = (preset(name) for name in PRESETS)
    assert clean.scatter_fraction[1] == 0 < paper.scatter_fraction[1] < hard.scatter_fraction[1]
    assert clean.photons_per_mm2[0] > paper.photons_per_mm2[0] > hard.photons_per_mm2[0]
    assert clean.instruments[1] == paper.instruments[1] == 0 < hard.instruments[1]
    assert clean.collimation_share == paper.collimation_share == 0 < hard.collimation_share


def test_an_unknown_preset_is_answered_with_the_known_ones():
    with pytest.raises(InputError, match="clean, paper, hard"):
        preset("easy")


def test_one_number_is_a_range_of_its_own():
    assert SimulatorSettings.from_dict({"kilovolt": 90}).kilovolt == (90, 90)


def test_every_setting_is_checked():
    for field in fields(SimulatorSettings):
        for value in ("much", None, -1, [2, 1], [1, float("nan")], True):
            with pytest.raises(InputError, match=field.name):
                SimulatorSettings.from_dict({field.name: value})


def test_every_fault_is_listed():
    faulty = {"kilovolts": 80, "log_share": 2, "scatter_fraction": [0.5, 0.1], "bodies": 0, "instruments": ["few", 3]}
    with pytest.raises(InputError) as raised:
        SimulatorSettings.from_dict(faulty)
    assert len(raised.value.faults) == 5
    assert any('did you mean "kilovolt"' in fault for fault in raised.value.faults)


def test_a_file_changes_only_what_it_names(tmp_path):
    file = tmp_path / "settings.json"
    file.write_text('{"log_share": 1.0}')
    settings = SimulatorSettings.from_json_file(file, preset("hard"))
    assert settings.log_share == 1
    assert settings.collimation_share == preset("hard").collimation_share
    for content, words in (("[1]", "one JSON object"), ("{", "not valid JSON")):
        file.write_text(content)
        with pytest.raises(InputError, match=words):
            SimulatorSettings.from_json_file(file)
    with pytest.raises(InputError, match="does not exist"):
        SimulatorSettings.from_json_file(tmp_path / "none.json")
