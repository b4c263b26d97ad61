"""Protocol files: every fault is listed, parts may be files of their own, and a version tells rows apart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PhantomImages import the_phantom

from prostreg.errors import InputError
from prostreg.evaluation.protocol import protocol_from_dict, protocol_names, read_protocol
from prostreg.evaluation.sources.landmarks import surface_landmarks_mm
from prostreg.samples.phantom import VERTEBRA_LABELS

REQUIRED = {"prost-pelvis", "prost-pelvis-hard", "prost-spine", "capture-range", "biplane", "tracking", "phantom"}


def content() -> dict[str, Any]:
    return json.loads(json.dumps(dict(read_protocol("phantom").content)))


def faults_of(changed: object) -> list[str]:
    with pytest.raises(InputError) as caught:
        protocol_from_dict(changed)
    return caught.value.faults


def test_protocols_that_come_with_the_program_are_sound() -> None:
    protocols = [read_protocol(name) for name in protocol_names()]
    assert {protocol.name for protocol in protocols} >= REQUIRED
    assert [protocol.name for protocol in protocols] == list(protocol_names())
    assert len({protocol.version for protocol in protocols}) == len(protocols)


def test_every_fault_is_listed_at_once() -> None:
    changed = content()
    changed["colour"] = "blue"
    changed["cases"] = 0
    changed["methods"] = ["cmaes", "magic"]
    changed["settings"]["generatoins"] = 3
    changed["settings"]["seed"] = 3
    changed["source"]["carm"]["sdd_mm"] = "far"
    changed["source"]["views"][0]["standard_view"] = "frontal"
    changed["source"]["simulator"] = "perfect"
    changed["starts"]["offsets"]["depth_mm"] = {"normal": [0, -20]}
    del changed["starts"]["offsets"]["shift_u_mm"]
    changed["landmarks_mm"] = [[1, 2]]
    faults = faults_of(changed)
    expected = [
        '"colour"', '"cases"', "'magic'", '"generatoins"', '"seed"', '"sdd_mm"', "'frontal'", "'perfect'", "-20",
        '"shift_u_mm"', '"landmarks_mm"',
    ]  # fmt: skip
    for words in expected:
        assert sum(words in fault for fault in faults) == 1, (words, faults)
    assert len(faults) == len(expected)


@pytest.mark.parametrize("changed", [None, [], "phantom", {}, {"source": {"kind": "dream"}}, {"source": 3}])
def test_what_is_no_protocol_is_refused_in_words(changed: object) -> None:
    assert faults_of(changed)


@pytest.mark.parametrize(("sdd_mm", "isocentre_mm"), [(300.0, 300.0), (1000.0, 1200.0)])
def test_an_isocentre_lies_between_source_and_detector(sdd_mm: float, isocentre_mm: float) -> None:
    changed = content()
    changed["source"]["carm"].update(sdd_mm=sdd_mm, isocentre_to_detector_mm=isocentre_mm)
    (fault,) = faults_of(changed)
    assert "isocentre_to_detector_mm" in fault


def test_bins_must_rise() -> None:
    changed = content()
    changed["starts"].update(kind="bins", edges_mm=[0, 20, 10])
    assert any("edges_mm" in fault for fault in faults_of(changed))


def test_unknown_name_and_broken_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="prost-pelvis"):
        read_protocol("prost-pelvic")
    (tmp_path / "mine.json").write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match="not valid JSON"):
        read_protocol(tmp_path / "mine.json")


def test_parts_of_a_protocol_may_be_files_of_their_own(tmp_path: Path) -> None:
    mine = content()
    (tmp_path / "points.json").write_text(json.dumps(mine["landmarks_mm"][:5]), encoding="utf-8")
    mine["landmarks_mm"] = {"from": "points.json"}
    (tmp_path / "mine.json").write_text(json.dumps(mine), encoding="utf-8")
    assert read_protocol(tmp_path / "mine.json").landmarks_mm == read_protocol("phantom").landmarks_mm[:5]


def test_parts_that_name_each_other_end(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"from": "a.json"}', encoding="utf-8")
    with pytest.raises(InputError, match="circle"):
        read_protocol(tmp_path / "a.json")


def test_version_changes_with_what_changes_rows_and_with_nothing_else() -> None:
    protocol = read_protocol("phantom")
    same = protocol.with_changes(cases=50, title="Another", methods=["auto"], description="")
    assert same.version == protocol.version
    others = [
        protocol.with_changes(seed=1),
        protocol.with_changes(settings={**protocol.settings, "population": 25}),
        protocol.with_changes(landmarks_mm=[[0, 0, 0]]),
    ]
    assert len({protocol.version, *(other.version for other in others)}) == 4


def test_landmarks_of_the_phantom_are_the_points_that_the_command_makes() -> None:
    phantom = the_phantom()
    points = surface_landmarks_mm(phantom.ct, np.isin(phantom.labels.values, VERTEBRA_LABELS))
    listed = np.array(read_protocol("phantom").landmarks_mm)
    np.testing.assert_allclose(listed, points, atol=0.051)
    apart = np.linalg.norm(listed[:, None] - listed[None], axis=-1) + 1e3 * np.eye(len(listed))
    assert apart.min() > 8.0  # spread out
