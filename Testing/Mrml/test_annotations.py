"""Annotations of the Slicer side name classes that there are: to mypy all that comes from slicer is Any."""

import ast
from pathlib import Path

import pytest
import slicer

import ProSTRegistrationLib

FOLDER = Path(ProSTRegistrationLib.__file__).parent


def _namesForTypes(tree):
    for block in tree.body:
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING":
            for statement in block.body:
                if isinstance(statement, ast.ImportFrom) and statement.module == "slicer":
                    yield from (alias.name for alias in statement.names)


def _used():
    files = {file.relative_to(FOLDER): ast.parse(file.read_text(encoding="utf-8")) for file in FOLDER.rglob("*.py")}
    return sorted({(name, str(file)) for file, tree in files.items() for name in _namesForTypes(tree)})


def test_wrapped_classes_are_named_at_all():
    assert len(_used()) > 50


@pytest.mark.parametrize(("name", "file"), _used())
def test_wrapped_class_exists(name, file):
    assert isinstance(getattr(slicer, name, None), type), f"{file} names slicer.{name}"
