"""Fields of JSON objects: what fits is given, what does not is told with what would, all of it at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from prostreg.errors import FaultList, InputError
from prostreg.json_fields import JsonFields

NAN, INFINITE = float("nan"), float("inf")
A_SHA256 = "0123456789abcdef" * 4
READERS: dict[str, tuple[Callable[[JsonFields], Any], list[tuple[Any, Any]], list[Any], str]] = {
    "flag": (lambda f: f.flag("x"), [(True, True), (False, False)], [0, "true"], "give true or false"),
    "text": (lambda f: f.text("x"), [("a b", "a b")], ["", "  ", 3, ["a"]], "give a text"),
    "sha256": (lambda f: f.sha256("x"), [(A_SHA256, A_SHA256)], ["ab", A_SHA256.upper(), A_SHA256 + "0", 7], "64 hexa"),
    "choice": (lambda f: f.choice("x", ("a", "b")), [("b", "b")], ["c", ["a"], {"a": 1}], "choose one of a, b"),
    "whole": (lambda f: f.whole("x", 1, 5), [(1, 1), (5, 5)], [0, 6, 3.0, True, "3"], "a whole number from 1 to 5"),
    "number": (
        lambda f: f.number("x", 0.5, 2), [(1, 1.0), (0.5, 0.5), (2, 2.0)], [0.4, 2.1, NAN, True, "1"], "from 0.5 to 2",
    ),
    "span": (
        lambda f: f.span("x", 0, 4),
        [([1, 2], (1, 2)), ([0, 4], (0, 4)), (3, (3, 3))],
        [[2, 1], [-1, 2], [1, 5], [1], [1, 2, 3], [1, NAN], "1", [True, 2]],
        "give low <= high, [low, high], from 0 to 4",
    ),
    "numbers": (lambda f: f.numbers("x", 2), [([1, 2.5], (1.0, 2.5))], [[1], [1, 2, 3], [1, INFINITE], 1], "2 numbers"),
    "wholes": (lambda f: f.wholes("x"), [([1, -2], (1, -2)), ([], ())], [[1.0], [True], 1, "12"], "whole numbers"),
    "texts": (
        lambda f: f.texts("x", ("a", "b")), [(["b", "a"], ("b", "a"))], [[], ["a", "a"], ["c"], "ab"], "more of a, b",
    ),
    "points": (
        lambda f: f.points("x", least=1), [([[1, 2, 3]], ((1.0, 2.0, 3.0),))], [[], [[1, 2]], [[1, 2, NAN]], 5], "mm",
    ),
    "mapping": (lambda f: f.mapping("x"), [({"a": 1}, {"a": 1})], [[1], "a", 4], "give an object"),
    "inners": (lambda f: len(f.inners("x")), [([{}, {}], 2), ([], 0)], [{"a": 1}, "a"], "give a list of objects"),
}  # fmt: skip


@pytest.mark.parametrize("name", READERS)
def test_what_fits_is_given_and_what_does_not_is_told(name: str) -> None:
    read, fitting, others, advice = READERS[name]
    for given, expected in fitting:
        fields = JsonFields({"x": given}, "The file")
        assert read(fields) == expected
        assert not fields.faults
    for given in others:
        fields = JsonFields({"x": given}, "The file")
        read(fields)
        (fault,) = fields.faults.faults
        assert fault.startswith('"x" of the file is ')
        assert advice in fault
    for content, words in (({}, 'The file lacks "x": '), ({"x": None}, '"x" of the file is null: ')):
        fields = JsonFields(content, "The file")
        read(fields)
        (fault,) = fields.faults.faults
        assert fault.startswith(words)
        assert advice in fault


@pytest.mark.parametrize("content", [{}, {"x": None}])
def test_a_default_stands_for_what_is_missing(content: dict[str, Any]) -> None:
    fields = JsonFields(content, "The file")
    assert fields.whole("x", 1, 3, 2) == 2
    assert fields.text("x", "") == ""
    assert fields.points("x", ()) == ()
    assert fields.raw("x", 7) == 7
    assert "x" not in fields
    assert not fields.faults


def test_long_values_are_cut() -> None:
    fields = JsonFields({"x": "y" * 5000}, "The file")
    fields.whole("x", 0, 1)
    assert len(fields.faults.faults[0]) < 150


def test_unknown_keys_are_named_with_what_was_likely_meant() -> None:
    fields = JsonFields({"spacing": 1, "colour": "red", "depth": 2}, "The file")
    fields.raw("spacing_mm")
    fields.raw("depth")
    fields.end()
    assert fields.faults.faults == [
        'The file has the unknown key "spacing": did you mean "spacing_mm"?',
        'The file has the unknown key "colour": known are depth, spacing_mm.',
    ]


def test_objects_inside_share_the_faults_and_what_is_missing_is_told_once() -> None:
    fields = JsonFields({"a": {"b": 3, "c": 1}, "list": [{}, 5]}, "The file")
    inside = fields.inner("a")
    inside.text("b")
    inside.end()
    for entry in fields.inners("list"):
        entry.text("name")
    missing = fields.inner("d")
    missing.text("e")
    missing.end()
    assert fields.faults.faults == [
        '"b" of "a" is 3: give a text.',
        '"a" has the unknown key "c": known are b.',
        '"list" entry 2 must be an object, {...}.',
        '"list" entry 1 lacks "name": give a text.',
        'The file lacks "d".',
    ]


@pytest.mark.parametrize("content", [None, [], "a", 3])
def test_what_is_no_object_is_one_fault(content: object) -> None:
    faults = FaultList()
    fields = JsonFields(content, "The file", faults)
    fields.text("name")
    fields.inner("inside").whole("n", 0, 1)
    fields.end()
    assert faults.faults == ["The file must be an object, {...}."]


def test_values_are_judged_by_others_under_a_name_that_says_where_they_stand() -> None:
    def faults_of(value: Any, name: str) -> list[str]:
        return [] if value == [1] else [f"{name} is odd.", f"{name} is long."]

    fields = JsonFields({"good": [1], "bad": [1, 2]}, "The file")
    assert fields.judged("good", faults_of, "give 1", [0]) == [1]
    assert fields.judged("bad", faults_of, "give 1", [0]) == [0]
    assert fields.judged("none", faults_of, "give 1", [0]) == [0]
    assert fields.faults.faults == [
        "bad of the file is odd.",
        "bad of the file is long.",
        'The file lacks "none": give 1.',
    ]


@pytest.mark.parametrize("name", ["a b", "a/b", "a:b"])
def test_names_of_files(name: str) -> None:
    fields = JsonFields({"name": "pelvis-1_b.2", "other": name}, "The file")
    assert fields.file_name("name") == "pelvis-1_b.2"
    assert not fields.faults
    fields.file_name("other")
    with pytest.raises(InputError, match="use letters, digits"):
        fields.faults.raise_if_any()
