"""A short round of each of the fuzzer's groups, the same inputs each time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from fuzz_files import GROUPS, fuzz
from hypothesis import given, settings
from hypothesis import strategies as st
from targets import Target, changed

from Patience import PATIENCE_S
from prostreg.errors import InputError

EXAMPLES = {"image_files": 60, "worker_messages": 60, "weight_files": 40}
USUAL_EXAMPLES = 100


@pytest.mark.parametrize("examples", [USUAL_EXAMPLES, *sorted(set(EXAMPLES.values()))])
def test_nothing_but_results_and_refusals(examples: int) -> None:
    """Groups with as many examples share a process, of which each takes seconds to start."""
    groups = [part for name in GROUPS if EXAMPLES.get(name, USUAL_EXAMPLES) == examples for part in ("--group", name)]
    assert groups
    command = [sys.executable, str(Path(__file__).with_name("fuzz_files.py")), *groups, "--seed", "1"]
    ended = subprocess.run(
        [*command, "--examples", str(examples)],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert ended.returncode == 0, ended.stdout[-3000:] + ended.stderr[-2000:]


def test_every_kind_of_finding_is_reported_once_with_its_smallest_input(tmp_path: Path) -> None:
    def read(path: Path) -> None:
        content = path.read_bytes()
        if len(content) == 2:
            raise InputError("It has two letters.")
        if len(content) == 1:
            raise KeyError(content)
        if content:
            raise TypeError(content)

    found = fuzz("words", Target("words.bin", read, st.binary()), tmp_path, 500, 1)
    assert sorted(finding.split()[1] for finding in found) == ["KeyError", "TypeError"]
    assert {finding.splitlines()[1] for finding in found} == {r"  input: b'\x00'", r"  input: b'\x00\x00\x00'"}
    assert all("seed: 1" in finding for finding in found)


def test_a_refusal_that_steers_the_terminal_is_a_finding(tmp_path: Path) -> None:
    class RudeError(InputError):
        faults = ("Clear\x1b[2J",)

    def read(path: Path) -> None:
        raise RudeError("")

    (finding,) = fuzz("words", Target("words.bin", read, st.binary()), tmp_path, 10, 1)
    assert "steers a terminal" in finding


SOUND = {"a": [1, {"b": 2}]}


@settings(max_examples=100, derandomize=True, database=None)
@given(changed([SOUND]))
def test_changed_values_leave_the_sound_ones_alone(made: object) -> None:
    assert SOUND == {"a": [1, {"b": 2}]}
    assert made is not SOUND
