"""What docs/installation.md says of systems and Slicers is what pip finds for them today, asked once a day."""

from __future__ import annotations

import datetime
import re
from pathlib import Path

import pytest
import resolve_packages
from resolve_packages import NUMPY_OF_SLICER, TAGS, TORCH_REQUIREMENT, needed_and_wanted, resolved

each_system = pytest.mark.parametrize("system", list(TAGS))
each_slicer = pytest.mark.parametrize("slicer_version", list(NUMPY_OF_SLICER))


@pytest.fixture(scope="module")
def table(repository: Path) -> dict[tuple[str, str], list[str]]:
    """(System, Slicer) -> cells for needed packages, numba and torch."""
    text = (repository / "docs" / "installation.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([\w ]+) \| (5\.\d+) \(numpy [\d.]+\) \| (.+) \|$", text, flags=re.M)
    return {(system, version): cells.split(" | ") for system, version, cells in rows}


def found(request: pytest.FixtureRequest, texts: list[str], system: str, slicer_version: str) -> list[str] | None:
    """What pip finds, or found earlier today."""
    cache = request.config.cache
    assert cache is not None
    key = "packages/" + "_".join([*texts, system, slicer_version]).translate(str.maketrans(">= .", "____"))
    today = datetime.date.today().isoformat()
    kept = cache.get(key, None)
    if kept is not None and kept[0] == today:
        return kept[1]  # type: ignore[no-any-return]
    is_torch = texts == [TORCH_REQUIREMENT]
    try:
        answer = resolved(texts, TAGS[system], NUMPY_OF_SLICER[slicer_version], with_needs=not is_torch)
    except ConnectionError as error:
        pytest.skip(f"no package index answers: {str(error).strip().splitlines()[-1]}")
    cache.set(key, [today, answer])
    return answer


def test_the_table_has_every_system_and_slicer(table: dict[tuple[str, str], list[str]]) -> None:
    assert set(table) == {(system, version) for system in TAGS for version in NUMPY_OF_SLICER}


@each_slicer
@each_system
def test_needed_packages_go_with_slicers_numpy(
    request: pytest.FixtureRequest, table: dict[tuple[str, str], list[str]], system: str, slicer_version: str
) -> None:
    needed, wanted = needed_and_wanted()
    has_wanted = table[system, slicer_version][1] != "none"
    packages = found(request, needed + wanted if has_wanted else needed, system, slicer_version)
    assert packages is not None
    assert f"numpy {NUMPY_OF_SLICER[slicer_version]}" in packages
    assert ("numba" in {package.partition(" ")[0] for package in packages}) == has_wanted


@each_system
def test_torch_is_there_where_the_table_has_one(
    request: pytest.FixtureRequest, table: dict[tuple[str, str], list[str]], system: str
) -> None:
    newest = list(NUMPY_OF_SLICER)[-1]
    packages = found(request, [TORCH_REQUIREMENT], system, newest)
    assert (packages is None) == (table[system, newest][2] == "none")


def test_where_the_table_has_no_numba_there_is_none(
    request: pytest.FixtureRequest, table: dict[tuple[str, str], list[str]]
) -> None:
    without = [place for place, cells in table.items() if cells[1] == "none"]
    _, wanted = needed_and_wanted()
    assert without
    assert {place: found(request, wanted, *place) for place in without} == dict.fromkeys(without)


def test_no_index_is_not_taken_for_no_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(ConnectionError):
        resolve_packages.resolved(["cma"], TAGS["Linux x86_64"], NUMPY_OF_SLICER["5.12"])
