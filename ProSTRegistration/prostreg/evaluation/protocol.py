"""A protocol: what is evaluated, on which cases, from which starts, with which seed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import prostreg
from prostreg.errors import FaultList, InputError
from prostreg.evaluation.sources.case_source import SOURCE_MODULES, source_module
from prostreg.evaluation.sources.motion import Motion, read_motion
from prostreg.evaluation.sources.starts import Starts, read_starts
from prostreg.json_fields import JsonFields, json_content, json_object
from prostreg.registration.config import METHODS, RegistrationConfig

PROTOCOLS_FOLDER = Path(__file__).parent / "protocols"
LARGEST_SEED = 2**32 - 1
MOST_CASES = 1_000_000
_DEEPEST = 8


@dataclass(frozen=True)
class PaperFigure:
    """What a publication reports for a method under such conditions; shares from 0 to 1."""

    method: str
    success: float
    median_mtre_mm: float | None
    reference: str


@dataclass(frozen=True)
class Protocol:
    """An evaluation, as its file describes it.

    Attributes:
        source_kind: where the cases come from, one of SOURCE_MODULES.
        source: the fields of "source" that belong to that kind.
        starts: how starts are drawn; None where the source or the motion says where to start.
        motion: of the anatomy over a sequence of frames, each starting at the truth of the one before.
        cases: how many; a source with fewer gives all it has.
        seed: case ``n`` derives from (seed, n) and nothing else.
        landmarks_mm: (n, 3) in the volume frame, over which the mTRE is taken; empty where cases bring their own.
        methods: evaluated unless the user chooses others.
        settings: of the registration, on top of its defaults.
        success_mm: a registration with a smaller mTRE is a success.
        papers: what publications report.
    """

    name: str
    title: str
    description: str
    source_kind: str
    source: Mapping[str, Any]
    starts: Starts | None
    motion: Motion | None
    cases: int
    seed: int
    landmarks_mm: tuple[tuple[float, float, float], ...]
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


_ROW_KEYS = ("name", "source", "starts", "motion", "seed", "landmarks_mm", "settings")


def protocol_names() -> tuple[str, ...]:
    """The protocols that come with the program."""
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
    return protocol_from_dict(_with_parts(json_object(path, "protocol file"), path.parent, depth=0))


def protocol_from_dict(content: object) -> Protocol:
    """Checks the content of a protocol file, all parts in place.

    Raises:
        InputError: lists every fault.
    """
    faults = FaultList()
    fields = JsonFields(content, "The protocol", faults)
    source = fields.raw("source")
    kind = _source_kind(source, faults)
    inner = {key: value for key, value in source.items() if key != "kind"} if isinstance(source, Mapping) else {}
    if kind:
        faults.extend(source_module(kind).source_faults(inner))
    protocol = Protocol(
        name=fields.file_name("name"),
        title=fields.text("title"),
        description=fields.text("description", ""),
        source_kind=kind,
        source=inner,
        starts=read_starts(fields.inner("starts")) if "starts" in fields else None,
        motion=read_motion(fields.inner("motion")) if "motion" in fields else None,
        cases=fields.whole("cases", 1, MOST_CASES),
        seed=fields.whole("seed", 0, LARGEST_SEED, 0),
        landmarks_mm=fields.points("landmarks_mm", ()),
        methods=fields.texts("methods", METHODS),
        settings=_settings(fields),
        success_mm=fields.number("success_mm", 0.01, 1000.0, 10.0),
        papers=tuple(_paper_figure(entry) for entry in fields.inners("papers", ())),
        content=content if isinstance(content, Mapping) else {},
    )
    if protocol.starts is not None and protocol.motion is not None:
        faults.add('The protocol has both "starts" and "motion": frames of a motion start at the frame before.')
    fields.end()
    faults.raise_if_any()
    return protocol


def _source_kind(source: object, faults: FaultList) -> str:
    if source is None:
        return ""  # that it is missing has been noted
    if not isinstance(source, Mapping):
        faults.add('"source" must be an object, {...}.')
        return ""
    kind = source.get("kind")
    if kind not in SOURCE_MODULES:
        faults.add(f'"kind" of "source" is {kind!r}: choose one of {", ".join(SOURCE_MODULES)}.')
        return ""
    return str(kind)


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
