"""Short files, short functions, nothing of one machine, no loose ends."""

from __future__ import annotations

import ast
import re
from pathlib import Path

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60

MACHINE_PATHS = re.compile(r"(?<![\w.>})\]~-])/(?:work|home|root|tmp|farm|Users)/\w|\b[A-Z]:\\\\?Users\b")
LOOSE_ENDS = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|X" + r"XX)\b")
PACKAGE_HOSTS = re.compile(r"files\.python" + r"hosted|py" + r"pi\.(?:org|python)|download\.py" + r"torch")


def lines_that_match(repository: Path, files: list[str], pattern: re.Pattern[str]) -> list[str]:
    found = []
    for name in files:
        try:
            text = (repository / name).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{name}:{n}: {line}" for n, line in enumerate(text.splitlines(), 1) if pattern.search(line)]
    return found


def test_files_are_short(repository: Path, python_files: list[str]) -> None:
    lengths = {name: len((repository / name).read_text(encoding="utf-8").splitlines()) for name in python_files}
    assert {name: length for name, length in lengths.items() if length > MAX_FILE_LINES} == {}


def test_functions_are_short(repository: Path, python_files: list[str]) -> None:
    long = {}
    for name in python_files:
        for node in ast.walk(ast.parse((repository / name).read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > MAX_FUNCTION_LINES:
                    long[f"{name}:{node.lineno} {node.name}"] = length
    assert long == {}


def test_docstrings_begin_with_the_noun(repository: Path, python_files: list[str]) -> None:
    begins_with_a_question = re.compile(r"(?:What|Where|How|Which|When|Whether)\b")
    found = []
    for name in python_files:
        if name.startswith("Testing/"):
            continue
        for node in ast.walk(ast.parse((repository / name).read_text(encoding="utf-8"))):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                text = ast.get_docstring(node) or ""
                found += [f"{name}: {text.splitlines()[0]}"] if begins_with_a_question.match(text) else []
    assert found == []


def test_no_path_of_one_machine(repository: Path, tracked_files: list[str]) -> None:
    assert lines_that_match(repository, tracked_files, MACHINE_PATHS) == []


def test_no_loose_ends(repository: Path, tracked_files: list[str]) -> None:
    assert lines_that_match(repository, tracked_files, LOOSE_ENDS) == []


def test_no_package_index_is_wired_in(repository: Path, tracked_files: list[str]) -> None:
    assert lines_that_match(repository, tracked_files, PACKAGE_HOSTS) == []


def test_line_endings_are_unix(repository: Path, tracked_files: list[str]) -> None:
    text_suffixes = {".py", ".md", ".txt", ".json", ".s4ext", ".toml", ".svg", ".ui"}
    texts = [name for name in tracked_files if Path(name).suffix in text_suffixes]
    assert [name for name in texts if b"\r" in (repository / name).read_bytes()] == []
