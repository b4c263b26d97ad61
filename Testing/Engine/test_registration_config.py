"""The settings: defaults, JSON round trip, and every fault named."""

from __future__ import annotations

import json

import pytest

from prostreg.errors import InputError
from prostreg.registration.config import RegistrationConfig


def test_settings_survive_json():
    config = RegistrationConfig(method="cmaes", restarts=3, seed=7, time_limit_s=12.5)
    assert RegistrationConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_missing_settings_keep_their_defaults(tmp_path):
    path = tmp_path / "settings.json"
    path.write_text('{"seed": 4}', encoding="utf-8")
    assert RegistrationConfig.from_json_file(path) == RegistrationConfig(seed=4)


def test_every_fault_is_named_at_once():
    values = {"method": "magic", "restarts": 0, "sed": 1, "population": True, "time_limit_s": float("nan"), "seed": -1}
    with pytest.raises(InputError) as caught:
        RegistrationConfig.from_dict(values)
    assert len(caught.value.faults) == len(values)
    message = str(caught.value)
    assert 'did you mean "seed"' in message
    for name in ("method", "restarts", "population", "time_limit_s", '"seed" of'):
        assert name in message


@pytest.mark.parametrize("text", ["[1, 2]", "{", "null"])
def test_files_that_hold_no_settings_are_refused(tmp_path, text):
    path = tmp_path / "settings.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"settings\.json"):
        RegistrationConfig.from_json_file(path)


def test_a_missing_file_is_refused_by_name(tmp_path):
    with pytest.raises(InputError, match=r"absent\.json does not exist"):
        RegistrationConfig.from_json_file(tmp_path / "absent.json")
