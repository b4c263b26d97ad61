"""JSON that people write: read from files, and checked field by field, with every fault noted and told at once."""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from prostreg.errors import FaultList, InputError
from prostreg.files import text_of

Value = TypeVar("Value")
Name = TypeVar("Name", bound=str)

_REQUIRED: Any = object()
_MOST_DIGITS = 16
_LONGEST_SHOWN = 60
_HALF_CHARACTER = re.compile(r"\\u[dD][89a-fA-F]")
_SHA256 = re.compile(r"[0-9a-f]{64}")


class TwiceError(ValueError):
    """A key that an object gives twice: which of its values is meant cannot be known."""


def parsed_json(text: str) -> Any:
    """Content of a JSON text. A whole number that no machine's integer holds becomes a float, infinite at worst.

    Raises:
        TwiceError: an object gives a key twice.
        ValueError: the text is not JSON, or a text inside holds half of a character, which cannot be written again.
        RecursionError: its brackets are nested without end.
    """
    content = json.loads(text, parse_int=_number, object_pairs_hook=_each_once)
    if _HALF_CHARACTER.search(text):
        try:
            json.dumps(content, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            raise ValueError(f"it holds half of a character, {ascii(error.object[error.start])[1:-1]}") from None
    return content


def json_content(path: Path, kind: str, hint: str = "") -> Any:
    """Content of a JSON file in UTF-8, with or without the mark that Windows puts at its beginning.

    Args:
        path: of the file.
        kind: of the file, as messages name it, for example ``"case file"``.
        hint: last sentence of every message.

    Raises:
        InputError: the file cannot be read, or is not JSON.
    """
    try:
        return parsed_json(text_of(path))
    except FileNotFoundError:
        fault = "does not exist: check the path."
    except OSError as error:
        fault = f"cannot be read ({error.strerror}): check its path and rights."
    except json.JSONDecodeError as error:
        fault = f"is not valid JSON: {error.msg} in line {error.lineno}, column {error.colno}."
    except TwiceError as error:
        fault = f"{error}: leave one of them out."
    except RecursionError:
        fault = "cannot be read: its brackets are nested without end."
    except ValueError as error:
        fault = f"cannot be read as text ({error}): save it as UTF-8."
    raise InputError(f"The {kind} {path} {fault} {hint}".rstrip())


def json_object(path: Path, kind: str, hint: str = "") -> dict[str, Any]:
    """The one object in a JSON file.

    Raises:
        InputError: as `json_content`, or the file holds something else.
    """
    content = json_content(path, kind, hint)
    if not isinstance(content, dict):
        raise InputError(f"The {kind} {path} must hold one JSON object, {{...}}. {hint}".rstrip())
    return content


def is_number(value: object) -> bool:
    """True for a finite number; True and False are none."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def likely_meant(name: str, known: Collection[str]) -> str:
    """The end of a sentence about an unknown name: the known one that resembles it, or all of them."""
    near = difflib.get_close_matches(name, known, n=1)
    return f'did you mean "{near[0]}"?' if near else f"known are {', '.join(sorted(known))}."


class JsonFields:
    """The fields of one object. A reader notes its fault and gives a stand-in; `end` names what nobody asked for.

    A field that is null counts as missing. What is missing is a fault where the reader has no default.

    Args:
        content: the object; anything else is a fault.
        where: what sentences about it begin with, for example ``"The protocol"``.
        faults: takes the faults; shared with the objects inside.
    """

    def __init__(self, content: object, where: str, faults: FaultList | None = None) -> None:
        self.where, self.faults = where, FaultList() if faults is None else faults
        self._inside = where[:1].lower() + where[1:]
        self._known: set[str] = set()
        self._is_object = isinstance(content, Mapping)
        self._content: Mapping[str, Any] = content if isinstance(content, Mapping) else {}
        if not self._is_object:
            self.faults.add(f"{where} must be an object, {{...}}.")

    def __contains__(self, key: str) -> bool:
        self._known.add(key)
        return self._content.get(key) is not None

    def end(self) -> None:
        """Notes every key that was never asked for."""
        for key in self._content:
            if key not in self._known:
                self.faults.add(f'{self.where} has the unknown key "{key}": {likely_meant(key, self._known)}')

    def checked(
        self, key: str, fits: Callable[[Any], object], advice: str, stand_in: Value, default: Any = _REQUIRED
    ) -> Value:
        """The value as it stands, where it fits; ``advice`` tells people which would."""
        chosen: Value = self._content[key] if key in self else default
        if chosen is default is not _REQUIRED or (key in self and fits(chosen)):
            return chosen
        if key not in self._content:
            if self._is_object:
                self.faults.add(f'{self.where} lacks "{key}": {advice}.')
            return stand_in
        value = self._content[key]
        shown = "null" if value is None else repr(value)
        shown = shown if len(shown) < _LONGEST_SHOWN else f"{shown[: _LONGEST_SHOWN - 3]}..."
        self.faults.add(f'"{key}" of {self._inside} is {shown}: {advice}.')
        return stand_in

    def judged(self, key: str, faults_of: Callable[[Any, str], list[str]], advice: str, stand_in: Value) -> Value:
        """The value as it stands, where ``faults_of`` has nothing to say about it under the name that it is given."""
        value = self.checked(key, lambda _: True, advice, None)
        faults: list[str] = [] if value is None else faults_of(value, f"{key} of {self._inside}")
        self.faults.extend(faults)
        return stand_in if value is None or faults else value

    def raw(self, key: str, default: Any = None) -> Any:
        """The value as it stands, whatever it is."""
        return self._content[key] if key in self else default

    def flag(self, key: str, default: Any = _REQUIRED) -> bool:
        return self.checked(key, lambda value: isinstance(value, bool), "give true or false", False, default)

    def text(self, key: str, default: Any = _REQUIRED, advice: str = "give a text") -> str:
        def fits(value: Any) -> bool:
            return isinstance(value, str) and "\0" not in value and (bool(value.strip()) or value == default)

        return self.checked(key, fits, advice, "", default)

    def file_name(self, key: str) -> str:
        """A text that may stand in file names."""
        name = self.text(key)
        if any(not (c.isalnum() or c in "-_.") for c in name):
            self.faults.add(f'The {key} "{name}" stands in file names: use letters, digits, - and _.')
        return name

    def sha256(self, key: str, default: Any = _REQUIRED) -> str:
        def fits(value: Any) -> bool:
            return isinstance(value, str) and (_SHA256.fullmatch(value) is not None or value == default)

        return self.checked(key, fits, "give a SHA256 of 64 hexadecimal digits in lower case", "", default)

    def choice(self, key: str, choices: Sequence[Name], default: Any = _REQUIRED) -> Name:
        advice = f"choose one of {', '.join(choices)}"
        return self.checked(key, lambda value: value in choices, advice, choices[0], default)

    def whole(self, key: str, low: int, high: int, default: Any = _REQUIRED) -> int:
        def fits(value: Any) -> bool:
            return type(value) is int and low <= value <= high

        return self.checked(key, fits, f"give a whole number from {low} to {high}", low, default)

    def number(self, key: str, low: float, high: float, default: Any = _REQUIRED) -> float:
        def fits(value: Any) -> bool:
            return is_number(value) and low <= value <= high

        return float(self.checked(key, fits, f"give a number from {low:g} to {high:g}", low, default))

    def span(self, key: str, low: float, high: float, default: Any = _REQUIRED) -> tuple[float, float]:
        """Both ends of a range; one number is a range of its own."""

        def fits(value: Any) -> bool:
            ends = value if _is_list(value) else (value, value)
            return len(ends) == 2 and all(map(is_number, ends)) and low <= ends[0] <= ends[1] <= high

        advice = f"give low <= high, [low, high], from {low:g} to {high:g}, or one number"
        value: Any = self.checked(key, fits, advice, (low, low), default)
        first, second = value if _is_list(value) else (value, value)
        return first, second

    def numbers(self, key: str, count: int | None = None, default: Any = _REQUIRED) -> tuple[float, ...]:
        """A list of finite numbers, ``count`` of them where that is given."""

        def fits(value: Any) -> bool:
            return _is_list(value) and all(map(is_number, value)) and count in (None, len(value))

        advice = f"give a list of {'' if count is None else f'{count} '}numbers"
        return tuple(map(float, self.checked(key, fits, advice, (0.0,) * (count or 0), default)))

    def wholes(self, key: str, default: Any = _REQUIRED) -> tuple[int, ...]:
        def fits(value: Any) -> bool:
            return _is_list(value) and all(type(entry) is int for entry in value)

        return tuple(self.checked(key, fits, "give a list of whole numbers", (), default))

    def texts(self, key: str, choices: Sequence[str]) -> tuple[str, ...]:
        """A list of one or more of the choices, each once."""

        def fits(value: Any) -> bool:
            return _is_list(value) and value and all(v in choices for v in value) and len(set(value)) == len(value)

        return tuple(self.checked(key, fits, f"give a list of one or more of {', '.join(choices)}", (choices[0],)))

    def points(self, key: str, default: Any = _REQUIRED, least: int = 0) -> tuple[tuple[float, float, float], ...]:
        """A list of points [r, a, s] in mm, ``least`` of them or more."""

        def fits(value: Any) -> bool:
            if not _is_list(value) or len(value) < least:
                return False
            return all(_is_list(p) and len(p) == 3 and all(map(is_number, p)) for p in value)

        advice = f"give a list of points [r, a, s] in mm{', one or more' if least else ''}"
        points: Sequence[Any] = self.checked(key, fits, advice, (), default)
        return tuple((float(r), float(a), float(s)) for r, a, s in points)

    def mapping(self, key: str, default: Any = _REQUIRED) -> Mapping[str, Any]:
        """The object inside as it stands."""
        return self.checked(key, lambda value: isinstance(value, Mapping), "give an object, {...}", {}, default)

    def inner(self, key: str) -> JsonFields:
        """The object inside; read it and call its `end`."""
        if key not in self:
            if self._is_object:
                self.faults.add(f'{self.where} lacks "{key}".')
            return JsonFields({}, f'"{key}"')  # what it lacks in turn is nobody's concern
        return JsonFields(self._content[key], f'"{key}"', self.faults)

    def inners(self, key: str, default: Any = _REQUIRED) -> list[JsonFields]:
        """The objects in a list; read each and call its `end`."""
        entries: Sequence[Any] = self.checked(key, _is_list, "give a list of objects", (), default)
        return [JsonFields(entry, f'"{key}" entry {n}', self.faults) for n, entry in enumerate(entries, start=1)]


def _is_list(value: object) -> bool:
    return isinstance(value, list | tuple)


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in content if keys.count(key) > 1)
        raise TwiceError(f'gives "{twice[:_LONGEST_SHOWN]}" twice')
    return content


def _number(digits: str) -> int | float:
    """A whole number, or a float (infinite at worst) where no integer of the machine would hold it."""
    return int(digits) if len(digits) <= _MOST_DIGITS else float(digits)
