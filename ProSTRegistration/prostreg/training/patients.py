"""Whom a network is trained on: CTs with the anatomy that is registered, listed in a JSON file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from prostreg.errors import InputError
from prostreg.files import sha256_of
from prostreg.images.anatomy import anatomy_by_threshold, anatomy_from_labels
from prostreg.images.reading import read_ct, read_labels
from prostreg.images.volume import Volume
from prostreg.json_fields import JsonFields, json_object
from prostreg.people.atlas import SUBJECTS, read_atlas
from prostreg.people.person import Person
from prostreg.people.population import ENOUGH_PEOPLE, Population
from prostreg.registration.case import Case
from prostreg.training.variants import Variant, read_variant

NEEDED = ("training", "validation")
USES = (*NEEDED, "measurement")
CT_DAY, XRAY_DAY = range(2)
NO_FILE = Path()
"""Stands for a name that the list lacks, which is a fault of its own."""


@dataclass(frozen=True)
class People:
    """Patients who are drawn instead of read.

    Attributes:
        of: names of the people whose bones they are made of.
        number: how many at a time.
    """

    of: tuple[str, ...]
    number: int


@dataclass(frozen=True)
class PatientEntry:
    """One line of the list: what to read, and what it is for.

    Attributes:
        name: unique in the list.
        ct: file of the CT; of shapes of bones where ``people`` are drawn.
        sha256: of that file; empty if it is not checked.
        labels: file of a label map, or None for bone by threshold.
        values: label values of the anatomy.
        variant: what makes another patient of the one in the file.
        use: ``training``; ``validation``, never trained on; or ``measurement``, kept out altogether: such an entry only
            says so on the card, and its file is not read.
        origin: where the CT comes from.
        licence: under which it may be used.
        people: patients who are drawn from shapes; None for the one patient of a CT.
    """

    name: str
    ct: Path
    sha256: str
    labels: Path | None
    values: tuple[int, ...]
    variant: Variant
    use: str
    origin: str
    licence: str
    people: People | None = None


def read_patient_list(path: Path, data_folders: Sequence[Path] = ()) -> tuple[PatientEntry, ...]:
    """Reads ``{"patients": [{"name", "ct", "labels", "values", "mirrored", "use", "origin", "licence"}, ...]}``.

    Args:
        path: of the list.
        data_folders: where its files are looked for, in this order; then in the list's own folder.

    Raises:
        InputError: names every fault and every missing file.
    """
    fields = JsonFields(json_object(path, "list of patients"), f"The list of patients {path.name}")
    faults = fields.faults
    folders = (*data_folders, path.parent)
    entries = tuple(_entry(inside, folders) for inside in fields.inners("patients"))
    fields.end()
    for use in NEEDED:
        if not any(entry.use == use for entry in entries):
            faults.add(f'The list of patients {path.name} has none for {use}: give one or more the "use" "{use}".')
    names = [entry.name for entry in entries]
    twice = sorted({name for name in names if names.count(name) > 1})
    faults.extend(f'The name "{name}" occurs twice in {path.name}: give every patient another.' for name in twice)
    faults.extend(_missing_files(entries, folders))
    faults.raise_if_any()
    return entries


def run_description(content: Mapping[str, Any], entries: Sequence[PatientEntry]) -> dict[str, Any]:
    """The key of a run: its configuration and its patients, wherever their files lie."""
    described = [
        {
            "name": entry.name,
            "sha256": entry.sha256 or sha256_of(entry.ct),
            "labels": None if entry.labels is None else sha256_of(entry.labels),
            "values": list(entry.values),
            "variant": asdict(entry.variant),
            "use": entry.use,
            **({} if entry.people is None else {"people": asdict(entry.people)}),
        }
        for entry in entries
        if entry.use in NEEDED
    ]
    return {"configuration": dict(content), "patients": json.loads(json.dumps(described))}


def number_of_patients(entries: Sequence[PatientEntry]) -> int:
    """All that are trained on or validated with at a time, those who are drawn included."""
    return sum(1 if entry.people is None else entry.people.number for entry in entries if entry.use in NEEDED)


def check_contents(entries: Sequence[PatientEntry]) -> None:
    """Refuses CTs that are not the very files that the list names; takes as long as reading them once.

    Raises:
        InputError: names every other one.
    """
    expected = {(entry.ct, entry.sha256) for entry in entries if entry.sha256 and entry.use in NEEDED}
    others = [ct for ct, sha256 in sorted(expected) if sha256_of(ct) != sha256]
    if others:
        raise InputError(_another_file(ct) for ct in others)


def patients_of(entry: PatientEntry, seed: Sequence[int]) -> Iterator[tuple[Case, Volume]]:
    """The patients of an entry, one at a time, each with the CT (HU) that X-rays are to be simulated of.

    A drawn patient's hips and soft tissue lie otherwise in the X-ray than in the CT.

    Args:
        entry: one that is trained on or validated with.
        seed: of people who are drawn.

    Raises:
        InputError: a file cannot be read, or is another one than the list says.
    """
    if entry.people is None:
        patient = read_patient(entry)
        yield patient, patient.ct
        return
    population = Population(read_atlas(entry.ct), entry.people.of)
    for number in range(entry.people.number):
        rng = np.random.default_rng([*seed, number])
        person = Person.drawn(population.drawn(rng), rng)
        ct, labels = person.scanned(CT_DAY)
        body, _ = person.scanned(XRAY_DAY)
        yield Case(f"{entry.name}-{number + 1}", ct, anatomy_from_labels(ct, labels, entry.values)), body


def read_patient(entry: PatientEntry) -> Case:
    """Reads one patient's files.

    Raises:
        InputError: a file cannot be read, or is another one than the list says.
    """
    if entry.sha256 and sha256_of(entry.ct) != entry.sha256:
        raise InputError(_another_file(entry.ct))
    ct = read_ct(entry.ct)
    if entry.labels is None:
        anatomy = anatomy_by_threshold(ct)
    else:
        anatomy = anatomy_from_labels(ct, read_labels(entry.labels), entry.values)
    patient = Case(entry.name, ct, anatomy)
    return entry.variant.of(patient)


def _entry(fields: JsonFields, folders: Sequence[Path]) -> PatientEntry:
    labels = fields.text("labels", "")
    entry = PatientEntry(
        name=fields.file_name("name"),
        ct=_found(fields.text("ct"), folders),
        sha256=fields.text("sha256", ""),
        labels=_found(labels, folders) if labels else None,
        values=fields.wholes("values", ()),
        variant=read_variant(fields),
        use=fields.choice("use", USES, "training"),
        origin=fields.text("origin"),
        licence=fields.text("licence"),
        people=_people(fields.inner("people")) if "people" in fields else None,
    )
    if entry.people is not None and not entry.values:
        fields.faults.add(f'"{entry.name}" has "people" and no "values": give the label values of the anatomy.')
    if labels and not entry.values:
        fields.faults.add(f'"{entry.name}" has "labels" and no "values": give the label values of the anatomy.')
    fields.end()
    return entry


def _people(fields: JsonFields) -> People:
    people = People(fields.texts("of", SUBJECTS), fields.whole("number", 1, 10000))
    if len(set(people.of)) < max(ENOUGH_PEOPLE, len(people.of)):
        fields.faults.add(f'"of" has {len(people.of)} names: give {ENOUGH_PEOPLE} or more, each once.')
    fields.end()
    return people


def _found(name: str, folders: Sequence[Path]) -> Path:
    """The file in the first folder that has it; its name alone, if none has."""
    paths = [folder / name for folder in folders]
    return next((path for path in paths if path.is_file()), Path(name))


def _missing_files(entries: Sequence[PatientEntry], folders: Sequence[Path]) -> list[str]:
    """One sentence for each file, which says where it was looked for and where it comes from."""
    needed = [entry for entry in entries if entry.use in NEEDED]
    origins = {path: entry.origin for entry in needed for path in (entry.ct, entry.labels) if path is not None}
    listed = ", ".join(str(folder) for folder in folders)
    return [
        f"The file {path} of the list of patients is in none of the folders {listed}. It comes from: {origin}."
        for path, origin in sorted(origins.items())
        if not path.is_file() and path != NO_FILE
    ]


def _another_file(ct: Path) -> str:
    return f"The CT {ct} is another file than the list of patients names: its SHA256 differs."
