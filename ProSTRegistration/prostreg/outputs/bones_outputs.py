"""All files that a case of several bones leaves: a folder for each bone, and what is told of all together."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from prostreg.choices import AUTO
from prostreg.geometry.frames import Matrix
from prostreg.images.attenuation import moving_volume
from prostreg.outputs.bones_overlay import BonesView, BoneWords, draw_bones
from prostreg.outputs.case_outputs import render_view, write_case_outputs
from prostreg.outputs.overlay import panel_size
from prostreg.outputs.panel_images import resized_carm, resized_image
from prostreg.outputs.result_file import (
    BONES_FILE,
    BONES_PICTURE,
    plain,
    remove_result,
    result_folder_faults,
    write_together,
)
from prostreg.projector.selection import Projector, make_projector
from prostreg.registration.bones.found import BonesResult, FoundBone
from prostreg.registration.bones.registering_bones import bone_case
from prostreg.registration.case import Case, View
from prostreg.registration.readings import case_read_as, reading_of

PlacedProjector = tuple[Projector, Matrix]


def bones_to_dict(found: BonesResult) -> dict[str, Any]:
    """All bones as bones.json states them; numbers that are not finite become null."""
    content = {
        "name": found.name,
        "status": found.status,
        "stopped": found.stopped,
        "seconds": found.seconds,
        "bones": [_bone_to_dict(bone) for bone in found.bones],
        "relative_motion": [motion.to_dict() for motion in found.motions],
        "joints": [asdict(joint) for joint in found.joints],
        "together": None
        if found.together is None
        else {
            "rounds": found.together.rounds,
            "score_before": found.together.score_before,
            "score_after": found.together.score_after,
        },
        "warnings": list(found.warnings),
    }
    values: dict[str, Any] = plain(content)
    return values


def write_bones_outputs(folder: Path, case: Case, found: BonesResult) -> list[str]:
    """Writes a folder for each bone that has a result, then bones.png and bones.json; gives the names.

    What an earlier run left in the folder of a bone without a result is removed.

    Raises:
        NotWritten: where a folder cannot be written.
    """
    registered = [bone for bone in found.bones if bone.result is not None]
    for bone in found.bones:
        if bone.result is None:
            remove_result(folder / bone.bone.name)
        else:
            own = bone_case(case, bone.bone, bone.start_world_from_volume)
            write_case_outputs(folder / bone.bone.name, own, bone.result)

    def write_files(scratch: Path) -> None:
        _picture(case, found).save(scratch / BONES_PICTURE, optimize=False)
        text = json.dumps(bones_to_dict(found), indent=1, allow_nan=False, ensure_ascii=False)
        (scratch / BONES_FILE).write_text(text + "\n", encoding="utf-8")

    write_together(folder, write_files)
    return [*(bone.bone.name for bone in registered), BONES_PICTURE, BONES_FILE]


def bones_folder_faults(folder: Path, bones: Sequence[str], advice: str) -> list[str]:
    """Reasons in words why the files of bones, by their names, could not be written into a case's folder."""
    faults = result_folder_faults(folder, advice)
    for name in (BONES_FILE, BONES_PICTURE):
        if (folder / name).is_dir():
            faults.append(f"The result {folder / name} cannot be written: a folder has its name. {advice}")
    for bone in bones if not faults else ():
        faults += result_folder_faults(folder / bone, advice)
    return faults


def _bone_to_dict(bone: FoundBone) -> dict[str, Any]:
    result = bone.result
    if result is None:
        return {"name": bone.bone.name, "folder": None, "status": None}
    return {
        "name": bone.bone.name,
        "folder": bone.bone.name,
        "status": result.status,
        "confidence": result.confidence,
        "reasons": list(result.reasons),
        "expected_error": None if result.expected_error is None else result.expected_error.to_dict(),
        "world_from_volume": result.world_from_volume.tolist(),
        "mtre_mm": result.mtre_mm,
        "moved_together_mm": bone.moved_mm,
        "seconds": result.seconds,
        "stopped": result.stopped,
        "warnings": list(result.warnings),
    }


def _picture(case: Case, found: BonesResult) -> Image.Image:
    case = _as_it_was_read(case, found)
    projectors = [_projector(case, bone) for bone in found.bones]
    words = [BoneWords(bone.bone.name, None if bone.result is None else bone.result.status) for bone in found.bones]
    return draw_bones(found.name, words, [_view(view, projectors) for view in case.views])


def _as_it_was_read(case: Case, found: BonesResult) -> Case:
    """The case with the polarities with which the first bone that has a place was found."""
    results = (bone.result for bone in found.bones if bone.result is not None and bone.is_placed)
    first = next(results, None)
    return case if first is None else case_read_as(case, reading_of(case, first.polarities))


def _projector(case: Case, bone: FoundBone) -> PlacedProjector | None:
    """The projector of a bone and its pose; None for one without a result."""
    if bone.result is None:
        return None
    name = bone.result.config.get("projector", AUTO)
    return make_projector(moving_volume(case.ct, bone.bone.anatomy), name), bone.result.world_from_volume


def _view(view: View, projectors: Sequence[PlacedProjector | None]) -> BonesView:
    size = panel_size(view.carm.width, view.carm.height)
    carm = resized_carm(view.carm, size)
    drrs = tuple(None if placed is None else render_view(placed[0], carm, placed[1]) for placed in projectors)
    mask = resized_image(view.xray.mask.astype(np.float32), size) > 0.5
    return BonesView(resized_image(view.xray.line_integrals, size), mask, drrs)
