"""JSON files at every door of the command line: what Windows' Notepad writes is read, what is no JSON is told in words.

A door is shown to have read its file by a fault that only the file's content can cause.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from prostreg.cli.main import main
from prostreg.errors import InputError
from prostreg.files import MOST_TEXT_BYTES
from prostreg.json_fields import json_content
from prostreg.training.config_files import CONFIGS_FOLDER

UNKNOWN = {"colour": "red"}
DOORS = {
    "register CASE": (["register", "FILE", "--out", "out"], UNKNOWN, '"colour"'),
    "register --config": (["register", "none.json", "--out", "out", "--config", "FILE"], UNKNOWN, '"colour"'),
    "drr CASE": (["drr", "FILE", "--pose", "none.tfm", "--out", "x.png"], UNKNOWN, '"colour"'),
    "drr --pose": (["drr", "none.json", "--pose", "FILE", "--out", "x.png"], UNKNOWN, "no entry world_from_volume"),
    "adapt CASE": (["adapt", "FILE"], UNKNOWN, '"colour"'),
    "simulate --camera": (
        ["simulate", "none.nii", "--camera", "FILE", "--pose", "none.tfm", "--out", "x.tif"],
        {"K": 1, **UNKNOWN},
        '"colour"',
    ),
    "simulate --pose": (
        ["simulate", "none.nii", "--camera", "none.json", "--pose", "FILE", "--out", "x.tif"],
        UNKNOWN,
        "no entry world_from_volume",
    ),
    "simulate --settings": (
        ["simulate", "none.nii", "--camera", "none.json", "--pose", "none.tfm", "--out", "x.tif", "--settings", "FILE"],
        UNKNOWN,
        '"colour"',
    ),
    "evaluate --protocol": (["evaluate", "--protocol", "FILE", "--out", "out"], UNKNOWN, '"colour"'),
    "train CONFIG": (["train", "FILE", "--out", "out"], UNKNOWN, '"colour"'),
    "train, its patients": (["train", "config.json", "--out", "out"], {"patients": [], **UNKNOWN}, '"colour"'),
}
BOM = b"\xef\xbb\xbf"


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = json.loads((CONFIGS_FOLDER / "prost-light.json").read_text(encoding="utf-8"))
    Path("config.json").write_text(json.dumps({**config, "patients": "file.json"}), encoding="utf-8")


@pytest.mark.parametrize("mark", [b"", BOM], ids=["plain", "BOM"])
@pytest.mark.parametrize("door", DOORS)
def test_every_door_reads_what_notepad_writes(capsys: pytest.CaptureFixture[str], door: str, mark: bytes) -> None:
    words, content, fault = DOORS[door]
    Path("file.json").write_bytes(mark + json.dumps(content).encode())
    assert main([word.replace("FILE", "file.json") for word in words]) == 2
    assert fault in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"{'a': 1}", "is not valid JSON: Expecting property name enclosed in double quotes in line 1, column 2."),
        (b"[" * 99_999, "its brackets are nested without end"),
        (b"[1, 2]", "must hold one JSON object"),
        (b"\xff{}", "cannot be read as text"),
        (b'{"b": {"a": 1, "a": 2}}', 'gives "a" twice: leave one of them out'),
        (None, "does not exist: check the path"),
    ],
    ids=["quotes", "deep", "list", "bytes", "twice", "missing"],
)
@pytest.mark.parametrize("door", DOORS)
def test_every_door_says_what_is_wrong_with_a_file(
    capsys: pytest.CaptureFixture[str], door: str, content: bytes | None, fault: str
) -> None:
    if content is not None:
        Path("file.json").write_bytes(content)
    assert main([word.replace("FILE", "file.json") for word in DOORS[door][0]]) == 2
    told = capsys.readouterr().err
    assert "file.json" in told
    assert fault in told
    assert "defect" not in told


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "9" * 400])
@pytest.mark.parametrize(
    ("door", "key"), [("register --config", "time_limit_s"), ("simulate --settings", "gamma"), ("train CONFIG", "clip")]
)
def test_numbers_that_are_not_finite_are_told_by_key_and_file(
    capsys: pytest.CaptureFixture[str], door: str, key: str, number: str
) -> None:
    Path("file.json").write_text(f'{{"{key}": {number}}}', encoding="utf-8")
    assert main([word.replace("FILE", "file.json") for word in DOORS[door][0]]) == 2
    told = [line for line in capsys.readouterr().err.splitlines() if f'"{key}"' in line]
    assert len(told) == 1
    assert "file.json is " in told[0]


def test_numbers_that_no_integer_holds_are_no_defect() -> None:
    Path("file.json").write_text('{"a": ' + "9" * 5000 + ', "b": 9007199254740993}', encoding="utf-8")
    content = json_content(Path("file.json"), "case file")
    assert content == {"a": float("inf"), "b": 9007199254740993}


@pytest.mark.skipif(sys.platform == "win32", reason="pipes have no names in folders there")
def test_pipes_and_devices_are_not_opened() -> None:
    os.mkfifo("pipe.json")
    Path("device.json").symlink_to("/dev/zero")
    for name in ("pipe.json", "device.json"):
        with pytest.raises(InputError, match="it is a pipe or a device and no file"):
            json_content(Path(name), "case file")


def test_a_text_that_no_one_has_written_is_not_read_into_the_memory() -> None:
    with Path("endless.json").open("wb") as file:
        file.truncate(MOST_TEXT_BYTES + 1)
    with pytest.raises(InputError, match="it has more than 16 MiB"):
        json_content(Path("endless.json"), "case file")


def test_a_folder_is_no_file() -> None:
    Path("folder.json").mkdir()
    with pytest.raises(InputError, match=r"The case file folder\.json cannot be read \(.+\): check its path"):
        json_content(Path("folder.json"), "case file")


@pytest.mark.parametrize("door", DOORS)
def test_every_door_refuses_half_a_character_in_words(capsys: pytest.CaptureFixture[str], door: str) -> None:
    words, content, _ = DOORS[door]
    Path("file.json").write_text(json.dumps({**content, "name": "\udcff"}), encoding="utf-8")
    assert main([word.replace("FILE", "file.json") for word in words]) == 2
    assert "half of a character" in capsys.readouterr().err


@pytest.mark.parametrize("door", DOORS)
def test_every_door_refuses_a_name_that_is_too_long_in_words(capsys: pytest.CaptureFixture[str], door: str) -> None:
    words, _, _ = DOORS[door]
    if door != "train, its patients":
        assert main([word.replace("FILE", "x" * 300 + ".json") for word in words]) == 2
        assert "File name too long" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["register", "none.json", "--out", "x" * 300],
        ["drr", "none.json", "--pose", "none.tfm", "--out", "x" * 300 + ".png"],
        ["drr", "none.json", "--pose", "none.tfm", "--out", ".png"],
        ["evaluate", "--protocol", "phantom", "--out", "x" * 300],
        ["train", "config.json", "--out", "x" * 300],
    ],
)
def test_outputs_with_names_that_cannot_be_are_refused_in_words(
    capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    assert main(words) == 2
    said = capsys.readouterr().err
    assert "File name too long" in said or "has no known ending" in said
