"""The polarity of an X-ray with several bones: it has one, so that an accepted bone decides it for the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from prostreg.registration.bones.found import FoundBone
from prostreg.registration.case import Case
from prostreg.registration.everywhere import merit
from prostreg.registration.neighbours.told_apart import doubted
from prostreg.registration.readings import polarity_reasons, reading_of
from prostreg.registration.result import Result
from prostreg.search.candidate import Reading


def deciding_bone(case: Case, found: Sequence[FoundBone]) -> FoundBone | None:
    """The most convincing bone that was accepted; None without one, or where every polarity is known."""
    if all(view.xray.other is None for view in case.views):
        return None
    accepted = [(merit(bone.result), bone) for bone in found if bone.result and bone.result.status == "accepted"]
    return max(accepted, key=lambda pair: pair[0])[1] if accepted else None


def found_reading(case: Case, bone: FoundBone) -> Reading:
    """The reading that a bone was found with; as the images look for one without a result."""
    return reading_of(case, () if bone.result is None else bone.result.polarities)


def with_polarity_of(result: Result, decider: FoundBone) -> Result:
    """A bone's result whose search had the polarities of another bone, in whose words they are told."""
    if decider.result is None:
        return result
    is_accepted, polarities = result.status == "accepted", decider.result.polarities
    by_user, found = (
        polarity_reasons(
            tuple(told if told.is_given is is_given else replace(told, used=None) for told in polarities), is_accepted
        )
        for is_given in (True, False)
    )
    if found and not is_accepted:
        found = (f"the polarity was taken from {decider.bone.name}, which was accepted",)
    untrue = set(polarity_reasons(result.polarities, is_accepted)) - set(by_user)
    reasons = (*(reason for reason in result.reasons if reason not in untrue), *found)
    return replace(result, polarities=polarities, reasons=reasons)


def doubted_by_polarity(case: Case, found: Sequence[FoundBone]) -> tuple[list[FoundBone], tuple[str, ...]]:
    """The bones, and warnings of those that have a place by another polarity than the most convincing one.

    They are not accepted.
    """
    placed = [(merit(bone.result), bone) for bone in found if bone.result is not None and bone.is_placed]
    if not placed:
        return list(found), ()
    best = max(placed, key=lambda pair: pair[0])[1]
    judged, warnings = [], []
    for bone in found:
        if bone.result is None or not bone.is_placed or found_reading(case, bone) == found_reading(case, best):
            judged.append(bone)
            continue
        doubt = f"was found with another polarity than {best.bone.name}: an X-ray has one, so one of them is not right"
        warnings.append(f"{bone.bone.name} {doubt}")
        judged.append(replace(bone, result=doubted(bone.result, f"the bone {doubt}")))
    return judged, tuple(warnings)
