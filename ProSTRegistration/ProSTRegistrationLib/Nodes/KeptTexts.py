"""Texts that a scene keeps: in attributes, and in the cells of a table node.

A person, another program or a damaged scene may have changed them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import vtk

from prostreg.geometry.frames import Matrix
from prostreg.json_fields import is_number, parsed_json

if TYPE_CHECKING:
    from slicer import vtkMRMLTableNode


_WHOLE = re.compile(r"-?[0-9]{1,10}")


def keptJson(text: str | None) -> Any:
    """The value that a text of JSON holds; None where there is none, or it is damaged."""
    try:
        return parsed_json(text or "null")
    except (ValueError, RecursionError):
        return None


def keptPose(text: str | None) -> Matrix | None:
    """The numbers (4, 4) that a text of JSON holds, rigid or not; None for anything else."""
    try:
        pose = np.array(keptJson(text), dtype=np.float64)
    except (TypeError, ValueError):
        return None
    return pose if pose.shape == (4, 4) else None


def keptNumbers(text: str | None, count: int) -> tuple[float, ...] | None:
    """So many finite numbers that a text of JSON holds; None for anything else."""
    found = keptJson(text)
    isList = isinstance(found, list) and len(found) == count and all(map(is_number, found))
    return tuple(map(float, found)) if isList else None


def keptWhole(text: str | None, low: int = 0) -> int | None:
    """The whole number that a text holds; None for one below ``low`` or above an int, and for all else."""
    found = _WHOLE.fullmatch((text or "").strip())
    return int(found[0]) if found and low <= int(found[0]) <= vtk.VTK_INT_MAX else None


def cellNumber(text: str) -> float | None:
    """The number in a cell; None where none is known, or a person wrote something else."""
    try:
        return float(text)
    except ValueError:
        return None


def keptCellJson(text: str) -> Any:
    """The value that a table's cell of JSON holds, whose quotes `setCells` has changed; None for anything else."""
    return keptJson(text.replace("'", '"'))


def setCells(tableNode: vtkMRMLTableNode, columns: Sequence[str], rows: Iterable[Iterable[str]]) -> None:
    """Replaces a table's content.

    Args:
        tableNode: vtkMRMLTableNode.
        columns: names.
        rows: iterables of texts, one for each column.
    """
    arrays = [vtk.vtkStringArray() for _ in columns]
    for array, name in zip(arrays, columns, strict=True):
        array.SetName(name)
    for row in rows:
        for array, text in zip(arrays, row, strict=True):
            # The reader of table files loses cells that contain double quotes.
            array.InsertNextValue(text.replace('"', "'"))
    table = vtk.vtkTable()
    for array in arrays:
        table.AddColumn(array)
    tableNode.SetAndObserveTable(table)


def cells(tableNode: vtkMRMLTableNode) -> list[dict[str, str]]:
    """The rows of a table as dicts of texts by column name."""
    table = tableNode.GetTable()
    names = [table.GetColumnName(column) for column in range(table.GetNumberOfColumns())]
    return [
        {name: table.GetValue(row, column).ToString() for column, name in enumerate(names)}
        for row in range(table.GetNumberOfRows())
    ]
