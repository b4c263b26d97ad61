"""One vertebra among its neighbours: the right one is found from the wrong one, or the result says so."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from PhantomImages import phantom_simulator, the_phantom

from Patience import PATIENCE_S
from prostreg.geometry.carm import CArm
from prostreg.geometry.chart import PoseChart
from prostreg.geometry.frames import transform_points
from prostreg.geometry.standard_views import standard_view
from prostreg.images.look_alikes import LookAlike
from prostreg.images.xray_preparation import prepare_xray
from prostreg.outputs.result_file import result_to_dict
from prostreg.registration.acceptance import MOST_IF_DOUBTED
from prostreg.registration.case import Case, PlacedBone, View
from prostreg.registration.config import RegistrationConfig
from prostreg.registration.neighbours import told_apart
from prostreg.registration.neighbours.bones_around import times_as_much_bone, with_bones_around
from prostreg.registration.neighbours.depth import BETWEEN, MOTION_MM, TOLD_BY_NEIGHBOURS, _likeliest
from prostreg.registration.neighbours.rivals import Comparison, Rival, RivalSearch, _both_ways, moved
from prostreg.registration.neighbours.told_apart import STAGE, UNCHECKED, _ToldApart
from prostreg.registration.pipeline import judged_at
from prostreg.registration.registering import register
from prostreg.registration.result import Progress, Result
from prostreg.registration.start import anatomy_centre_mm, anatomy_points_mm
from prostreg.samples.phantom import VERTEBRA_LABELS

PIXELS = 192
CONFIG = RegistrationConfig(time_limit_s=PATIENCE_S, most_restarts=2, weights="shipped")
HALF_OPENING_PX = (23.2, 47.5)
"""22 mm along the spine at its depth: hardly more than the vertebra itself, and 45 mm across it."""
NEARBY = np.array([0.03, -0.04, 0.05, 3.0, -4.0, 5.0])


@pytest.fixture(scope="module")
def row() -> SimpleNamespace:
    """The phantom's three vertebrae seen from the front, and a case of one of them started on another."""
    phantom = the_phantom()
    pose = standard_view("AP", phantom.vertebra_centres_mm[1], 620.0)
    carm = CArm.from_sdd(1020.0, (298.0 / PIXELS,) * 2, (PIXELS, PIXELS))
    image = phantom_simulator().image(carm, pose, 0)
    view = View(prepare_xray(image.pixels.astype(np.float32), image.polarity, None), carm)
    centres = phantom.vertebra_centres_mm

    def started(level: int, on: int) -> Case:
        chart = PoseChart(moved(pose, centres[on] - centres[level]), np.eye(4), centres[level])
        mask = phantom.labels.values == VERTEBRA_LABELS[level]
        start = chart.world_from_volume_at(NEARBY)[0]
        return Case("one", phantom.ct, mask, (view,), start, pose, centres[level : level + 1])

    return SimpleNamespace(started=started, phantom=phantom)


@pytest.mark.parametrize(("level", "on"), [(0, 1), (1, 2)])
def test_a_vertebra_started_on_its_neighbour_is_found_in_its_own_place(row, level, on):
    events = []
    result = register(row.started(level, on), CONFIG, events.append)
    assert result.mtre_mm < 5
    assert result.status == "accepted"
    here, *others = result.look_alikes
    assert here.confirmed > max(place.confirmed for place in others) / 0.8
    fractions = [event.fraction for event in events]
    assert fractions == sorted(fractions)
    assert STAGE in {stage.name for stage in result.stages}
    assert result.config == CONFIG.to_dict()
    (told, *_) = result_to_dict(result)["look_alikes"]
    assert told == {"offset_mm": list(here.offset_mm), "confirmed": here.confirmed}


def test_progress_never_falls_when_another_search_begins(row):
    told = []
    apart = _ToldApart(row.started(0, 1), CONFIG, told.append, None)
    for fraction in (0.2, 0.9, 0.0, 0.5, 0.95):
        apart._tell(Progress("cmaes", fraction, 0.5, np.eye(4), "searching"))
    assert [progress.fraction for progress in told] == [0.2, 0.9, 0.9, 0.9, 0.95]


def test_a_single_search_stays_where_it_ends_and_is_doubted_there(row):
    config = replace(CONFIG, method="cmaes", spread_rotation_deg=6.0, spread_shift_mm=6.0, spread_depth_mm=10.0)
    result = register(row.started(0, 1), config)
    assert result.mtre_mm > 20
    assert result.status == "uncertain"
    assert result.confidence <= MOST_IF_DOUBTED
    assert "may be one level off" in result.reasons[0]
    assert "towards the head" in result.reasons[0]
    assert "fit the image better there" in result.reasons[0]


def test_a_place_that_was_not_compared_is_never_accepted(row):
    events = []
    result = register(row.started(0, 0), CONFIG, events.append, lambda: events[-1:] and events[-1].stage == STAGE)
    assert result.stopped == "cancelled"
    assert result.status == "uncertain"
    assert result.reasons[0] == UNCHECKED
    assert sum(event.stage == STAGE for event in events) == 1


def test_an_image_of_one_vertebra_alone_does_not_tell_its_level(row):
    case = row.started(1, 1)
    (view,) = case.views
    column, line = view.carm.project_world(transform_points(case.truth_world_from_volume, case.landmarks_mm[0]))
    lines, columns = np.indices(view.xray.mask.shape)
    shutter = (abs(lines - line) < HALF_OPENING_PX[0]) & (abs(columns - column) < HALF_OPENING_PX[1])
    alone = replace(case, views=(replace(view, xray=replace(view.xray, mask=view.xray.mask & shutter)),))
    result = register(alone, CONFIG)
    assert result.status == "uncertain"
    assert "may be one level off: a place" in result.reasons[0]
    assert "fit the image as well there" in result.reasons[0]


@pytest.mark.parametrize(("elsewhere", "is_better"), [(0.6, True), (0.1, False), (0.2, False)])
def test_a_search_that_failed_goes_on_from_a_better_place(row, monkeypatch, elsewhere, is_better):
    """It may have begun on a wrong level; what found nothing is not said to be one level off."""
    there, case = np.diag([1.0, 1.0, 1.0, 1.0]), row.started(0, 1)
    there[:3, 3] = 1.0, 2.0, 3.0
    starts = []

    def search(case, config, on_progress, is_cancelled):
        starts.append(case.initial_world_from_volume)
        status, confidence = ("accepted", 0.9) if len(starts) == 2 else ("failed", 0.1)
        pose = case.initial_world_from_volume
        known = {"confirmed": 0.5, "by_bones_around": 0.0, "expected_along_mm": 0.0}
        return Result(
            "one", status, confidence, pose, (pose,), (), 1.0, "cpu", "", None, {}, {}, reasons=("so",), evidence=known
        )

    def comparison(self, pose):
        here, rival = compared(0.2, elsewhere if len(starts) == 1 else 0.1).elsewhere[0], compared(0.2).here
        return Comparison(rival, (replace(here, world_from_volume=there),))

    monkeypatch.setattr(told_apart, "register_from_start", search)
    monkeypatch.setattr(RivalSearch, "compared", comparison)
    result = register(case, CONFIG)
    assert result.status == ("accepted" if is_better else "failed")
    assert result.reasons == ("so",)
    np.testing.assert_array_equal(starts[-1], there if is_better else case.initial_world_from_volume)


def compared(here: float, *elsewhere: float) -> Comparison:
    away = np.array([0.0, 3.0, -38.0])
    place_mm = away + np.array([0.0, 30.0, 0.0])
    rivals = [Rival(np.eye(4), place_mm, 30.0, away, 0.0, confirmed) for confirmed in elsewhere]
    return Comparison(Rival(np.eye(4), np.zeros(3), 0.0, np.zeros(3), 0.0, here), tuple(rivals))


@pytest.mark.parametrize(
    ("here", "elsewhere", "fits"),
    [(0.5, 0.39, None), (0.5, 0.41, "as well"), (0.5, 0.62, "as well"), (0.5, 0.63, "better")],
)
def test_places_that_score_nearly_alike_are_not_told_apart(here, elsewhere, fits):
    comparison = compared(here, elsewhere, 0.1)
    doubt = comparison.doubt()
    assert (comparison.better is None) == (elsewhere < here)
    if fits is None:
        assert doubt is None
    else:
        assert doubt == (
            "may be one level off: a place 38 mm towards the feet of this one looks alike, and the bones around fit"
            f" the image {fits} there"
        )


@pytest.mark.parametrize("turned_deg", [24.9, 25.1])
def test_the_same_bone_turned_by_more_than_neighbours_are_is_a_rival_and_no_other_level(turned_deg):
    comparison = compared(0.5, 0.45)
    (rival,) = comparison.elsewhere
    doubt = replace(comparison, elsewhere=(replace(rival, turned_deg=turned_deg),)).doubt()
    assert doubt.startswith("may be one level off") == (turned_deg < 25)
    assert (doubt == "another place explains the image nearly as well") == (turned_deg > 25)


@pytest.mark.parametrize(("deeper", "is_better"), [(0.62, False), (0.63, True)])
def test_another_depth_is_no_other_level_and_is_gone_on_from_where_it_fits_clearly_better(deeper, is_better):
    along_mm, across_mm = np.array([0.0, 45.0, 0.0]), np.array([0.0, 0.0, 2.0])
    here = compared(0.5).here
    comparison = Comparison(here, (Rival(np.eye(4), along_mm, 45.0, across_mm, 0.0, deeper),))
    assert comparison.doubt() is None
    assert (comparison.better is not None) == is_better


def test_a_place_without_rivals_is_not_doubted():
    assert compared(0.3).doubt() is None
    assert compared(0.3).better is None


@pytest.mark.parametrize(
    ("along_mm", "confirmed", "side"),
    [(5.1, 0.8, "5 mm farther from"), (-9.7, 0.8, "10 mm nearer to"), (5.0, 0.8, None), (9.7, 0.79, None)],
)
def test_a_depth_that_the_bones_around_contradict_is_doubted(along_mm, confirmed, side):
    """Unless they fit far worse than the anatomy itself: then they have moved against it."""
    comparison = Comparison(Rival(np.eye(4), np.array([0.0, along_mm, 0.0]), along_mm, np.zeros(3), 0.0, confirmed), ())
    doubt = comparison.depth_doubt(1.0)
    if side is None:
        assert doubt is None
    else:
        assert doubt == f"its depth is not sure: with the bones around it fits best {side} the source"


def found_deeper(case: Case, by_mm: float, along_mm: float = 4.0) -> Result:
    """An accepted result so far behind the true place, whose image leaves so much of the depth open."""
    deeper = np.eye(4)
    deeper[2, 3] = by_mm
    pose = deeper @ case.truth_world_from_volume
    known = {"confirmed": 0.5, "expected_along_mm": along_mm, "runner_up": 0.0, "agreement": 0.0, "restarts": 1.0}
    known |= {"surprise": 0.1, "by_bones_around": 0.0}
    return Result("one", "accepted", 0.9, pose, (pose,), (), 1.0, "cpu", "", None, {}, {}, evidence=known)


def bones_around_say(monkeypatch: pytest.MonkeyPatch, along_mm: float) -> None:
    """Has the bones around fit best with the pose that was found moved so far along the beam, and no other place."""
    here = Rival(np.eye(4), np.array([0.0, -along_mm, 0.0]), along_mm, np.zeros(3), 0.0, 0.9)
    monkeypatch.setattr(RivalSearch, "compared", lambda self, pose: Comparison(here, ()))


def test_two_views_tell_the_depth_themselves(row, monkeypatch):
    case = row.started(1, 1)
    bones_around_say(monkeypatch, 9.0)
    found = found_deeper(case, 4.0)
    one, two = (
        _ToldApart(replace(case, views=case.views * count), CONFIG, None, None).compared(found, most_moves=0)
        for count in (1, 2)
    )
    assert (one.status, two.status) == ("uncertain", "accepted")
    np.testing.assert_array_equal(two.world_from_volume, found.world_from_volume)


@pytest.mark.parametrize("is_apart", [False, True])
def test_an_accepted_vertebra_deeper_than_its_neighbours_say_is_uncertain_and_put_between(row, is_apart):
    """Those that are registered beside it have poses of their own, and tell nothing of its depth."""
    case = row.started(1, 1)
    if is_apart:
        case = replace(case, others=(PlacedBone(case.anatomy, case.truth_world_from_volume),))
    found = found_deeper(case, 9.0)
    result = _ToldApart(case, CONFIG, None, None).compared(found, most_moves=0)
    assert result.status == ("accepted" if is_apart else "uncertain")
    depth_mm = result.world_from_volume[2, 3] - case.truth_world_from_volume[2, 3]
    if is_apart:
        assert depth_mm == pytest.approx(9.0)
    else:
        assert "it fits best 9 mm nearer to the source" in result.reasons[0]
        assert BETWEEN in result.reasons
        assert TOLD_BY_NEIGHBOURS not in result.reasons
        assert 0 < depth_mm < 6


@pytest.mark.parametrize(("along_mm", "is_followed"), [(-9.9, True), (-10.1, False)])
def test_a_depth_that_is_not_of_the_same_pose_is_told_and_not_followed(row, monkeypatch, along_mm, is_followed):
    """Of 4 mm that the image leaves open and 3 mm that bones move, twice their root sum of squares."""
    case = row.started(1, 1)
    bones_around_say(monkeypatch, along_mm)
    result = _ToldApart(case, CONFIG, None, None).compared(found_deeper(case, 4.0), most_moves=0)
    assert result.status == "uncertain"
    assert result.reasons[0].startswith("its depth is not sure")
    assert (BETWEEN in result.reasons) == is_followed


@pytest.mark.parametrize(("along_mm", "is_bridged"), [(-7.9, True), (-8.1, False)])
def test_depths_that_are_a_motion_and_a_permitted_error_apart_are_bridged(row, monkeypatch, along_mm, is_bridged):
    case = row.started(1, 1)
    bones_around_say(monkeypatch, along_mm)
    result = _ToldApart(case, CONFIG, None, None).compared(found_deeper(case, 5.0), most_moves=0)
    depth_mm = result.world_from_volume[2, 3] - case.truth_world_from_volume[2, 3]
    assert -3 < depth_mm < 3
    assert result.status == ("accepted" if is_bridged else "uncertain")
    assert (TOLD_BY_NEIGHBOURS in result.reasons, BETWEEN in result.reasons) == (is_bridged, not is_bridged)
    assert any("depth is not sure" in reason for reason in result.reasons) != is_bridged


@pytest.mark.parametrize(("along_mm", "is_told"), [(3.1, True), (2.9, False)])
def test_the_bones_around_tell_the_depth_that_an_image_leaves_open(row, along_mm, is_told):
    case = row.started(1, 1)
    found = found_deeper(case, 4.0, along_mm)
    result = _ToldApart(case, CONFIG, None, None).compared(found, most_moves=0)
    depth_mm = result.world_from_volume[2, 3] - case.truth_world_from_volume[2, 3]
    assert (TOLD_BY_NEIGHBOURS in result.reasons) == is_told
    if is_told:
        assert abs(depth_mm) < 2.5
        by_image_alone = judged_at(case, found, result.world_from_volume, CONFIG).evidence["expected_along_mm"]
        told = result.evidence["expected_along_mm"]
        assert told == pytest.approx(1 / np.hypot(1 / by_image_alone, 1 / MOTION_MM), rel=0.05)
        assert result.config == found.config
        assert result.look_alikes
    else:
        assert depth_mm == pytest.approx(4.0)


def test_what_is_cancelled_while_its_depth_is_asked_for_stays_as_it_was(row):
    case, events = row.started(1, 1), []
    found = found_deeper(case, 4.0)
    apart = _ToldApart(case, CONFIG, events.append, lambda: events[-1:] and events[-1].stage != STAGE)
    result = apart.compared(found, most_moves=0)
    assert result.stopped == "cancelled"
    assert result.status == "accepted"
    np.testing.assert_array_equal(result.world_from_volume, found.world_from_volume)


def test_bones_that_have_moved_tell_no_depth(row, monkeypatch):
    case = row.started(1, 1)
    here = Rival(np.eye(4), np.array([0.0, -4.0, 0.0]), 4.0, np.zeros(3), 0.0, 0.39)
    monkeypatch.setattr(RivalSearch, "compared", lambda self, pose: Comparison(here, ()))
    found = found_deeper(case, 4.0)
    result = _ToldApart(case, CONFIG, None, None).compared(found, most_moves=0)
    np.testing.assert_array_equal(result.world_from_volume, found.world_from_volume)
    assert result.status == "accepted"


@pytest.mark.parametrize(("other_share", "is_told"), [(0.0, False), (0.4, False), (0.6, True)])
def test_an_anatomy_that_is_nearly_all_bone_there_is_does_not_tell_its_depth_again(
    row, monkeypatch, other_share, is_told
):
    """Another patient's hip was accepted with the words that the bones around fit as they lie in the CT."""
    case = row.started(1, 1)
    bones_around_say(monkeypatch, 4.0)
    values = np.where(case.anatomy, case.ct.values, -50.0).astype(np.float32)
    free = np.flatnonzero(~case.anatomy & (case.ct.values > 150))
    values.ravel()[free[: round(other_share * np.count_nonzero(case.anatomy))]] = 900.0
    case = replace(case, ct=case.ct.with_values(values))
    assert times_as_much_bone(with_bones_around(case), case) == pytest.approx(1 + other_share, abs=0.05)
    result = _ToldApart(case, CONFIG, None, None).compared(found_deeper(case, 4.0), most_moves=0)
    assert (TOLD_BY_NEIGHBOURS in result.reasons) == is_told


def test_a_depth_moves_the_pose_in_part_by_how_open_it_was(row):
    case = row.started(1, 1)
    pose = case.truth_world_from_volume
    chart = PoseChart(pose, np.eye(4), anatomy_centre_mm(anatomy_points_mm(case)))
    near, far = (chart.parameters_of(_likeliest(case, pose, along_mm, CONFIG))[5] for along_mm in (1.0, 2.0))
    assert 0 < near < 1
    assert far == pytest.approx(2 * near)


def test_rivals_lie_both_ways_and_each_once():
    up, down = np.array([0.0, -5.0, 37.0]), np.array([0.0, 6.0, -36.0])
    offsets = _both_ways([LookAlike(up, 0.6), LookAlike(down, 0.5)])
    np.testing.assert_array_equal(offsets, [up, -up])


def test_the_bones_around_are_those_of_the_ct_nearby(row):
    case = row.started(0, 0)
    around = with_bones_around(case)
    assert around.anatomy.shape == around.ct.values.shape
    labels = row.phantom.labels
    low = np.rint(np.linalg.inv(labels.volume_from_index) @ around.ct.volume_from_index[:, 3]).astype(int)[:3]
    k, j, i = (slice(first, first + size) for first, size in zip(low[::-1], around.anatomy.shape, strict=True))
    values = labels.values[k, j, i]
    assert around.anatomy[np.isin(values, VERTEBRA_LABELS[:2])].all()
    assert not (values == VERTEBRA_LABELS[2]).all()
    height_mm = around.ct.size[2] * around.ct.spacing_mm[2]
    assert height_mm < 2 * 60 + 60
