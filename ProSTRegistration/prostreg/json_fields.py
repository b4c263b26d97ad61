"""Reads JSON objects that people write: every fault is noted, unknown keys are named."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from prostreg.errors import FaultList
from prostreg.value_checks import is_number

_REQUIRED = object()


class JsonFields:
    """The fields of one object. A reader notes its fault and gives a stand-in; `end` names what nobody asked for.

    Args:
        content: the object; anything else is a fault.
        where: how its faults begin, for example ``"source"``.
        faults: takes the faults; shared with the objects inside.
    """

    def __init__(self, content: object, where: str, faults: FaultList) -> None:
        self._where, self.faults = where, faults
        self._known: set[str] = set()
        self._is_object = isinstance(content, Mapping)
        self._content: Mapping[str, Any] = content if isinstance(content, Mapping) else {}
        if not self._is_object:
            faults.add(f"{where} must be an object, {{...}}.")

    def __contains__(self, key: str) -> bool:
        self._known.add(key)
        return self._content.get(key) is not None

    def end(self) -> None:
        """Notes every key that was never asked for."""
        for key in self._content:
            if key not in self._known:
                near = difflib.get_close_matches(key, self._known, n=1)
                hint = f'did you mean "{near[0]}"?' if near else f"known are {', '.join(sorted(self._known))}."
                self.faults.add(f'{self._where} has the unknown key "{key}": {hint}')

    def raw(self, key: str, default: Any = _REQUIRED) -> Any:
        """The value as it stands; a missing one is a fault unless there is a default."""
        if key in self:
            return self._content[key]
        if default is _REQUIRED:
            if self._is_object:
                self.faults.add(f'{self._where} lacks "{key}".')
            return None
        return default

    def text(self, key: str, default: Any = _REQUIRED) -> str:
        value = self.raw(key, default)
        if isinstance(value, str) and (value.strip() or value == default):
            return value
        return str(self._fault(key, value, "give a text", ""))

    def choice(self, key: str, choices: Sequence[str], default: Any = _REQUIRED) -> str:
        value = self.raw(key, default)
        if value in choices:
            return str(value)
        return str(self._fault(key, value, f"choose one of {', '.join(choices)}", choices[0]))

    def whole(self, key: str, low: int, high: int, default: Any = _REQUIRED) -> int:
        value = self.raw(key, default)
        if type(value) is int and low <= value <= high:
            return value
        return int(self._fault(key, value, f"give a whole number from {low} to {high}", low))

    def number(self, key: str, low: float, high: float, default: Any = _REQUIRED) -> float:
        value = self.raw(key, default)
        if is_number(value) and low <= value <= high:
            return float(value)
        return float(self._fault(key, value, f"give a number from {low:g} to {high:g}", low))

    def numbers(self, key: str, count: int | None = None, default: Any = _REQUIRED) -> tuple[float, ...]:
        """A list of finite numbers, ``count`` of them where that is given."""
        value = self.raw(key, default)
        if isinstance(value, list | tuple) and all(map(is_number, value)) and count in (None, len(value)):
            return tuple(float(entry) for entry in value)
        self._fault(key, value, f"give a list of {'' if count is None else f'{count} '}numbers", None)
        return (0.0,) * (count or 0)

    def wholes(self, key: str, default: Any = _REQUIRED) -> tuple[int, ...]:
        value = self.raw(key, default)
        if isinstance(value, list | tuple) and all(type(entry) is int for entry in value):
            return tuple(value)
        self._fault(key, value, "give a list of whole numbers", None)
        return ()

    def texts(self, key: str, choices: Sequence[str]) -> tuple[str, ...]:
        """A list of one or more of the choices, each once."""
        value = self.raw(key)
        if isinstance(value, list) and value and all(v in choices for v in value) and len(set(value)) == len(value):
            return tuple(value)
        self._fault(key, value, f"give a list of one or more of {', '.join(choices)}", None)
        return (choices[0],)

    def points(self, key: str, default: Any = _REQUIRED) -> tuple[tuple[float, float, float], ...]:
        """A list of points [r, a, s] in mm."""
        value = self.raw(key, default)
        if isinstance(value, list | tuple) and all(
            isinstance(p, list) and len(p) == 3 and all(map(is_number, p)) for p in value
        ):
            return tuple((float(p[0]), float(p[1]), float(p[2])) for p in value)
        self._fault(key, value, "give a list of points [r, a, s] in mm", None)
        return ()

    def inner(self, key: str) -> JsonFields:
        """The object inside; read it and call its `end`."""
        value = self.raw(key)
        if value is None:  # that it is missing has been noted
            inside = JsonFields({}, f'"{key}"', FaultList())
            inside._is_object = False
            return inside
        return JsonFields(value, f'"{key}"', self.faults)

    def inners(self, key: str, default: Any = _REQUIRED) -> list[JsonFields]:
        value = self.raw(key, default)
        if not isinstance(value, list | tuple):
            self._fault(key, value, "give a list of objects", None)
            return []
        return [JsonFields(entry, f'"{key}" entry {n}', self.faults) for n, entry in enumerate(value, start=1)]

    def _fault(self, key: str, value: object, advice: str, stand_in: Any) -> Any:
        if value is not None:
            shown = repr(value) if len(repr(value)) < 60 else f"{repr(value)[:57]}..."
            self.faults.add(f'"{key}" of {self._where} is {shown}: {advice}.')
        return stand_in
