"""One row of results: what one method made of one case."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from prostreg.errors import InputError, ProSTError
from prostreg.evaluation.engine_digest import engine_digest
from prostreg.evaluation.methods import WEIGHTS_DIGITS, registration_config, registration_seed
from prostreg.evaluation.pose_error import pose_error
from prostreg.evaluation.protocol import Protocol
from prostreg.evaluation.sources.case_source import CaseSource
from prostreg.evaluation.sources.misspecified import NONE
from prostreg.outputs.result_file import plain
from prostreg.registration.case import Case
from prostreg.registration.pipeline import mtre_mm
from prostreg.registration.registering import register
from prostreg.registration.result import Result

Key = tuple[int, str]


@dataclass(frozen=True)
class Row:
    """One line of results.jsonl; numbers are None where there is no truth, no start, or an ``error``.

    Attributes:
        protocol, version: the protocol and its `Protocol.version`.
        engine: `engine_digest` of the program that made the row.
        number: of the case in its protocol.
        seed: of the registration.
        start_mtre_mm, start_rotation_deg, start_translation_mm: how far the start was from the truth.
        turn_errors_deg, shift_errors_mm: signed, in the chart's axes at the truth (see `PoseError`).
        score: similarity at the finest level that was reached.
        restarts: CMA-ES runs.
        weights: first digits of the SHA256 of the network's weights; None where there was no network.
        expected_error: standard deviations: rotation_deg, translation_mm (three each), mtre_mm.
        carm_fit: the C-arm that the image fits best, as in result.json.
        attempts: every pose that was judged: mtre_mm, confidence, evidence.
        misspecification: what the case was told wrongly; None where it was told as it is.
        reasons: of the verdict.
        error: why the case could not be run, instead of numbers.
    """

    protocol: str
    version: str
    engine: str
    number: int
    case: str
    method: str
    seed: int
    start_mtre_mm: float | None = None
    start_rotation_deg: float | None = None
    start_translation_mm: float | None = None
    mtre_mm: float | None = None
    rotation_error_deg: float | None = None
    in_plane_rotation_error_deg: float | None = None
    out_of_plane_rotation_error_deg: float | None = None
    translation_error_mm: float | None = None
    in_plane_translation_error_mm: float | None = None
    depth_error_mm: float | None = None
    turn_errors_deg: list[float] | None = None
    shift_errors_mm: list[float] | None = None
    score: float | None = None
    confidence: float | None = None
    status: str | None = None
    evaluations: int | None = None
    restarts: int | None = None
    weights: str | None = None
    seconds: float | None = None
    stopped: str | None = None
    evidence: dict[str, float] = field(default_factory=dict)
    expected_error: dict[str, Any] | None = None
    carm_fit: dict[str, Any] | None = None
    attempts: list[dict[str, Any]] = field(default_factory=list)
    world_from_volume: list[list[float]] | None = None
    misspecification: str | None = None
    reasons: list[str] = field(default_factory=list)
    error: str | None = None

    @property
    def key(self) -> Key:
        """A row's key: case number and method."""
        return self.number, self.method

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; numbers that are not finite become None."""
        values: dict[str, Any] = plain(asdict(self))
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Row:
        """The way back.

        Raises:
            InputError: these are not the fields of a row.
        """
        known = {entry.name for entry in fields(cls)}
        needed = {"protocol", "version", "engine", "number", "case", "method", "seed"}
        if not needed <= values.keys() <= known:
            odd = sorted(values.keys() - known) or sorted(needed - values.keys())
            raise InputError(f"This is no row of results: see {', '.join(odd)}.")
        for entry in fields(cls):
            if entry.name in values and not _is_of(values[entry.name], str(entry.type)):
                raise InputError(f"This is no row of results: see {entry.name}.")
        return cls(**values)


_KINDS: dict[str, type | tuple[type, ...]] = {
    "str": str, "int": int, "float": (int, float), "list": list, "dict": dict, "None": type(None),
}  # fmt: skip


def _is_of(value: object, annotation: str) -> bool:
    """True if a value is of one of an annotation's kinds, none of which is bool, whatever a list or dict holds."""
    if isinstance(value, bool):
        return False
    return any(isinstance(value, _KINDS[kind.partition("[")[0]]) for kind in annotation.split(" | "))


class RowMaker:
    """Runs registrations of a protocol's cases and makes rows of them.

    Args:
        protocol: what is evaluated.
        source: its cases.
    """

    def __init__(self, protocol: Protocol, source: CaseSource) -> None:
        self._protocol, self._source = protocol, source
        self._number = -1
        self._case: Case | str = ""

    def row(self, number: int, method: str, is_cancelled: Callable[[], bool] | None = None) -> Row | None:
        """Runs one method on one case; None if it was cancelled. What cannot be run gives a row with an error."""
        case = self._case_or_error(number)
        empty = self._empty_row(number, method, case)
        if isinstance(case, str):
            return replace(empty, error=case)
        try:
            config = registration_config(self._protocol, method, empty.seed)
            result = register(case, config, None, is_cancelled)
            return None if result.stopped == "cancelled" else _filled(empty, case, result)
        except Exception as error:  # one case's defect must not end an evaluation of hundreds
            return replace(empty, error=_in_words(error))

    def _case_or_error(self, number: int) -> Case | str:
        """The case, kept for the next method; or why it cannot be made."""
        if number != self._number:
            self._number = number
            try:
                self._case = self._source.case(number)
            except Exception as error:
                self._case = _in_words(error)
        return self._case

    def _empty_row(self, number: int, method: str, case: Case | str) -> Row:
        protocol, seed = self._protocol, registration_seed(self._protocol, number)
        name = f"{protocol.name}-{number:04d}" if isinstance(case, str) else case.name
        row = Row(protocol.name, protocol.version, engine_digest(), number, name, method, seed)
        wrong = protocol.misspecification(number)
        return row if wrong == NONE else replace(row, misspecification=wrong.name)


def _filled(row: Row, case: Case, result: Result) -> Row:
    expected = result.expected_error
    return replace(
        _with_errors(_with_start(row, case), case, result),
        mtre_mm=result.mtre_mm,
        score=next((stage.score for stage in reversed(result.stages) if stage.name == "polish"), None),
        confidence=result.confidence,
        status=result.status,
        evaluations=sum(stage.evaluations for stage in result.stages),
        restarts=sum(stage.starts for stage in result.stages if stage.name == "cmaes"),
        seconds=result.seconds,
        stopped=result.stopped,
        weights=None if result.weights is None else result.weights["sha256"][:WEIGHTS_DIGITS],
        evidence=dict(result.evidence),
        reasons=list(result.reasons),
        expected_error=None if expected is None else expected.to_dict(),
        carm_fit=None if result.carm_fit is None else asdict(result.carm_fit),
        attempts=[
            {
                "mtre_mm": mtre_mm(case, attempt.world_from_volume),
                "confidence": attempt.confidence,
                "evidence": dict(attempt.evidence),
            }
            for attempt in result.attempts
        ],
        world_from_volume=result.world_from_volume.tolist(),
    )


def _with_start(row: Row, case: Case) -> Row:
    start = case.initial_world_from_volume
    if start is None or case.truth_world_from_volume is None:
        return row
    error = pose_error(case, start)
    return replace(
        row,
        start_mtre_mm=mtre_mm(case, start),
        start_rotation_deg=error.rotation_deg,
        start_translation_mm=error.translation_mm,
    )


def _with_errors(row: Row, case: Case, result: Result) -> Row:
    if case.truth_world_from_volume is None:
        return row
    error = pose_error(case, result.world_from_volume)
    return replace(
        row,
        rotation_error_deg=error.rotation_deg,
        in_plane_rotation_error_deg=error.in_plane_rotation_deg,
        out_of_plane_rotation_error_deg=error.out_of_plane_rotation_deg,
        translation_error_mm=error.translation_mm,
        in_plane_translation_error_mm=error.in_plane_translation_mm,
        depth_error_mm=error.depth_mm,
        turn_errors_deg=error.turns_deg.tolist(),
        shift_errors_mm=error.shifts_mm.tolist(),
    )


def _in_words(error: Exception) -> str:
    if isinstance(error, InputError):
        return " ".join(error.faults)
    text = " ".join(str(error).split()) or "no message"
    return text if isinstance(error, ProSTError) else f"A defect: {type(error).__name__}, {text}"
