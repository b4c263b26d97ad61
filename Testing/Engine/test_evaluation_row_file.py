"""results.jsonl: nothing lost, nothing doubled, nothing mixed."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from prostreg.errors import InputError
from prostreg.evaluation.engine_digest import engine_digest
from prostreg.evaluation.protocol import Protocol, read_protocol
from prostreg.evaluation.row_file import RowFile
from prostreg.evaluation.rows import Row
from prostreg.folder_lock import only_writer


@pytest.fixture(scope="module")
def protocol() -> Protocol:
    return read_protocol("phantom")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "results.jsonl"


def row_of(protocol: Protocol, number: int, method: str = "cmaes", **changes: object) -> Row:
    row = Row(protocol.name, protocol.version, engine_digest(), number, f"case {number}", method, 7, mtre_mm=0.1 / 3)
    return replace(row, **changes)


def test_rows_come_back_as_they_were_written(path: Path, protocol: Protocol) -> None:
    written = row_of(protocol, 0, attempts=[{"mtre_mm": 1.5, "evidence": {"confirmed": 0.4}}], status="accepted")
    RowFile(path, protocol).append(written)
    assert RowFile(path, protocol).rows == {(0, "cmaes"): written}


def test_a_row_that_is_there_is_not_doubled(path: Path, protocol: Protocol) -> None:
    rows = RowFile(path, protocol)
    rows.append(row_of(protocol, 0))
    rows.append(row_of(protocol, 0))
    RowFile(path, protocol).append(row_of(protocol, 0))
    assert path.read_bytes().count(b"\n") == 1
    assert rows.missing([(0, "cmaes"), (0, "auto"), (1, "cmaes")]) == [(0, "auto"), (1, "cmaes")]


@pytest.mark.parametrize("cut", [1, 40, 200])
def test_a_torn_last_line_is_made_again(path: Path, protocol: Protocol, cut: int) -> None:
    rows = RowFile(path, protocol)
    for number in range(3):
        rows.append(row_of(protocol, number))
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    resumed = RowFile(path, protocol)
    assert sorted(resumed.rows) == [(0, "cmaes"), (1, "cmaes")]
    resumed.append(row_of(protocol, 2))
    assert path.read_bytes() == whole


def test_order_of_making_does_not_show_in_the_sorted_file(path: Path, protocol: Protocol, tmp_path: Path) -> None:
    other = tmp_path / "other.jsonl"
    keys = [(number, method) for number in range(3) for method in ("auto", "cmaes")]
    for file, order in ((path, keys), (other, keys[::-1])):
        rows = RowFile(file, protocol)
        for number, method in order:
            rows.append(row_of(protocol, number, method))
        rows.sort()
        rows.append(row_of(protocol, 9))
    assert path.read_bytes() == other.read_bytes()
    numbers = [json.loads(line)["number"] for line in path.read_text(encoding="utf-8").splitlines()]
    assert numbers == [0, 0, 1, 1, 2, 2, 9]


def test_rows_of_another_protocol_or_version_are_refused(path: Path, protocol: Protocol) -> None:
    RowFile(path, protocol).append(row_of(protocol, 0))
    before = path.read_bytes()
    with pytest.raises(InputError, match="belong to the protocol phantom, not to tracking"):
        RowFile(path, read_protocol("tracking"))
    with pytest.raises(InputError, match="another version of the protocol phantom"):
        RowFile(path, protocol.with_changes(seed=3))
    assert path.read_bytes() == before


def test_rows_of_another_program_are_shown_but_not_added_to(path: Path, protocol: Protocol) -> None:
    RowFile(path, protocol).append(row_of(protocol, 0, engine="0123456789ab"))
    rows = RowFile(path, protocol)
    assert len(rows.rows) == 1
    with pytest.raises(InputError, match="0123456789ab"):
        rows.check_same_engine()


@pytest.mark.parametrize("change", [{"number": []}, {"number": True}, {"method": 1}, {"score": "a"}, {"attempts": 0}])
def test_a_row_with_values_of_another_kind_is_refused(
    path: Path, protocol: Protocol, change: dict[str, object]
) -> None:
    path.write_text(json.dumps({**row_of(protocol, 0).to_dict(), **change}) + "\n", encoding="utf-8")
    with pytest.raises(InputError, match="Line 1"):
        RowFile(path, protocol)


@pytest.mark.parametrize("content", ["[" * 100_000 + "\n", "not a row\n", "[1, 2]\n", '{"case": "a"}\n', "\x00\x01\n"])
def test_a_file_that_holds_no_rows_is_refused_and_left_alone(path: Path, protocol: Protocol, content: str) -> None:
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match="Line 1"):
        RowFile(path, protocol)
    assert path.read_text(encoding="utf-8") == content


@pytest.mark.skipif(sys.platform == "win32", reason="pipes have no names in folders there")
def test_a_pipe_in_its_place_is_not_opened(path: Path, protocol: Protocol) -> None:
    os.mkfifo(path)
    with pytest.raises(InputError, match="it is a pipe or a device and no file"):
        RowFile(path, protocol)


def test_numbers_that_are_not_finite_become_null(path: Path, protocol: Protocol) -> None:
    RowFile(path, protocol).append(row_of(protocol, 0, score=float("nan"), evidence={"runner_up": float("inf")}))
    values = json.loads(path.read_text(encoding="utf-8"))
    assert values["score"] is None
    assert values["evidence"] == {"runner_up": None}


def test_only_one_evaluation_writes_into_a_folder(tmp_path: Path) -> None:
    with only_writer(tmp_path), pytest.raises(InputError, match="Another run"), only_writer(tmp_path):
        pass
    with only_writer(tmp_path):
        pass


def test_rows_of_other_weights_do_not_mix(path: Path, protocol: Protocol) -> None:
    rows = RowFile(path, protocol)
    rows.append(row_of(protocol, 0))
    rows.append(row_of(protocol, 0, "prost", weights="aaa"))
    rows.append(row_of(protocol, 0, "auto", weights=None))
    rows.check_same_weights({"prost": "aaa", "auto": "bbb"})
    with pytest.raises(InputError, match="prost"):
        rows.check_same_weights({"prost": "bbb", "auto": "bbb"})
