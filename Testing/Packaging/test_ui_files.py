"""The panel's .ui file, the parameter node and the code that uses both fit together."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest
from ui_file import (
    UiFile,
    names_after_ui,
    parameter_fields,
    string_constants,
    untranslated_texts,
    wrong_translations,
)

FOLDER = Path(__file__).resolve().parents[2] / "ProSTRegistration"
UI_PATHS = sorted((FOLDER / "Resources" / "UI").glob("*.ui"))
PARAMETER_NODE = FOLDER / "ProSTRegistrationLib" / "ParameterNode.py"
SCENE_SIGNAL, SCENE_SLOT = "mrmlSceneChanged(vtkMRMLScene*)", "setMRMLScene(vtkMRMLScene*)"

HIDDEN_FIELDS = {
    "anatomyParts": "a list with check boxes, which no connector knows; the panel fills and reads it",
    "sliderReference": "what the sliders count from; the panel keeps it when the first of them moves",
    "startedBy": "told in words, not chosen",
}

each_ui = pytest.mark.parametrize("ui", [pytest.param(UiFile(path), id=path.name) for path in UI_PATHS], scope="module")


@pytest.fixture(scope="module")
def panel_code() -> dict[str, ast.Module]:
    """The trees of all files that handle widgets, by their names."""
    files = [*sorted((FOLDER / "ProSTRegistrationLib" / "Panel").glob("*.py")), FOLDER / "ProSTRegistration.py"]
    return {file.name: ast.parse(file.read_text(encoding="utf-8")) for file in files}


@each_ui
def test_root_is_what_loads_the_scene(ui: UiFile) -> None:
    assert ui.root.kind == "qMRMLWidget"


@each_ui
def test_names_are_unique_and_chosen(ui: UiFile) -> None:
    assert [name for name, count in Counter(ui.names).items() if count > 1 or not name] == []
    kinds = Counter(widget.kind for widget in ui.widgets)
    # The only one of its kind is clear enough.
    assert [w.name for w in ui.widgets if w.is_named_by_designer and (kinds[w.kind] > 1 or w.name[-1].isdigit())] == []


@each_ui
def test_widgets_are_bound_to_fields_that_exist(ui: UiFile) -> None:
    fields = parameter_fields(PARAMETER_NODE, "ProSTRegistrationParameterNode")
    bound = [widget.parameter for widget in ui.widgets if widget.parameter is not None]
    assert [name for name, count in Counter(bound).items() if count > 1] == []
    assert sorted(set(bound) - fields) == []
    assert sorted(fields - set(bound) - HIDDEN_FIELDS.keys()) == []
    assert sorted(HIDDEN_FIELDS.keys() - fields | set(bound) & HIDDEN_FIELDS.keys()) == []


@each_ui
def test_node_widgets_hear_of_the_scene(ui: UiFile) -> None:
    told = {
        receiver
        for sender, signal, receiver, slot in ui.connections
        if (sender, signal, slot) == (ui.root.name, SCENE_SIGNAL, SCENE_SLOT)
    }
    assert sorted(ui.scene_users - told) == []


@each_ui
def test_connections_end_at_widgets_that_exist(ui: UiFile) -> None:
    ends = {end for sender, _, receiver, _ in ui.connections for end in (sender, receiver)}
    assert sorted(ends - set(ui.names)) == []


@each_ui
def test_code_uses_widgets_that_exist_and_all_that_wait_for_people(
    ui: UiFile, panel_code: dict[str, ast.Module]
) -> None:
    used = {name: names_after_ui(tree) for name, tree in panel_code.items()}
    unknown = {name: sorted(found - set(ui.names)) for name, found in used.items() if found - set(ui.names)}
    assert unknown == {}
    mentioned = set.union(*used.values(), *(string_constants(tree) for tree in panel_code.values()))
    idle = [widget.name for widget in ui.widgets if widget.is_interactive and not widget.parameter]
    linked = {end for sender, _, receiver, slot in ui.connections if slot != SCENE_SLOT for end in (sender, receiver)}
    assert sorted(set(idle) - mentioned - linked) == []


@each_ui
def test_texts_can_be_translated(ui: UiFile) -> None:
    assert [(widget.name, widget.untranslatable) for widget in ui.widgets if widget.untranslatable] == []
    loose = [
        (widget.name, name)
        for widget in ui.widgets
        for name in ("text", "title", "toolTip", "placeholderText")
        if (text := widget.properties.get(name)) is not None and text != text.strip()
    ]
    assert loose == []


@each_ui
def test_every_widget_that_waits_for_people_explains_itself(ui: UiFile) -> None:
    silent = [widget.name for widget in ui.widgets if widget.is_interactive and not widget.properties.get("toolTip")]
    assert silent == []


@each_ui
def test_widgets_that_are_not_qts_are_declared(ui: UiFile) -> None:
    foreign = {widget.kind for widget in ui.widgets if not widget.kind.startswith("Q") and widget.kind != "Line"}
    assert sorted(foreign - ui.custom.keys()) == []
    assert sorted(ui.custom.keys() - foreign) == []
    assert [kind for kind, header in ui.custom.items() if not header] == []


def test_texts_of_the_panel_are_translated(panel_code: dict[str, ast.Module]) -> None:
    assert {name: bare for name, tree in panel_code.items() if (bare := untranslated_texts(tree))} == {}


def test_translations_are_plain_literals(panel_code: dict[str, ast.Module]) -> None:
    trees = {**panel_code, PARAMETER_NODE.name: ast.parse(PARAMETER_NODE.read_text(encoding="utf-8"))}
    assert {name: wrong for name, tree in trees.items() if (wrong := wrong_translations(tree))} == {}


FAULTY = """<ui version="4.0"><class>Faulty</class>
<widget class="qMRMLWidget" name="Faulty"><layout class="QVBoxLayout" name="rows">
<item><widget class="QPushButton" name="pushButton_3"><property name="text"><string notr="true">Go</string></property>
</widget></item>
<item><widget class="qMRMLNodeComboBox" name="ctSelector"><property name="SlicerParameterName" stdset="0">
<string>ct</string></property></widget></item>
<item><widget class="QLabel" name="ctSelector"/></item></layout></widget>
<customwidgets><customwidget><class>qMRMLWidget</class><extends>QWidget</extends><header>qMRMLWidget.h</header>
</customwidget></customwidgets>
<connections><connection><sender>Faulty</sender><signal>a()</signal><receiver>gone</receiver><slot>b()</slot>
</connection></connections></ui>"""


def test_the_checks_find_faults(tmp_path: Path) -> None:
    (tmp_path / "faulty.ui").write_text(FAULTY)
    ui = UiFile(tmp_path / "faulty.ui")
    with pytest.raises(AssertionError, match="ctSelector"):
        test_names_are_unique_and_chosen(ui)
    for check in (
        test_node_widgets_hear_of_the_scene,
        test_connections_end_at_widgets_that_exist,
        test_texts_can_be_translated,
        test_every_widget_that_waits_for_people_explains_itself,
        test_widgets_that_are_not_qts_are_declared,
        test_widgets_are_bound_to_fields_that_exist,
    ):
        with pytest.raises(AssertionError):
            check(ui)
    with pytest.raises(AssertionError):
        test_code_uses_widgets_that_exist_and_all_that_wait_for_people(ui, {"a.py": ast.parse("self._ui.goButton")})


@pytest.mark.parametrize(
    "code",
    ["w.text = 'Go on'", "w.setText(f'{n} poses')", "w.toolTip = 'One' if a == 'yes' else _('Two')",
     "showStatus(label, '{} of {} rows'.format(1, 2))"],
)  # fmt: skip
def test_the_check_finds_texts_without_translation(code: str) -> None:
    assert untranslated_texts(ast.parse(code))


@pytest.mark.parametrize("code", ["w.text = _('Go').format(a['key'])", "w.suffix = ' °'", "w.setText(words(n, 'key'))"])
def test_the_check_leaves_other_texts_alone(code: str) -> None:
    assert untranslated_texts(ast.parse(code)) == []


def test_the_check_finds_what_cannot_be_translated() -> None:
    code = "_(f'{n} poses')\n_('a' + b)\n_(text)\n_('fine, '\n 'in two lines')"
    assert [entry.partition(":")[0] for entry in wrong_translations(ast.parse(code))] == ["1", "2", "3"]
