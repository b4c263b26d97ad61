"""Numbers as people are told them: no more digits than they are worth, and nothing certain that is not."""

from __future__ import annotations

from collections.abc import Iterable


def percent(probability: float) -> str:
    """A probability (0 to 1) in percent, "94 %"; never 100 %, nor 0 %."""
    if probability > 0.99:
        return "> 99 %"
    return "< 1 %" if probability < 0.01 else f"{100 * probability:.0f} %"


def most(share: float) -> str:
    """A share (0 to 1) in words, "about half": in percent it would be taken for a probability beside one."""
    words = ((0.85, "nearly all"), (0.6, "most"), (0.4, "about half"), (0.15, "a small part"))
    return next((word for least, word in words if share >= least), "hardly anything")


def tenths(length: float) -> str:
    """A length or distance, not negative, with one digit behind the point below 10; "< 0.1" instead of 0.0."""
    if length < 0.1:
        return "< 0.1"
    return f"{length:.1f}" if length < 9.95 else f"{length:.0f}"


def spans(numbers: Iterable[int], most: int = 12) -> str:
    """Whole numbers in order as "3, 7-9", the first ``most`` of such parts."""
    found: list[list[int]] = []
    for number in numbers:
        if found and number == found[-1][-1] + 1:
            found[-1].append(number)
        else:
            found.append([number])
    words = [str(span[0]) if len(span) == 1 else f"{span[0]}-{span[-1]}" for span in found]
    return ", ".join(words[:most]) + (", ..." if len(words) > most else "")
