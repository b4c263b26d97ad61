"""Faults: several readers are tried, and every reason is told at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from prostreg.errors import LONGEST_SENTENCE, DeviceError, FaultList, InputError, Stopped, WeightsError


def _raiser(error: Exception) -> object:
    raise error


def test_every_reason_of_several_readers_is_told_in_their_order() -> None:
    faults = FaultList()
    assert faults.collect(lambda: 7) == 7
    assert faults.collect(lambda: _raiser(InputError(["The CT is empty.", "The CT is flat."])), "case.json: ") is None
    faults.collect(lambda: _raiser(WeightsError("The weights are damaged.")))
    faults.collect(lambda: _raiser(DeviceError("There is no such device.")))
    with pytest.raises(InputError) as raised:
        faults.raise_if_any()
    assert raised.value.faults == [
        "case.json: The CT is empty.",
        "case.json: The CT is flat.",
        "The weights are damaged.",
        "There is no such device.",
    ]


def test_a_file_that_the_system_refuses_is_named(tmp_path: Path) -> None:
    faults = FaultList()
    assert faults.collect(lambda: (tmp_path / "x.raw").read_bytes()) is None
    assert faults.faults[0].startswith(f"The file {tmp_path / 'x.raw'} cannot be read (")


@pytest.mark.parametrize("error", [Stopped("Enough."), OSError("no file has to do with it"), ValueError("a defect")])
def test_what_is_no_fault_of_the_input_is_not_collected(error: Exception) -> None:
    with pytest.raises(type(error)):
        FaultList().collect(lambda: _raiser(error))


def test_every_error_on_purpose_tells_its_faults() -> None:
    assert WeightsError("The weights are damaged.").faults == ["The weights are damaged."]
    assert InputError(["One.", "Two."]).faults == ["One.", "Two."]


def test_what_is_quoted_breaks_no_line_and_steers_no_terminal() -> None:
    error = InputError(['The case\'s name "a\nb\x1b[2J\udcff" is too long: ü 🦴.', "x" * 5000 + ": choose another."])
    assert error.faults[0] == 'The case\'s name "a\\nb\\x1b[2J\\udcff" is too long: ü 🦴.'
    assert error.faults[1].startswith("x" * (LONGEST_SENTENCE // 2) + " ... x")
    assert error.faults[1].endswith("x: choose another.")
    assert len(error.faults[1]) == LONGEST_SENTENCE + len(" ... ")
    assert str(error).count("\n") == 1
    assert str(WeightsError("There is no network '\x1b[2J'.")) == "There is no network '\\x1b[2J'."
