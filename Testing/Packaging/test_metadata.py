"""CMake, the catalogue entry, the s4ext, the change log and the package tell one story."""

from __future__ import annotations

import json
import re
from pathlib import Path, PurePosixPath

import pytest
from PIL import Image

import prostreg

SHIPPED = {".py", ".ui", ".png", ".svg", ".json", ".ptx", ".safetensors", ".txt"}


def cmake_lists(file: Path) -> dict[str, list[str]]:
    """All ``set(NAME value ...)`` of a CMake file, comments left out, ``${NAME}`` of earlier ones put in."""
    text = re.sub(r"#[^\n]*", "", file.read_text(encoding="utf-8"))
    values: dict[str, list[str]] = {}
    for name, body in re.findall(r"\bset\(\s*(\w+)([^)\"]*(?:\"[^\"]*\"[^)\"]*)*)\)", text):
        words = [quoted or bare for quoted, bare in re.findall(r"\"([^\"]*)\"|([^\s\"]+)", body)]
        values[name] = [re.sub(r"\$\{(\w+)\}", lambda match: " ".join(values[match[1]]), word) for word in words]
    return values


@pytest.fixture(scope="module")
def extension(repository: Path) -> dict[str, str]:
    """EXTENSION_... of the root CMakeLists.txt, keys in small letters without the prefix."""
    values = cmake_lists(repository / "CMakeLists.txt")
    prefix = "EXTENSION_"
    return {name[len(prefix) :].lower(): " ".join(words) for name, words in values.items() if name.startswith(prefix)}


@pytest.fixture(scope="module")
def s4ext(repository: Path) -> dict[str, str]:
    lines = (repository / "ProSTRegistration.s4ext").read_text(encoding="utf-8").splitlines()
    pairs = [line.partition(" ") for line in lines if line and not line.startswith("#")]
    return {key: value for key, _, value in pairs}


@pytest.fixture(scope="module")
def catalogue(repository: Path) -> dict[str, object]:
    entry: dict[str, object] = json.loads((repository / "ProSTRegistration.json").read_text(encoding="utf-8"))
    return entry


def test_project_is_named_like_its_catalogue_entry(repository: Path) -> None:
    assert "project(ProSTRegistration)" in (repository / "CMakeLists.txt").read_text(encoding="utf-8")


def test_s4ext_says_what_cmake_says(extension: dict[str, str], s4ext: dict[str, str]) -> None:
    assert extension
    assert {key: s4ext.get(key) for key in extension} == extension


def test_catalogue_says_what_cmake_says(extension: dict[str, str], catalogue: dict[str, object]) -> None:
    assert catalogue["build_dependencies"] == [name for name in extension["depends"].split() if name != "NA"]
    assert catalogue["category"] == extension["category"]
    assert catalogue["tier"] == int(extension["tier"])
    assert catalogue["scm_url"] == extension["homepage"]


def test_s4ext_says_what_the_catalogue_says(catalogue: dict[str, object], s4ext: dict[str, str]) -> None:
    assert s4ext["scm"] == catalogue["scm_type"]
    assert s4ext["scmurl"] == catalogue["scm_url"]
    assert s4ext["scmrevision"] == catalogue["scm_revision"]
    assert s4ext["build_subdirectory"] == catalogue["build_subdirectory"]
    assert (s4ext["enabled"] == "1") == catalogue["enabled"]


def test_catalogue_has_keys_and_values_of_its_schema(catalogue: dict[str, object]) -> None:
    """Slicer's schema 1.0.2, the newest: Schemas/slicer-extension-catalog-entry-schema-v1.0.2.json of its sources."""
    assert str(catalogue["$schema"]).endswith("/slicer-extension-catalog-entry-schema-v1.0.2.json#")
    types = {
        "$schema": str, "category": str, "scm_url": str, "scm_revision": str, "scm_type": str,
        "build_dependencies": list, "build_subdirectory": str, "enabled": bool, "tier": int,
    }  # fmt: skip
    assert {"$schema", "category", "scm_url"} <= set(catalogue)
    assert {key: type(value) for key, value in catalogue.items()} == {key: types[key] for key in catalogue}
    assert catalogue["scm_type"] in ("git", "local")
    assert catalogue["tier"] in range(1, 6)


def test_index_would_take_the_extension(repository: Path, catalogue: dict[str, object]) -> None:
    """What the index's scripts/check_description_files.py and its form for new extensions look for in a repository."""
    assert catalogue["category"] == "Registration"
    scheme, _, path = str(catalogue["scm_url"]).partition("://")
    assert scheme in ("https", "git")
    assert "slicer" in path.rpartition("/")[2].lower()
    assert (repository / "LICENSE.txt").is_file()
    homepage = (repository / "README.md").read_text(encoding="utf-8")
    assert re.search(r"^!\[", homepage, flags=re.M)
    assert "doi" in homepage
    assert "Apache-2.0" in homepage
    cmake = (repository / "CMakeLists.txt").read_text(encoding="utf-8")
    for pattern in (r'set\(EXTENSION_ICONURL "(http[^" ]+\.png)"\)', r'set\(EXTENSION_SCREENSHOTURLS "(http[^"]+)"\)'):
        assert re.search(pattern, cmake), pattern


def test_only_extensions_that_are_used_are_depended_upon(
    repository: Path, python_files: list[str], catalogue: dict[str, object]
) -> None:
    """A dependency is installed with the extension; torch comes by pip, not by the extension PyTorch."""
    modules = {"PyTorch": "PyTorchUtils"}
    texts = [
        (repository / name).read_text(encoding="utf-8")
        for name in python_files
        if name.startswith("ProSTRegistration/")
    ]
    used = [name for name, module in modules.items() if any(module in text for text in texts)]
    assert catalogue["build_dependencies"] == used


def test_pictures_of_the_catalogue_are_in_the_repository(
    repository: Path, tracked_files: list[str], extension: dict[str, str]
) -> None:
    icon, *screenshots = [
        url.partition("/main/")[2] for url in f"{extension['iconurl']} {extension['screenshoturls']}".split()
    ]
    assert screenshots
    assert {icon, *screenshots} <= set(tracked_files)
    with Image.open(repository / icon) as picture:
        assert picture.size == (128, 128)


def test_cmake_lists_every_file_of_the_module_and_no_other(repository: Path, tracked_files: list[str]) -> None:
    values = cmake_lists(repository / "ProSTRegistration" / "CMakeLists.txt")
    listed = values["MODULE_PYTHON_SCRIPTS"] + values["MODULE_PYTHON_RESOURCES"]
    paths = [PurePosixPath(name) for name in tracked_files]
    shipped = {
        str(path.relative_to("ProSTRegistration"))
        for path in paths
        if path.parts[0] == "ProSTRegistration" and path.suffix in SHIPPED and path.name != "CMakeLists.txt"
    }
    assert len(listed) == len(set(listed))
    assert sorted(shipped - set(listed)) == [], "not in ProSTRegistration/CMakeLists.txt: Slicer would not install it"
    assert sorted(set(listed) - shipped) == [], "in ProSTRegistration/CMakeLists.txt, but not in git"


def test_module_icon_is_where_slicer_looks(tracked_files: list[str]) -> None:
    assert "ProSTRegistration/Resources/Icons/ProSTRegistration.svg" in tracked_files


def test_newest_release_in_the_change_log_is_this_version(repository: Path) -> None:
    releases = re.findall(r"^## \[(\d[^\]]*)\]", (repository / "CHANGELOG.md").read_text(encoding="utf-8"), flags=re.M)
    assert releases[0] == prostreg.__version__


def test_licence_is_apache_2(repository: Path) -> None:
    text = (repository / "LICENSE.txt").read_text(encoding="utf-8")
    assert "Apache License\n                           Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text
