"""The list of breaks does not rot: every text is still there once, and what stands there instead can be read."""

from collections import Counter

from break_lines import breaks_of, broken, faults_of


def test_every_break_can_be_made():
    assert faults_of(breaks_of()) == []


def test_no_break_is_listed_twice_or_breaks_nothing():
    listed = breaks_of()
    assert len(listed) >= 120
    for key in (lambda one: (one.area, one.name), lambda one: (one.file, one.text, one.instead)):
        assert [entry for entry, count in Counter(map(key, listed)).items() if count > 1] == []
    assert [one.name for one in listed if broken(one, one.text) == one.text] == []


def test_a_text_that_is_gone_is_named(tmp_path):
    one = breaks_of()[0]
    (fault, *missing) = faults_of([one], tmp_path)
    assert "occurs 0 times" in fault
    assert one.name in fault
    assert len(missing) == len(one.tests)
