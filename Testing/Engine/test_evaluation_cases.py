"""Cases of protocols: always the same, from starts that the program takes, and from the very files that are named."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PhantomImages import make_phantom_cases_of_it

from prostreg.errors import InputError
from prostreg.evaluation.protocol import Protocol, read_protocol
from prostreg.evaluation.sources.case_source import CaseSource, make_case_source
from prostreg.geometry.frames import invert_rigid
from prostreg.registration.pipeline import mtre_mm
from prostreg.registration.start import start_pose

OFFSETS = read_protocol("capture-range").content["starts"]["offsets"]


@pytest.fixture(scope="module", autouse=True)
def quickly_made_phantom() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        make_phantom_cases_of_it(patch)
        yield


@pytest.fixture(scope="module")
def protocol() -> Protocol:
    return read_protocol("phantom")


@pytest.fixture(scope="module")
def source(protocol: Protocol) -> CaseSource:
    return make_case_source(protocol, None)


def test_a_case_depends_on_its_number_alone(protocol: Protocol, source: CaseSource) -> None:
    backwards = make_case_source(protocol.with_changes(cases=50), None)
    for number in (3, 0):
        one, other = source.case(number), backwards.case(number)
        np.testing.assert_array_equal(one.views[0].xray.line_integrals, other.views[0].xray.line_integrals)
        np.testing.assert_array_equal(one.initial_world_from_volume, other.initial_world_from_volume)
        np.testing.assert_array_equal(one.truth_world_from_volume, other.truth_world_from_volume)
        assert one.name == other.name == f"phantom-{number:04d}"


def test_cases_and_seeds_differ(protocol: Protocol, source: CaseSource) -> None:
    other_seed = make_case_source(protocol.with_changes(seed=protocol.seed + 1), None)
    truths = [source.case(0), source.case(1), other_seed.case(0)]
    flat = {tuple(case.truth_world_from_volume.ravel()) for case in truths}
    assert len(flat) == 3


def test_binned_starts_lie_in_their_bins_and_can_be_used(protocol: Protocol) -> None:
    edges = [0, 20, 60, 120]
    starts = {"kind": "bins", "edges_mm": edges, "offsets": OFFSETS}
    binned = make_case_source(protocol.with_changes(starts=starts), None)
    for number in range(3):
        case = binned.case(number)
        start_pose(case)  # raises where the program would refuse it
        error = mtre_mm(case, case.initial_world_from_volume)
        assert edges[number % 3] <= error <= edges[number % 3 + 1]


def test_wide_starts_are_drawn_again_until_they_can_be_used(protocol: Protocol) -> None:
    wide = {**OFFSETS, "shift_u_mm": {"normal": [0, 200]}}
    source = make_case_source(protocol.with_changes(starts={"kind": "drawn", "offsets": wide}), None)
    for number in range(2):
        start_pose(source.case(number))


def test_frames_of_a_motion_start_at_the_frame_before(protocol: Protocol) -> None:
    motion = {**read_protocol("tracking").content["motion"], "frames_per_sequence": 3}
    moving = make_case_source(protocol.with_changes(starts=None, motion=motion), None)
    frames = [moving.case(number) for number in range(4)]
    for before, after in pairwise(frames[:3]):
        np.testing.assert_array_equal(after.initial_world_from_volume, before.truth_world_from_volume)
        assert 0.05 < mtre_mm(after, after.initial_world_from_volume) < 10
    assert mtre_mm(frames[3], frames[2].truth_world_from_volume) > 10  # another sequence, elsewhere
    assert mtre_mm(frames[3], frames[3].initial_world_from_volume) < 10


def test_two_views_stand_as_far_apart_as_the_protocol_says(protocol: Protocol) -> None:
    views = read_protocol("biplane").content["source"]["views"]
    biplane = make_case_source(protocol.with_changes(source={**protocol.content["source"], "views": views}), None)
    case = biplane.case(0)
    first, second = (view.carm.camera_from_world for view in case.views)
    second_from_first = second @ invert_rigid(first)
    assert np.rad2deg(np.arccos(second_from_first[2, 2])) == pytest.approx(75.0)
    isocentre = np.array([0, 0, 620.0, 1])
    np.testing.assert_allclose(second_from_first @ isocentre, isocentre, atol=1e-9)
    assert case.views[0].xray.line_integrals.std() > 0 < case.views[1].xray.line_integrals.std()


def test_missing_data_is_named_with_its_origin(tmp_path: Path) -> None:
    protocol = read_protocol("prost-pelvis")
    with pytest.raises(InputError) as caught:
        make_case_source(protocol, tmp_path)
    assert len(caught.value.faults) == 2
    assert all("TotalSegmentator" in fault and "Apache-2.0" in fault for fault in caught.value.faults)
    with pytest.raises(InputError, match="--cases"):
        make_case_source(protocol, None)


def test_another_file_of_the_same_name_is_refused(tmp_path: Path) -> None:
    for name in ("pelvis_lumbar.nii.gz", "pelvis_lumbar_labels.nii.gz"):
        (tmp_path / name).write_bytes(b"something else")
    with pytest.raises(InputError) as caught:
        make_case_source(read_protocol("prost-pelvis"), tmp_path)
    assert len(caught.value.faults) == 2
    assert all("sha256" in fault for fault in caught.value.faults)


def test_case_folders_are_taken_in_the_order_of_their_names(protocol: Protocol, tmp_path: Path) -> None:
    for name in ("b", "a"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "case.json").write_text(f'{{"name": "{name}"}}', encoding="utf-8")
    changed = protocol.with_cases_of(tmp_path)
    assert changed.source == ["a/case.json", "b/case.json"]
    assert len(make_case_source(changed, tmp_path)) == changed.cases == 2
    assert len(make_case_source(protocol.with_cases_of(tmp_path / "b"), tmp_path / "b")) == 1
    (tmp_path / "a" / "case.json").write_text("{}", encoding="utf-8")
    assert protocol.with_cases_of(tmp_path).version != changed.version
    with pytest.raises(InputError, match=r"no case\.json"):
        protocol.with_cases_of(tmp_path / "nothing")
