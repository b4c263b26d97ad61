"""A protocol: what is evaluated, on which cases, from which starts, with which seed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import prostreg
from prostreg.choices import METHODS
from prostreg.errors import InputError
from prostreg.evaluation.sources.case_folders import CASE_FILE, case_files
from prostreg.evaluation.sources.case_series import CaseSeries
from prostreg.evaluation.sources.case_source import read_source
from prostreg.evaluation.sources.misspecified import read_misspecification
from prostreg.evaluation.sources.motion import read_motion
from prostreg.evaluation.sources.starts import read_starts
from prostreg.files import sha256_of
from prostreg.json_fields import JsonFields, json_content, json_object
from prostreg.registration.config import RegistrationConfig

PROTOCOLS_FOLDER = Path(__file__).parent / "protocols"
LARGEST_SEED = 2**32 - 1
MOST_CASES = 1_000_000
_DEEPEST = 8


@dataclass(frozen=True)
class PaperFigure:
    """A publication's figures for a method under such conditions; shares from 0 to 1."""

    method: str
    success: float
    median_mtre_mm: float | None
    reference: str


@dataclass(frozen=True)
class Protocol(CaseSeries):
    """An evaluation, as its file describes it: a series of cases, and what is done with them.

    Attributes:
        methods: evaluated unless the user chooses others.
        settings: of the registration, on top of its defaults.
        success_mm: a registration with a smaller mTRE is a success.
        papers: what publications report.
    """

    title: str
    description: str
    methods: tuple[str, ...]
    settings: Mapping[str, Any]
    success_mm: float
    papers: tuple[PaperFigure, ...]
    content: Mapping[str, Any]

    @property
    def version(self) -> str:
        """Twelve digits that change with anything that changes a row: not with the number of cases or the texts."""
        kept = {key: self.content[key] for key in _ROW_KEYS if key in self.content}
        text = json.dumps({**kept, "prostreg": prostreg.__version__}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def with_changes(self, **changes: Any) -> Protocol:
        """The protocol with other values for keys of its file.

        Raises:
            InputError: lists what is wrong with them.
        """
        return protocol_from_dict({**self.content, **changes})

    def with_cases_of(self, folder: Path) -> Protocol:
        """Methods and settings of this protocol on the cases of a folder, instead of its own cases."""
        files = [
            {"file": path.relative_to(folder).as_posix(), "sha256": sha256_of(path)} for path in case_files(folder)
        ]
        if not files:
            raise InputError(f"There is no {CASE_FILE} in {folder}, nor in a folder directly inside it.")
        own = ("starts", "motion", "landmarks_mm", "papers")
        kept = {key: value for key, value in self.content.items() if key not in own}
        return protocol_from_dict({**kept, "source": {"kind": "case-folders", "files": files}, "cases": len(files)})


_ROW_KEYS = ("name", "source", "starts", "motion", "seed", "landmarks_mm", "misspecified", "settings")


def protocol_names() -> tuple[str, ...]:
    """Names of the shipped protocols."""
    return tuple(sorted(path.stem for path in PROTOCOLS_FOLDER.glob("*.json")))


def read_protocol(name_or_path: str | Path) -> Protocol:
    """Reads a built-in protocol by its name, or any protocol file by its path.

    Raises:
        InputError: lists every fault of the file.
    """
    path = PROTOCOLS_FOLDER / f"{name_or_path}.json"
    if str(name_or_path) not in protocol_names():
        path = Path(name_or_path)
    if path.suffix != ".json" and not path.is_file():
        known = ", ".join(protocol_names())
        raise InputError(f"There is no protocol '{name_or_path}': choose one of {known}, or give the path of a file.")
    return protocol_from_dict(protocol_content(path))


def protocol_content(path: Path) -> dict[str, Any]:
    """The one object in a JSON file, each ``{"from": "other.json"}`` in it replaced by what that file holds.

    Raises:
        InputError: a file cannot be read, or files name each other in a circle.
    """
    content: dict[str, Any] = _with_parts(json_object(path, "protocol file"), path.parent, depth=0)
    return content


def protocol_from_dict(content: object) -> Protocol:
    """Checks the content of a protocol file, all parts in place.

    Raises:
        InputError: lists every fault.
    """
    fields = JsonFields(content, "The protocol")
    kind, source = read_source(fields.inner("source"))
    protocol = Protocol(
        name=fields.file_name("name"),
        title=fields.text("title"),
        description=fields.text("description", ""),
        source_kind=kind,
        source=source,
        starts=read_starts(fields.inner("starts")) if "starts" in fields else None,
        motion=read_motion(fields.inner("motion")) if "motion" in fields else None,
        cases=fields.whole("cases", 1, MOST_CASES),
        seed=fields.whole("seed", 0, LARGEST_SEED, 0),
        landmarks_mm=fields.points("landmarks_mm", ()),
        misspecified=tuple(map(read_misspecification, fields.inners("misspecified", ()))),
        methods=fields.texts("methods", list(METHODS)),
        settings=_settings(fields),
        success_mm=fields.number("success_mm", 0.01, 1000.0, 10.0),
        papers=tuple(_paper_figure(entry) for entry in fields.inners("papers", ())),
        content=content if isinstance(content, Mapping) else {},
    )
    if protocol.starts is not None and protocol.motion is not None:
        fields.faults.add('The protocol has both "starts" and "motion": frames of a motion start at the frame before.')
    fields.end()
    fields.faults.raise_if_any()
    return protocol


def _settings(fields: JsonFields) -> Mapping[str, Any]:
    settings = fields.mapping("settings", {})
    for key in ("method", "restarts", "seed"):
        if key in settings:
            fields.faults.add(f'"settings" names "{key}": methods and the protocol\'s seed decide that, leave it out.')
    fields.faults.collect(lambda: RegistrationConfig.from_dict(settings, '"settings"'))
    return settings


def _paper_figure(fields: JsonFields) -> PaperFigure:
    median = fields.number("median_mtre_mm", 0.0, 1000.0) if "median_mtre_mm" in fields else None
    figure = PaperFigure(fields.text("method"), fields.number("success", 0.0, 1.0), median, fields.text("reference"))
    fields.end()
    return figure


def _with_parts(content: Any, folder: Path, depth: int) -> Any:
    """The content of a JSON file; ``{"from": "other.json"}`` in it stands for the content of that file."""
    if isinstance(content, dict):
        if set(content) == {"from"} and isinstance(content["from"], str):
            part = folder / content["from"]
            if depth == _DEEPEST:
                raise InputError(f"The protocol file {part} is named by files that name each other in a circle.")
            return _with_parts(json_content(part, "protocol file"), part.parent, depth + 1)
        return {key: _with_parts(value, folder, depth) for key, value in content.items()}
    if isinstance(content, list):
        return [_with_parts(value, folder, depth) for value in content]
    return content
