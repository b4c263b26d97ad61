"""The choices of the parameter node, as the logic takes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ProSTRegistrationLib.Nodes.Anatomy import AnatomyChoice
from ProSTRegistrationLib.Nodes.KeptTexts import keptWhole
from ProSTRegistrationLib.Nodes.PartsOfAnatomy import LOWEST_LABEL

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode

    from ProSTRegistrationLib.ParameterNode import ProSTRegistrationParameterNode

NO_PART = ""
"""Stands for 'none of them' in a list of parts, whose emptiness means all."""


def fluoroscopyNodes(parameters: ProSTRegistrationParameterNode) -> list[vtkMRMLScalarVolumeNode]:
    """The chosen X-ray images, the first one first, each once."""
    chosen = (parameters.fluoroscopy, parameters.secondView, parameters.thirdView)
    return list(dict.fromkeys(node for node in chosen if node is not None))


def anatomyChoice(parameters: ProSTRegistrationParameterNode) -> AnatomyChoice:
    """AnatomyChoice of the panel."""
    node = parameters.anatomy
    if node is None:
        return AnatomyChoice(thresholdHu=float(parameters.boneThresholdHu))
    parts = tuple(part for part in parameters.anatomyParts if part != NO_PART)
    chosen = parts if parameters.anatomyParts else None
    movesInParts = parameters.eachPartMoves and (chosen is None or len(chosen) > 1)
    keepsJoints = movesInParts and parameters.jointsStay
    if node.IsA("vtkMRMLSegmentationNode"):
        return AnatomyChoice(node, segmentIds=chosen, movesInParts=movesInParts, keepsJoints=keepsJoints)
    if chosen is None:
        return AnatomyChoice(node, movesInParts=movesInParts, keepsJoints=keepsJoints)
    values = (keptWhole(part, LOWEST_LABEL) for part in chosen)
    known = tuple(value for value in values if value is not None)
    return AnatomyChoice(node, labelValues=known, movesInParts=movesInParts, keepsJoints=keepsJoints)


def registrationConfig(parameters: ProSTRegistrationParameterNode) -> dict[str, Any]:
    """The engine's settings that the panel's choices stand for, as a dict."""
    config = {
        "method": parameters.method.value,
        "device": parameters.device.value,
        "seed": int(parameters.seed),
        "spread_rotation_deg": float(parameters.spreadRotationDeg),
        "spread_shift_mm": float(parameters.spreadShiftMm),
        "spread_depth_mm": float(parameters.spreadDepthMm),
        **parameters.quality.settings(),
    }
    if parameters.timeLimitS > 0:
        config["time_limit_s"] = float(max(parameters.timeLimitS, 1.0))
    return config


def roughRelation(parameters: ProSTRegistrationParameterNode) -> dict[str, float] | None:
    """The relation of several views, as a case has it, where it is only roughly known; None where it counts as known.

    So it does for bones that move by themselves: the engine does not find both.
    """
    isAsked = parameters.isRelationRough and len(fluoroscopyNodes(parameters)) > 1
    if not isAsked or anatomyChoice(parameters).movesInParts:
        return None
    return {"rotation_deg": float(parameters.roughTurnDeg), "translation_mm": float(parameters.roughShiftMm)}


def judgedSettings(parameters: ProSTRegistrationParameterNode) -> dict[str, Any]:
    """The settings that a verdict belongs to: not the seed, which *Again* changes, nor where it was computed."""
    relation = roughRelation(parameters)
    config = registrationConfig(parameters) if relation is None else {**registrationConfig(parameters), **relation}
    return {name: value for name, value in config.items() if name not in ("seed", "device")}
