"""Texts in the cells of a table node, so that saving and reloading a scene keeps them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import vtk

if TYPE_CHECKING:
    from slicer import vtkMRMLTableNode


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
