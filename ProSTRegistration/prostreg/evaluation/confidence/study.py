"""The registrations that the confidence is fitted on and those that it is reported on, over anatomies and patients.

Each group is one anatomy of one patient; a patient serves the fit or the report, never both. Visits go through the
groups in turn, each time with the next preset of the simulator and every other time told something wrong, so that the
rows are balanced wherever they end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from prostreg.evaluation.protocol import Protocol, protocol_content, read_protocol
from prostreg.evaluation.row_file import RESULTS_FILE, RowFile
from prostreg.evaluation.rows import Row
from prostreg.evaluation.sources.misspecified import Misspecification
from prostreg.json_fields import JsonFields
from prostreg.registration.confidence import SUCCESS_MM
from prostreg.simulation.presets import PRESETS

STUDY_FILE = Path(__file__).with_name("study.json")
METHOD = "auto"
MOST_ROUNDS = 60
STRIDE = 7
"""Groups begin so far apart in the list of what is told wrongly, that one round holds many kinds of it."""

Use = Literal["fit", "report"]


@dataclass(frozen=True)
class StudyGroup:
    """One anatomy of one patient.

    Attributes:
        use: whether its rows may be fitted on.
        protocols: by preset of the simulator; real images have one, "real".
    """

    name: str
    anatomy: str
    use: Use
    protocols: Mapping[str, Protocol]


@dataclass(frozen=True)
class StudyRow:
    """A row with what it belongs to."""

    group: StudyGroup
    preset: str
    wrong: Misspecification
    row: Row

    @property
    def is_right(self) -> bool:
        """True if the pose lies within the limit of the true one; never in a mirror image or of another patient."""
        return self.row.mtre_mm is not None and self.row.mtre_mm < SUCCESS_MM

    @property
    def is_accepted(self) -> bool:
        return self.row.status == "accepted"


@dataclass(frozen=True)
class Study:
    """All groups, and the order in which their cases are run."""

    groups: tuple[StudyGroup, ...]

    def visits(self, use: Use | None = None) -> Iterator[tuple[Protocol, int]]:
        """Protocol and number of each case, in turn through the groups of one use or of both."""
        for visit in range(MOST_ROUNDS):
            for place, group in enumerate(self.groups):
                if use not in (None, group.use):
                    continue
                protocols = list(group.protocols.values())
                yield protocols[(visit + place) % len(protocols)], visit // len(protocols)

    def rows(self, folder: Path, use: Use | None = None) -> list[StudyRow]:
        """The rows that there are, of one use or of both.

        Raises:
            InputError: a file is none of this study's.
        """
        found = []
        for group in self.groups:
            if use in (None, group.use):
                for preset, protocol in group.protocols.items():
                    rows = RowFile(rows_file(folder, protocol), protocol).rows.values()
                    found += [StudyRow(group, preset, protocol.misspecification(row.number), row) for row in rows]
        return found


def rows_file(folder: Path, protocol: Protocol) -> Path:
    """The file of a protocol's rows."""
    return folder / protocol.name / RESULTS_FILE


def read_study(path: Path = STUDY_FILE) -> Study:
    """Reads a study.

    Raises:
        InputError: lists every fault of the file, or of a protocol that follows from it.
    """
    fields = JsonFields(protocol_content(path), "The study")
    presets = fields.texts("presets", PRESETS)
    simulated, wrong = fields.mapping("simulated"), fields.raw("misspecified", [])
    entries = fields.inners("groups")
    fields.end()
    fields.faults.raise_if_any()
    return Study(tuple(_group(place, entry, presets, simulated, wrong) for place, entry in enumerate(entries)))


def _group(
    place: int, fields: JsonFields, presets: tuple[str, ...], simulated: Mapping[str, Any], wrong: Sequence[Any]
) -> StudyGroup:
    name, anatomy = fields.file_name("name"), fields.text("anatomy")
    use: Use = fields.choice("use", ("fit", "report"))
    base, changes = read_protocol(fields.text("protocol")), fields.mapping("source", {})
    own_wrong = fields.raw("misspecified", [])
    fields.end()
    fields.faults.raise_if_any()
    source = {**base.content["source"], **changes}
    own = simulated if "simulator" in source else {}
    names = presets if "simulator" in source else ("real",)
    protocols = {}
    for index, preset in enumerate(names):
        protocols[preset] = base.with_changes(
            **own,
            name=f"{name}-{preset}",
            title=f"{anatomy}, {preset}",
            source={**source, "simulator": preset} if own else source,
            methods=[METHOD],
            misspecified=_in_turn(place, index, len(names), wrong, own_wrong),
        )
    return StudyGroup(name, anatomy, use, protocols)


def _in_turn(place: int, index: int, presets: int, wrong: Sequence[Any], own: Sequence[Any]) -> list[Any]:
    """The misspecifications of a group's preset, one a case: something every other visit, its own in turn."""
    told: list[Any] = []
    for visit in range((index - place) % presets, MOST_ROUNDS, presets):
        turn = place + visit // 2
        if (place // 2 + visit) % 2 == 0:
            told.append({})
        elif own and turn % 2:
            told.append(own[turn // 2 % len(own)])
        else:
            told.append(wrong[(STRIDE * place + turn // (2 if own else 1)) % len(wrong)])
    return told
