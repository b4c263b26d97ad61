"""What the static checks want to know of a Qt Designer file and of the Python code that uses it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

PASSIVE = {
    "QWidget", "QFrame", "QLabel", "QGroupBox", "QTabWidget", "QStackedWidget", "QScrollArea", "QProgressBar", "Line",
    "ctkCollapsibleButton", "ctkCollapsibleGroupBox", "qMRMLWidget", "qMRMLCollapsibleButton",
}  # fmt: skip
"""Classes of widgets that show or arrange, and wait for nobody."""

TEXT_PROPERTIES = {"text", "title", "toolTip", "placeholderText", "windowTitle", "suffix", "whatsThis", "statusTip"}


@dataclass(frozen=True)
class Widget:
    """One widget: its class, its name, its own properties as text, and the texts that are barred from translation."""

    kind: str
    name: str
    properties: dict[str, str]
    untranslatable: tuple[str, ...]

    @property
    def parameter(self) -> str | None:
        """The field of the parameter node that it is bound to."""
        return self.properties.get("SlicerParameterName")

    @property
    def is_interactive(self) -> bool:
        return self.kind not in PASSIVE

    @property
    def is_named_by_designer(self) -> bool:
        """Whether it has the name that Qt Designer gives to what it adds: pushButton, pushButton_3."""
        plain = re.sub(r"^(Q|ctk|qMRML|qSlicer|MRML)", "", self.kind)
        return bool(re.fullmatch(rf"(q|ctk|mrml|slicer)*{plain}(_\d+)?", self.name, re.IGNORECASE))


class UiFile:
    """A .ui file.

    Attributes:
        widgets: all of them, the root first.
        names: of widgets, layouts, spacers, actions and button groups, repeated where they are.
        connections: (sender, signal, receiver, slot).
        custom: class -> its header, of the classes that are not Qt's, with a base class.
    """

    def __init__(self, path: Path) -> None:
        root = ElementTree.parse(path).getroot()
        self.widgets = [_widget(element) for element in root.iter("widget")]
        named = ("widget", "layout", "spacer", "action", "buttongroup")
        self.names = [element.get("name", "") for element in root.iter() if element.tag in named]
        parts = ("sender", "signal", "receiver", "slot")
        self.connections = [
            tuple(connection.findtext(part, "") for part in parts) for connection in root.iter("connection")
        ]
        self.custom = {
            custom.findtext("class", ""): custom.findtext("header", "")
            for custom in root.iter("customwidget")
            if custom.findtext("extends")
        }

    @property
    def root(self) -> Widget:
        return self.widgets[0]

    @property
    def scene_users(self) -> set[str]:
        """Names of the widgets that show nodes and have to be told which scene."""
        kinds = {"qSlicerSimpleMarkupsWidget", "qSlicerMarkupsPlaceWidget", "qMRMLSubjectHierarchyTreeView"}
        others = self.widgets[1:]
        return {widget.name for widget in others if widget.kind in kinds or widget.kind.startswith("qMRML")}


def _widget(element: ElementTree.Element) -> Widget:
    properties, untranslatable = {}, []
    for entry in element.findall("property"):
        name = entry.get("name", "")
        text = entry.find("string")
        properties[name] = "".join(entry.itertext()).strip() if text is None else text.text or ""
        if name in TEXT_PROPERTIES and text is not None and text.get("notr") == "true":
            untranslatable.append(name)
    return Widget(element.get("class", ""), element.get("name", ""), properties, tuple(untranslatable))


def parameter_fields(path: Path, class_name: str) -> set[str]:
    """The annotated fields of a parameter node's class."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef) and node.name == class_name:
            return {
                entry.target.id
                for entry in node.body
                if isinstance(entry, ast.AnnAssign) and isinstance(entry.target, ast.Name)
            }
    raise AssertionError(f"{path} has no class {class_name}")


def names_after_ui(tree: ast.AST) -> set[str]:
    """Names X of all ``ui.X``, ``self.ui.X`` and ``self._ui.X``, but for methods of ``ui`` itself."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            owner = node.value
            name = owner.attr if isinstance(owner, ast.Attribute) else owner.id if isinstance(owner, ast.Name) else ""
            if name in ("ui", "_ui"):
                found.add(node.attr)
    return found


def string_constants(tree: ast.AST) -> set[str]:
    return {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}


TEXT_ATTRIBUTES = TEXT_PROPERTIES | {"checkedText"}
TEXT_CALLS = {
    "setText", "setTitle", "setToolTip", "setWindowTitle", "setPlaceholderText", "setSuffix", "setStatusTip",
    "setItemText", "setTabText", "addItem", "addItems", "addAction", "addTab", "showMessage", "showStatus",
    "setHorizontalHeaderLabels", "errorDisplay", "infoDisplay", "warningDisplay", "messageBox", "delayDisplay",
    "confirmOkCancelDisplay", "confirmYesNoDisplay", "QLabel", "QPushButton", "QListWidgetItem", "QTableWidgetItem",
    "QAction",
}  # fmt: skip


def wrong_translations(tree: ast.AST) -> list[str]:
    """Calls of ``_`` that lupdate cannot read: it finds only plain literals."""
    return [
        f"{node.lineno}: {ast.unparse(node)}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "_"
        and not (len(node.args) == 1 and isinstance(node.args[0], ast.Constant) and not node.keywords)
    ]


def untranslated_texts(tree: ast.AST) -> list[str]:
    """Literals with words that reach a person without having gone through ``_``."""
    found = []
    for node in ast.walk(tree):
        values: list[ast.expr] = []
        if isinstance(node, ast.Assign):
            targets = {target.attr for target in node.targets if isinstance(target, ast.Attribute)}
            values = [node.value] if targets & TEXT_ATTRIBUTES else []
        elif isinstance(node, ast.Call):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            values = list(node.args) if name in TEXT_CALLS else []
        for value in values:
            found += [f"{node.lineno}: {text!r}" for text in _bare_words(value)]
    return found


def _bare_words(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Constant):
        if isinstance(node.value, str) and re.search(r"[^\W\d_]{2}", node.value):
            yield node.value
    elif isinstance(node, ast.Subscript):
        yield from _bare_words(node.value)
    elif isinstance(node, ast.Call):
        # What a function makes of a text is that function's business, but for joining and filling in.
        if isinstance(node.func, ast.Attribute):
            yield from _bare_words(node.func.value)
            if node.func.attr in ("format", "join"):
                for value in (*node.args, *(keyword.value for keyword in node.keywords)):
                    yield from _bare_words(value)
    elif not isinstance(node, ast.Compare | ast.Lambda):
        for child in ast.iter_child_nodes(node):
            yield from _bare_words(child)
