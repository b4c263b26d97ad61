"""What a fuzzer aims at: a reader, and inputs for it; and how sound bytes, texts and JSON are spoilt."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import strategies as st


@dataclass(frozen=True)
class Target:
    """A reader with its inputs.

    Attributes:
        file: name of the file that each input is written to, also in a folder of its own.
        read: reads that file, or refuses it in words.
        contents: of the file.
        one_in: so many inputs of the others are one of this, where each takes long.
    """

    file: str
    read: Callable[[Path], object]
    contents: st.SearchStrategy[bytes]
    one_in: int = 1


@st.composite
def damaged(draw: st.DrawFn, sound: Sequence[bytes], within: int = 700) -> bytes:
    """A sound file with bytes of its beginning replaced, left out or put in, or with its end cut off."""
    content = bytearray(draw(st.sampled_from(sound)))
    for _ in range(draw(st.integers(1, 5))):
        place = draw(st.integers(0, max(0, min(len(content), within) - 1)))
        piece = draw(
            st.one_of(st.binary(max_size=8), st.sampled_from([b"\xff" * 4, bytes(4), b"\0\0\xc0\x7f", b"\x80"]))
        )
        content[place : place + draw(st.integers(0, 8))] = piece
    return bytes(content[: draw(st.integers(0, len(content)))] if draw(st.booleans()) else content)


LARGE = 10**400
NUMBERS: list[Any] = [0, -1, 1, 2, 1.5, -0.0, 2**31, 2**63, LARGE, -LARGE, float("nan"), float("inf"), 1e308, 1e-320]
TEXTS = [
    "", " ", "auto", "a\0b", "\udcff", "a\nb", "\x1b[2J", "\u2028", "x" * 5000, "ü" * 200, ".", "..", "/", "/dev/zero",
    "/dev/stdin", "CON", "none.json", "../none", "1", "0", "nan", "-1", "null", "%s%n", "🦴" * 90,
]  # fmt: skip
LISTS: list[Any] = [
    [], [[]], [None], [0], [1, 2], [1.5, 2.5], [0, 0], [1, 2, 3], ["a"], [["a"]], [{}], [1e308] * 4, [[1, 2], [3]],
    [[0, 0, 0]] * 3, [[0.0] * 4] * 4, [[1e200] * 4] * 4, [float("nan")] * 3, list(range(400)),
]  # fmt: skip
VALUES: list[Any] = [None, True, False, *NUMBERS, *TEXTS, *LISTS, {}, {"a": 1}, {"from": "a.json"}, {"": {}}]
values = st.one_of(st.sampled_from(VALUES), st.floats(), st.integers(-(10**6), 10**6), st.text(max_size=12))


@st.composite
def changed(draw: st.DrawFn, sound: Sequence[Any], given: st.SearchStrategy[Any] = values) -> Any:
    """A sound JSON value in which some values are exchanged for others, for one another, left out or put in."""
    content = copy.deepcopy(draw(st.sampled_from(sound)))
    for _ in range(draw(st.integers(1, 4))):
        holder, key = draw(st.sampled_from(_places(content) or [(None, None)]))
        what = draw(st.sampled_from(["exchanged", "exchanged", "exchanged", "moved", "left out", "put in"]))
        if holder is None:
            return copy.deepcopy(draw(given))
        if what == "exchanged":
            holder[key] = copy.deepcopy(draw(given))
        elif what == "moved":
            other, place = draw(st.sampled_from(_places(content)))
            holder[key] = copy.deepcopy(other[place])
        elif what == "left out":
            del holder[key]
        elif isinstance(holder, dict):
            holder[draw(st.one_of(st.sampled_from(TEXTS), st.text(max_size=8)))] = copy.deepcopy(draw(given))
        else:
            holder.insert(key, copy.deepcopy(draw(given)))
    return content


def as_json(content: Any) -> bytes:
    """A value as JSON that a program might write: numbers of any length, NaN, halves of characters."""
    return json.dumps(content).encode()


def json_files(*sound: Any) -> st.SearchStrategy[bytes]:
    """Files of JSON: changed values, now and then changed bytes."""
    return st.one_of(changed(sound).map(as_json), damaged([as_json(content) for content in sound], within=10**6))


@st.composite
def changed_words(draw: st.DrawFn, sound: Sequence[str], words: Sequence[str]) -> bytes:
    """A sound text with some of its words exchanged, left out or doubled."""
    text = draw(st.sampled_from(sound))
    lines = [line.split(" ") for line in text.split("\n")]
    for _ in range(draw(st.integers(1, 5))):
        line = draw(st.sampled_from(lines))
        place = draw(st.integers(0, max(0, len(line) - 1)))
        line[place : place + draw(st.integers(0, 2))] = draw(
            st.lists(st.one_of(st.sampled_from(words), st.text(max_size=6), st.floats().map(repr)), max_size=2)
        )
    return "\n".join(" ".join(line) for line in lines).encode("utf-8", "surrogatepass")


def _places(content: Any) -> list[tuple[Any, Any]]:
    """(holder, key) of every value inside."""
    keys = content if isinstance(content, dict) else range(len(content)) if isinstance(content, list) else ()
    return [place for key in keys for place in ((content, key), *_places(content[key]))]
