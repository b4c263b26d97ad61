"""How values of each type lie in a vtkMRMLScriptedModuleNode: as text, nodes as references."""

import enum
import pathlib
import types
import typing
from collections.abc import MutableSequence

import slicer

from SlicerFacade.ParameterNodes.Annotations import Validator, splitAnnotated

PATH_TYPES = (pathlib.Path, pathlib.PurePath, pathlib.PosixPath, pathlib.PurePosixPath)


class TextStorage:
    """A value that is written as one text.

    Args:
        types: a type or a tuple of types that are accepted.
        toText, fromText: functions.
        default: what a parameter without a default starts with.
    """

    def __init__(self, types, toText, fromText, default):
        self._types, self._toText, self._fromText, self.default = types, toText, fromText, default

    def check(self, value):
        if value is None:
            raise ValueError("None is no value of this parameter.")
        if not isinstance(value, self._types):
            raise TypeError(f"{value!r} is not of type {self._types}.")

    def isIn(self, node, name):
        return node.HasParameter(name)

    def write(self, node, name, value):
        node.SetParameter(name, self._toText(value))

    def read(self, node, name):
        return self._fromText(node.GetParameter(name))

    def remove(self, node, name):
        node.UnsetParameter(name)


class NodeStorage:
    """A reference to a node of some classes, or None."""

    default = None

    def __init__(self, nodeClasses):
        self.nodeClasses = tuple(nodeClasses)

    def check(self, value):
        if value is not None and not isinstance(value, self.nodeClasses):
            raise TypeError(f"{value!r} is not of type {self.nodeClasses}.")

    def isIn(self, node, name):
        return node.HasParameter(name)

    def write(self, node, name, value):
        # The text marks that there is a value: None leaves no reference.
        node.SetParameter(name, "")
        node.SetNodeReferenceID(name, None if value is None else value.GetID())

    def read(self, node, name):
        return node.GetNodeReference(name)

    def remove(self, node, name):
        node.UnsetParameter(name)
        node.RemoveNodeReferenceIDs(name)


class ListStorage:
    """A list of values of one type."""

    def __init__(self, item):
        self._item = item

    @property
    def default(self):
        return []

    def check(self, value):
        for item in value:
            self._item.check(item)

    def isIn(self, node, name):
        return node.HasParameter(f"{name}.len")

    def write(self, node, name, value):
        values = list(value)
        with slicer.util.NodeModify(node):
            known = int(node.GetParameter(f"{name}.len")) if self.isIn(node, name) else 0
            for index, item in enumerate(values):
                self._item.write(node, f"{name}.{index}", item)
            for index in range(len(values), known):
                self._item.remove(node, f"{name}.{index}")
            node.SetParameter(f"{name}.len", str(len(values)))

    def read(self, node, name):
        count = int(node.GetParameter(f"{name}.len"))
        return StoredList(self, node, name, [self._item.read(node, f"{name}.{index}") for index in range(count)])

    def remove(self, node, name):
        self.write(node, name, [])
        node.UnsetParameter(f"{name}.len")


class StoredList(MutableSequence):
    """A list that writes every change of itself into the parameter node."""

    def __init__(self, storage, node, name, values):
        self._storage, self._node, self._name, self._values = storage, node, name, values

    def __len__(self):
        return len(self._values)

    def __getitem__(self, index):
        return self._values[index]

    def __setitem__(self, index, value):
        self._replace(lambda values: values.__setitem__(index, value))

    def __delitem__(self, index):
        self._replace(lambda values: values.__delitem__(index))

    def insert(self, index, value):
        self._replace(lambda values: values.insert(index, value))

    def __eq__(self, other):
        return self._values == list(other)

    __hash__ = None

    def __repr__(self):
        return f"StoredList({self._values})"

    def _replace(self, change):
        values = list(self._values)
        change(values)
        self._storage.check(values)
        self._storage.write(self._node, self._name, values)
        self._values = values


class ValidatedStorage:
    """Another storage with validators in front."""

    def __init__(self, storage, validators):
        self._storage, self._validators = storage, validators

    def check(self, value):
        self._storage.check(value)
        for validator in self._validators:
            validator.validate(value)

    def __getattr__(self, name):
        return getattr(self._storage, name)


def storageFor(annotated):
    """The storage for a type, with the validators beside it.

    Raises:
        TypeError: the facade knows no such type.
    """
    base, annotations = splitAnnotated(annotated)
    validators = [found for found in annotations if isinstance(found, Validator)]
    storage = _storageForType(base)
    return ValidatedStorage(storage, validators) if validators else storage


def nodeClassesOf(base):
    """The node classes of a type, of a union of them, or of one with None; empty for other types."""
    isUnion = typing.get_origin(base) in (typing.Union, types.UnionType)
    members = [member for member in typing.get_args(base) if member is not type(None)] if isUnion else [base]
    isNodes = all(isinstance(member, type) and issubclass(member, slicer.vtkMRMLNode) for member in members)
    return tuple(members) if isNodes else ()


def _storageForType(base):
    if base is bool:
        return TextStorage(bool, str, lambda text: text == "True", False)
    if base is int:
        return TextStorage(int, str, int, 0)
    if base is float:
        return TextStorage((int, float), str, float, 0.0)
    if base is str:
        return TextStorage(str, str, str, "")
    if base in PATH_TYPES:
        return TextStorage(base, str, base, base())
    if isinstance(base, type) and issubclass(base, enum.Enum):
        return TextStorage(base, lambda value: value.name, lambda text: base[text], next(iter(base)))
    if typing.get_origin(base) is list:
        return ListStorage(storageFor(typing.get_args(base)[0]))
    if nodeClassesOf(base):
        return NodeStorage(nodeClassesOf(base))
    raise TypeError(f"The facade's parameterNodeWrapper knows no parameters of type {base}.")
