"""Writes the numbers of a registration into a table node."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ProSTRegistrationLib.Nodes.KeptTexts import setCells

if TYPE_CHECKING:
    from slicer import vtkMRMLTableNode

COLUMNS = ("Quantity", "Value")


def fillResultTable(tableNode: vtkMRMLTableNode, *results: dict[str, Any]) -> None:
    """Replaces a table's content by a result, or by those of several bones one below the other.

    Args:
        tableNode: vtkMRMLTableNode.
        results: dicts as in result.json.
    """
    setCells(tableNode, COLUMNS, [row for result in results for row in _rows(result)])


def _rows(result: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield "Case", str(result["name"])
    yield "Status", result["status"]
    yield "Confidence", _number(result["confidence"])
    for reason in result.get("reasons", []):
        yield "Reason", reason
    yield "mTRE (mm)", _number(result["mtre_mm"])
    for number, stage in enumerate(result["stages"], start=1):
        label = f"Stage {number}: {stage['name']}"
        yield f"{label}, similarity", _number(stage["score"])
        yield f"{label}, evaluations", str(stage["evaluations"])
        yield f"{label}, starts", str(stage["starts"])
        yield f"{label}, time (s)", _number(stage["seconds"])
    yield "Time (s)", _number(result["seconds"])
    yield "Stopped", result.get("stopped") or "no"
    yield "Device", result["device"]
    yield "Projector", result["projector"]
    yield "World from volume", json.dumps(result["world_from_volume"])
    yield "Configuration", _pairs(result["config"])
    yield "Versions", _pairs(result["versions"])
    for warning in result["warnings"]:
        yield "Warning", warning


def _pairs(values: Mapping[str, object]) -> str:
    return ", ".join(f"{key} = {value}" for key, value in values.items())


def _number(value: float | None) -> str:
    return "not known" if value is None else f"{value:.6g}"
