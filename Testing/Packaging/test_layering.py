"""Imports go down only, from floor to floor and from room to room.

The Slicer side loads in a Slicer in which nothing has been installed yet.
"""

from __future__ import annotations

import ast
import importlib.util
import itertools
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from prostreg.choices import METHODS, PROJECTORS, SIMILARITIES
from ProSTRegistrationLib.Install.Requirements import BROUGHT_BY_SLICER, TORCH_REQUIREMENT

SLICER_SIDE = {
    "slicer",
    "qt",
    "ctk",
    "vtk",
    "vtkmodules",
    "slicer_core",
    "mrml",
    "ProSTRegistrationLib",
    "ProSTRegistration",
}
SHIPPED_BY_SLICER = {"numpy", "SimpleITK", "pydicom"}
NOT_IN_SLICER = {
    "torch", "numba", "cma", "safetensors", "PIL", "tqdm", "scipy", "matplotlib", "distributed", "h5py",
    "lightning_fabric", "tensorboard", "PyTorchUtils",
}  # fmt: skip
LIBRARY = "ProSTRegistration/ProSTRegistrationLib/"
MODULE = "ProSTRegistration/ProSTRegistration.py"
ROOMS = ["Nodes", "Worker", "Bones", "Views", "Install", "root", "Tracking", "Panel"]
"""From the lowest to the highest; the files beside the rooms are the root."""
ENGINE = "ProSTRegistration/prostreg/"
ENGINE_FLOORS = [
    {"root"},
    {"geometry", "similarity"},
    {"images"},
    {"projector", "calibration"},
    {"search", "prost", "simulation"},
    {"registration"},
    {"tracking"},
    {"outputs"},
    {"samples"},
    {"people"},
    {"training"},
    {"evaluation", "worker"},
    {"cli"},
]
"""From the lowest to the highest; a room imports from lower floors only. The files beside the rooms are the root."""
ENGINE_DOORS = {ENGINE + "__init__.py", ENGINE + "__main__.py"}
"""They lead into the rooms: the face, whose names are loaded when they are asked for, and the command line."""
MOST_FILES_IN_A_ROOM = 24
DISTRIBUTIONS = {"PIL": "pillow"}

IMPORT_ALL = """
import importlib, json, pkgutil, sys, types
package, blocked, loaded_first, stand_ins = json.loads(sys.argv[1])

class Anything(type):
    "Stands for whatever the application has: a base class, a decorator, a translation, a widget."
    def __getattr__(cls, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return cls

Thing = Anything("Thing", (), {"__init__": lambda self, *_, **__: None})

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in blocked:
            raise ImportError(f"{name} must not be imported here")
        if name in stand_ins:
            return importlib.machinery.ModuleSpec(name, self)
    def create_module(self, spec):
        module = types.ModuleType(spec.name)
        module.__getattr__ = lambda name: getattr(Thing, name)
        return module
    def exec_module(self, module):
        pass

for name in loaded_first:
    importlib.import_module(name)
before = set(sys.modules)
events = []
watched = ("subprocess.Popen", "os.system", "os.posix_spawn", "os.fork", "socket.connect", "urllib.Request")
sys.addaudithook(lambda event, _: events.append(event) if event in watched else None)
sys.meta_path.insert(0, Finder())
root = importlib.import_module(package)
names = [package]
for info in pkgutil.walk_packages(getattr(root, "__path__", []), package + "."):
    if not info.name.endswith(".__main__"):
        importlib.import_module(info.name)
        names.append(info.name)
assert not set(blocked) & {name.partition(".")[0] for name in set(sys.modules) - before}
assert events == [], events
print(len(names))
"""
APPLICATION = ["qt", "ctk", "slicer.i18n", "slicer.parameterNodeWrapper", "slicer.ScriptedLoadableModule"]

needs_slicer_core = pytest.mark.skipif(
    importlib.util.find_spec("slicer") is None, reason="needs slicer-core: pip install .[scene]"
)


def count_modules_imported(repository: Path, package: str, blocked: set[str], in_slicer: bool = False) -> int:
    """Imports every module of a package in a fresh interpreter where some others cannot be imported.

    Fails too where an import starts a process or opens a connection. ``in_slicer`` loads slicer-core first, and puts
    stand-ins in the place of what only the application has.
    """
    parts = [package, sorted(blocked), ["slicer", "vtk"] if in_slicer else [], APPLICATION if in_slicer else []]
    command = [sys.executable, "-c", IMPORT_ALL, json.dumps(parts)]
    done = subprocess.run(command, cwd=repository / "ProSTRegistration", capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return int(done.stdout.split()[-1])


def statements(tree: ast.Module, at_import: bool) -> Iterator[ast.AST]:
    """All statements, or those that run when the module is imported."""
    if not at_import:
        yield from ast.walk(tree)
        return
    waiting: list[ast.AST] = list(tree.body)
    while waiting:
        node = waiting.pop()
        yield node
        only_for_types = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        if not only_for_types and not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            waiting += ast.iter_child_nodes(node)


def imported_names(file: Path, at_import: bool = False) -> set[str]:
    """Full names of all that a file imports: modules, and what is taken from them."""
    names: set[str] = set()
    for node in statements(ast.parse(file.read_text(encoding="utf-8")), at_import):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert not node.level, f"{file} imports relatively"
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def roots(names: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in names}


def engine_file(repository: Path, name: str) -> Path | None:
    path = repository / "ProSTRegistration" / Path(*name.split("."))
    for file in (path / "__init__.py", path.with_suffix(".py")):
        if file.is_file():
            return file
    return None


def third_party_below(repository: Path, modules: set[str], at_import: bool) -> set[str]:
    """What engine modules and all engine modules that they import need from elsewhere."""
    waiting, seen, needed = list(modules), set(), set()
    while waiting:
        name = waiting.pop()
        parents = {name.rsplit(".", depth)[0] for depth in range(1, name.count(".") + 1)}
        file = engine_file(repository, name)
        if file is None or file in seen:
            continue
        seen.add(file)
        names = imported_names(file, at_import) | parents
        waiting += [found for found in names if found.startswith("prostreg")]
        needed |= roots(names) - {"prostreg"} - sys.stdlib_module_names
    assert seen
    return needed


def library_files(python_files: list[str]) -> list[str]:
    return [name for name in python_files if name.startswith(LIBRARY)]


def room_of(name: str) -> str:
    """The room of a file, or of a module that is imported from the library."""
    parts = name.removeprefix(LIBRARY).removeprefix("ProSTRegistrationLib.").replace("/", ".").split(".")
    return parts[0] if parts[0] in ROOMS else "root"


def offenders(repository: Path, files: list[str], forbidden: set[str]) -> dict[str, set[str]]:
    assert files
    found = {name: roots(imported_names(repository / name)) & forbidden for name in files}
    return {name: names for name, names in found.items() if names}


def test_engine_imports_without_slicer(repository: Path) -> None:
    assert count_modules_imported(repository, "prostreg", SLICER_SIDE) > 20


def test_engine_never_names_slicer(repository: Path, python_files: list[str]) -> None:
    files = [name for name in python_files if name.startswith("ProSTRegistration/prostreg/")]
    assert offenders(repository, files, SLICER_SIDE) == {}


@needs_slicer_core
@pytest.mark.parametrize("package", ["ProSTRegistrationLib", "ProSTRegistration"])
def test_slicer_side_imports_before_anything_is_installed(repository: Path, package: str) -> None:
    assert count_modules_imported(repository, package, NOT_IN_SLICER, in_slicer=True) >= 1


@needs_slicer_core
def test_start_of_slicer_imports_neither_panel_nor_engine_nor_readers(repository: Path) -> None:
    blocked = {*NOT_IN_SLICER, "prostreg", "numpy", "SimpleITK", "pydicom", "PIL"}
    assert count_modules_imported(repository, "ProSTRegistration", blocked, in_slicer=True) == 1


def test_slicer_side_never_names_what_slicer_lacks(repository: Path, python_files: list[str]) -> None:
    assert offenders(repository, [*library_files(python_files), MODULE], NOT_IN_SLICER) == {}


def test_slicer_side_uses_only_parts_of_the_engine_that_load_in_slicer(
    repository: Path, python_files: list[str]
) -> None:
    used = {name for file in library_files(python_files) for name in imported_names(repository / file)}
    engine = {name for name in used if name.startswith("prostreg")}
    assert third_party_below(repository, engine, at_import=True) <= SHIPPED_BY_SLICER


def test_requirements_are_what_the_worker_imports_and_slicer_lacks(repository: Path) -> None:
    chosen = [*PROJECTORS.values(), *SIMILARITIES.values(), *(method.stages for method in METHODS.values())]
    modules = {"prostreg.worker.__main__", *(place.partition(":")[0] for place in chosen)}
    needed = third_party_below(repository, modules, at_import=False) - SHIPPED_BY_SLICER
    names = {DISTRIBUTIONS.get(name, name) for name in needed} - {"torch"}
    lines = (repository / "ProSTRegistration/Resources/requirements.txt").read_text(encoding="utf-8").splitlines()
    requirements = [line for line in lines if not line.startswith("#")]
    assert {line.partition(">=")[0] for line in requirements} == names
    package = (repository / "pyproject.toml").read_text(encoding="utf-8")
    elsewhere = [TORCH_REQUIREMENT, *BROUGHT_BY_SLICER]
    assert [line for line in [*requirements, *elsewhere] if f'"{line}"' not in package] == []


def test_only_the_panel_knows_qt(repository: Path, python_files: list[str]) -> None:
    below = [name for name in library_files(python_files) if room_of(name) != "Panel"]
    assert offenders(repository, below, {"qt", "ctk"}) == {}


def test_rooms_import_only_from_below(repository: Path, python_files: list[str]) -> None:
    imports = [(file, name) for file in library_files(python_files) for name in imported_names(repository / file)]
    upwards = [
        f"{file} imports {name}"
        for file, name in imports
        if name.startswith("ProSTRegistrationLib.") and ROOMS.index(room_of(name)) > ROOMS.index(room_of(file))
    ]
    assert upwards == []


def test_every_room_has_files(python_files: list[str]) -> None:
    assert {room_of(name) for name in library_files(python_files)} == set(ROOMS)


def engine_room(module: str) -> str:
    """The room of a full name such as ``prostreg.search.objective.Objective``."""
    name = module.split(".")[1] if "." in module else ""
    return name if any(name in floor for floor in ENGINE_FLOORS) else "root"


def engine_imports(repository: Path, python_files: list[str]) -> dict[tuple[str, str], set[str]]:
    """The files behind each import of one room from another."""
    imports: dict[tuple[str, str], set[str]] = {}
    for file in python_files:
        if not file.startswith(ENGINE) or file in ENGINE_DOORS:
            continue
        room = engine_room(file.removeprefix("ProSTRegistration/").removesuffix(".py").replace("/", "."))
        for name in imported_names(repository / file):
            if name.partition(".")[0] == "prostreg" and engine_room(name) != room:
                imports.setdefault((room, engine_room(name)), set()).add(file)
    return imports


def drawn_arrows(page: str) -> set[tuple[str, str]]:
    """The arrows between the engine's rooms in the diagram."""
    drawing = page[page.index("subgraph one[") : page.index("client ==")]
    arrows: set[tuple[str, str]] = set()
    for line in re.sub(r'\["[^"]*"\]', "", drawing).splitlines():
        stops = [[room.strip() for room in stop.split("&")] for stop in line.split("-->")]
        for tails, heads in itertools.pairwise(stops):
            arrows |= set(itertools.product(tails, heads))
    return arrows


def below(room: str, arrows: set[tuple[str, str]]) -> set[str]:
    heads = {head for tail, head in arrows if tail == room}
    return heads.union(*(below(head, arrows) for head in heads))


def test_engine_rooms_import_only_from_lower_floors(repository: Path, python_files: list[str]) -> None:
    floor = {room: number for number, rooms in enumerate(ENGINE_FLOORS) for room in rooms}
    imports = engine_imports(repository, python_files)
    assert {pair: files for pair, files in imports.items() if floor[pair[0]] <= floor[pair[1]]} == {}


def test_every_engine_room_has_a_floor(python_files: list[str]) -> None:
    folders = {Path(name).relative_to(ENGINE).parts[0] for name in python_files if name.startswith(ENGINE)}
    rooms = {folder for folder in folders if not folder.endswith(".py")}
    assert rooms | {"root"} == set().union(*ENGINE_FLOORS)


def test_the_diagram_shows_the_engine_as_it_imports(repository: Path, python_files: list[str]) -> None:
    arrows = drawn_arrows((repository / "docs/architecture.md").read_text(encoding="utf-8"))
    imports = set(engine_imports(repository, python_files))
    assert {room for arrow in arrows for room in arrow} == set().union(*ENGINE_FLOORS)
    assert arrows - imports == set()
    assert {(room, used) for room, used in imports if used not in below(room, arrows)} == set()


def test_the_tables_name_every_room(repository: Path) -> None:
    page = (repository / "docs/architecture.md").read_text(encoding="utf-8")
    engine, slicer_side = page.split("| room | what it knows |")[1:]
    for text, rooms in [(engine, set().union(*ENGINE_FLOORS)), (slicer_side.partition("##")[0], set(ROOMS))]:
        named = re.findall(r"^\| `?(\w+)`? \|", text, flags=re.MULTILINE)
        assert sorted(named) == sorted(rooms)


def test_no_room_is_crowded(python_files: list[str]) -> None:
    product = [Path(name) for name in python_files if name.startswith((ENGINE, LIBRARY))]
    files = Counter(path.parent for path in product if path.name != "__init__.py")
    assert {folder: number for folder, number in files.items() if number > MOST_FILES_IN_A_ROOM} == {}


def test_slicer_takes_one_module_from_its_folder(python_files: list[str]) -> None:
    beside_each_other = [name for name in python_files if Path(name).parent == Path("ProSTRegistration")]
    assert beside_each_other == [MODULE]


def test_module_file_has_the_classes_that_slicer_looks_for(repository: Path) -> None:
    tree = ast.parse((repository / MODULE).read_text(encoding="utf-8"))
    classes = {node.name for node in tree.body if isinstance(node, ast.ClassDef)}
    assert {"ProSTRegistration", "ProSTRegistrationWidget"} <= classes
