"""docs/reference.md names all that prostreg offers and what docs/extending.md builds on, and its examples run."""

from __future__ import annotations

import doctest
import importlib
import re
from pathlib import Path

import pytest
from PhantomImages import phantom_case_in

import prostreg

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "reference.md").read_text(encoding="utf-8")
NAMED = re.findall(r"^::: (\S+)$", PAGE, flags=re.MULTILINE)


def test_it_names_all_that_is_offered() -> None:
    assert sorted(name.removeprefix("prostreg.") for name in NAMED if name.count(".") == 1) == sorted(
        [*prostreg.__all__, "choices"]
    )


def test_it_names_what_extensions_take_from_the_seams() -> None:
    extending = (DOCS / "extending.md").read_text(encoding="utf-8")
    seams = set(re.findall(r"\(\.\./ProSTRegistration/(prostreg/\S+)\.py\)", extending))
    assert len(seams) > 3
    pages = {name if name == "prostreg.choices" else name.rpartition(".")[0] for name in NAMED}
    assert {seam.replace("/", ".") for seam in seams} <= pages


@pytest.mark.parametrize("name", NAMED)
def test_each_name_is_there(name: str) -> None:
    module, _, thing = name.rpartition(".")
    assert hasattr(importlib.import_module(module), thing)


def test_its_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(phantom_case_in(tmp_path, seed=1).parent)
    test = doctest.DocTestParser().get_doctest(PAGE, {}, "reference.md", None, 0)
    assert len(test.examples) > 20
    said: list[str] = []
    doctest.DocTestRunner(verbose=False).run(test, out=said.append)
    assert said == []
