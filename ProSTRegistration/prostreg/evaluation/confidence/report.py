"""The meaning of "accepted": tables and figures of the study, each anatomy, preset and misspecification by itself.

``python -m prostreg.evaluation.confidence.report FOLDER --out FOLDER [--use both] [--model confidence.json]``

Without ``--use`` the rows are those whose patients are never fitted on. ``--model`` judges them again by another
model: what the program refused for other reasons than its confidence stays refused; where its confidence was too low,
nothing else was looked at, and the other model decides.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from prostreg.errors import InputError
from prostreg.evaluation.confidence.figures import draw_errors, draw_reliability
from prostreg.evaluation.confidence.study import StudyRow, read_study
from prostreg.evaluation.report.statistics import Share
from prostreg.outputs.figure_style import DPI
from prostreg.registration.confidence import ConfidenceModel, confidence_model
from prostreg.registration.evidence import Evidence

TIMES_EXPECTED = 3.0

HEAD = (
    "| | cases | right | accepted | of them within 10 mm | within 3 x expected | right ones accepted"
    " | uncertain, failed, refused |"
)


@dataclass(frozen=True)
class Line:
    """One line of a table.

    Attributes:
        right: of all cases, those within 10 mm of the truth.
        precise: of those accepted, within 10 mm.
        expected: of those accepted and with a true pose, within three times their expected error.
        recall: of the right ones, those accepted.
        others: uncertain, failed, and refused before they began.
    """

    name: str
    right: Share
    precise: Share
    expected: Share
    recall: Share
    others: tuple[int, int, int]

    def __str__(self) -> str:
        rest = " / ".join(map(str, self.others))
        return (
            f"| {self.name} | {self.right.count} | {self.right.hits} | {self.precise.count} | {_told(self.precise)}"
            f" | {_told(self.expected)} | {_told(self.recall)} | {rest} |"
        )


def line(name: str, rows: Sequence[StudyRow]) -> Line:
    """The numbers of some rows."""
    accepted = [entry for entry in rows if entry.is_accepted]
    right = [entry for entry in rows if entry.is_right]
    words = [entry.row.status for entry in rows]
    return Line(
        name,
        Share(len(right), len(rows)),
        Share(sum(entry.is_right for entry in accepted), len(accepted)),
        Share(sum(is_as_expected(entry) for entry in accepted), len(accepted)),
        Share(sum(entry.is_accepted for entry in right), len(right)),
        (words.count("uncertain"), words.count("failed"), words.count(None)),
    )


def is_as_expected(entry: StudyRow) -> bool:
    """True if the true error is at most three times the expected one."""
    expected, mtre_mm = entry.row.expected_error, entry.row.mtre_mm
    return expected is not None and mtre_mm is not None and mtre_mm <= TIMES_EXPECTED * expected["mtre_mm"]


def tables(rows: Sequence[StudyRow]) -> str:
    """All tables in Markdown."""
    parts = []
    for title, key in (
        ("Anatomy", lambda entry: entry.group.anatomy),
        ("Preset", lambda entry: entry.preset),
        ("Told wrongly", lambda entry: entry.wrong.name),
    ):
        lines = [line(name, group) for name, group in _grouped(rows, key)]
        parts.append("\n".join([f"## {title}", "", HEAD, f"|{'---|' * 8}", *map(str, [*lines, line("all", rows)])]))
    wrong = [entry for entry in rows if entry.is_accepted and not entry.is_right]
    told = [_sentence(entry) for entry in wrong]
    return "\n\n".join([*parts, "\n".join(["## Accepted and wrong", "", *(told or ["None."])])]) + "\n"


def judged_again(entry: StudyRow, model: ConfidenceModel, today: ConfidenceModel) -> StudyRow:
    """The row as another model would have it."""
    row = entry.row
    if not row.evidence:
        return entry
    evidence = Evidence(**row.evidence)
    is_refused = row.status != "accepted" and today.probability(evidence) >= today.accepted_from
    confidence = model.probability(evidence)
    status = "accepted" if confidence >= model.accepted_from else "uncertain"
    if is_refused:
        confidence, status = min(confidence, row.confidence or 0.0), row.status or status
    elif confidence < model.failed_below:
        status = "failed"
    return replace(entry, row=replace(row, confidence=confidence, status=status))


def _grouped(rows: Sequence[StudyRow], key: Callable[[StudyRow], str]) -> Iterable[tuple[str, list[StudyRow]]]:
    for name in dict.fromkeys(map(key, rows)):
        yield name, [entry for entry in rows if key(entry) == name]


def _told(share: Share) -> str:
    if not share.count:
        return "-"
    low, high = share.interval
    return f"{share.hits} of {share.count}, {share.value:.0%} ({low:.0%} to {high:.0%})"


def _sentence(entry: StudyRow) -> str:
    off = "no pose is right" if entry.row.mtre_mm is None else f"{entry.row.mtre_mm:.1f} mm off"
    return f"- {entry.row.case}: {entry.wrong.name}, {off}; {'; '.join(entry.row.reasons)}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes tables and figures, and prints the tables."""
    parser = argparse.ArgumentParser(prog="python -m prostreg.evaluation.confidence.report", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="as prostreg.evaluation.confidence.run left it")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--use", choices=("fit", "report", "both"), default="report")
    parser.add_argument("--model", type=Path, metavar="FILE")
    given = parser.parse_args(arguments)
    try:
        rows = read_study().rows(given.folder, None if given.use == "both" else given.use)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    if not rows:
        print(f"{given.folder} has no rows of the study: run it first.", file=sys.stderr)
        return 2
    if given.model is not None:
        model = ConfidenceModel(**json.loads(given.model.read_text(encoding="utf-8")))
        rows = [judged_again(entry, model, confidence_model()) for entry in rows]
    given.out.mkdir(parents=True, exist_ok=True)
    text = tables(rows)
    (given.out / "table.md").write_text(text, encoding="utf-8")
    for name, draw in (("reliability.png", draw_reliability), ("errors.png", draw_errors)):
        draw(rows).savefig(given.out / name, dpi=DPI)
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
