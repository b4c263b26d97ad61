"""Bones around a vertebra confirm its place where they fit as they lie in the CT, and nowhere else."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from prostreg.geometry.carm import CArm
from prostreg.geometry.chart import PoseChart
from prostreg.geometry.standard_views import standard_view
from prostreg.images.xray_preparation import prepare_xray
from prostreg.registration.case import Case, PlacedBone, View
from prostreg.registration.config import RegistrationConfig
from prostreg.registration.evidence import confirmed_alone
from prostreg.registration.levels import Levels
from prostreg.registration.neighbours.bones_around import (
    confirmed_by_bones_around,
    fine_with_bones_around,
    other_bone,
    tell_of_anatomy,
    with_bones_around,
)
from prostreg.registration.neighbours.rivals import moved
from prostreg.registration.pipeline import _Run
from prostreg.registration.start import anatomy_centre_mm, anatomy_points_mm
from prostreg.samples.phantom import VERTEBRA_LABELS, make_phantom
from prostreg.simulation.fluoroscopy import FluoroscopySimulator

PIXELS = 160


@pytest.fixture(scope="module")
def middle() -> SimpleNamespace:
    """The phantom's middle vertebra at its true place, how it is compared there, and the bone around it."""
    phantom = make_phantom(0)
    centres = phantom.vertebra_centres_mm
    pose = standard_view("AP", centres[1], 620.0)
    carm = CArm.from_sdd(1020.0, (298.0 / PIXELS,) * 2, (PIXELS, PIXELS))
    image = FluoroscopySimulator(phantom.ct).image(carm, pose, 0)
    view = View(prepare_xray(image.pixels.astype(np.float32), image.polarity, None), carm)
    case = Case("one", phantom.ct, phantom.labels.values == VERTEBRA_LABELS[1], (view,), pose, pose)
    points_mm = anatomy_points_mm(case)
    levels = Levels(case, pose, points_mm, anatomy_centre_mm(points_mm), 15.0, RegistrationConfig())
    around = with_bones_around(case)
    assert tell_of_anatomy(around, case)
    bone = other_bone(around, case)
    return SimpleNamespace(case=case, pose=pose, levels=levels, bone=bone, centres=centres)


def test_a_vertebra_in_its_place_is_confirmed_better_with_the_bones_around(middle):
    alone = middle.levels.middle.footprint_score(middle.pose)
    together = confirmed_by_bones_around(middle.levels, middle.bone, middle.pose)
    assert together is not None
    assert together.score > alone.score + 0.1
    assert together.patches == alone.patches


@pytest.mark.parametrize("where", ["the level below", "30 mm to the side", "turned"])
def test_nowhere_else_do_they_confirm_it(middle, where):
    turned = PoseChart(middle.pose, np.eye(4), middle.centres[1])
    poses = {
        "the level below": moved(middle.pose, middle.centres[2] - middle.centres[1]),
        "30 mm to the side": moved(middle.pose, np.array([30.0, 0.0, 0.0])),
        "turned": turned.world_from_volume_at(np.array([0.2, 0.2, 0.2, 0.0, 0.0, 0.0]))[0],
    }
    assert confirmed_by_bones_around(middle.levels, middle.bone, poses[where]) is None


def test_bones_are_asked_that_are_others_than_the_anatomy_and_have_no_poses_of_their_own(middle):
    case = middle.case
    around = with_bones_around(case)
    assert (
        np.count_nonzero(middle.bone.values) < np.count_nonzero(around.anatomy) - np.count_nonzero(case.anatomy) * 0.9
    )
    assert not tell_of_anatomy(around, replace(case, others=(PlacedBone(case.anatomy, middle.pose),)))
    lonely = case.ct.with_values(np.where(case.anatomy, case.ct.values, np.float32(0.0)))
    assert not tell_of_anatomy(with_bones_around(replace(case, ct=lonely)), case)


def test_one_more_bone_lies_in_every_drr_like_those_of_the_case(middle):
    case, pose = middle.case, middle.pose
    mask = make_phantom(0).labels.values == VERTEBRA_LABELS[2]
    points_mm = anatomy_points_mm(case)
    centre_mm = anatomy_centre_mm(points_mm)
    of_case, alone = (
        Levels(replace(case, others=others), pose, points_mm, centre_mm, 15.0, RegistrationConfig())
        for others in ((PlacedBone(mask, pose),), ())
    )
    (volume, _), *_ = of_case._others
    (expected,), (added,) = (each.middle.images(pose[None]) for each in (of_case, alone.with_other(volume, pose)))
    np.testing.assert_array_equal(added, expected)
    assert float((added - alone.middle.images(pose[None])[0]).max()) > 0.1


def test_a_footprint_is_judged_with_other_bones_only_where_that_is_asked_for(middle):
    together = middle.levels.with_other(middle.bone, middle.pose).middle
    alone = middle.levels.middle.footprint_score(middle.pose)
    assert together.footprint_score(middle.pose) == alone
    assert together.footprint_score_with_others(middle.pose) != alone
    assert middle.levels.middle.footprint_score_with_others(middle.pose) == alone


def test_the_finest_objective_has_the_bones_around_where_the_image_wants_them(middle):
    there = fine_with_bones_around(middle.levels, middle.bone, middle.pose)
    assert there is not None
    assert there.scores(middle.pose[None])[0] > middle.levels.fine.scores(middle.pose[None])[0]
    beside = moved(middle.pose, np.array([30.0, 0.0, 0.0]))
    assert fine_with_bones_around(middle.levels, middle.bone, beside) is None


@pytest.mark.parametrize("has_bones", [True, False])
def test_the_evidence_tells_what_the_bones_around_add(middle, has_bones):
    case = middle.case
    if not has_bones:
        case = replace(case, ct=case.ct.with_values(np.where(case.anatomy, case.ct.values, np.float32(0.0))))
    evidence = _Run(case, RegistrationConfig(), None, None)._evidence()
    alone = middle.levels.middle.footprint_score(middle.pose).score
    assert confirmed_alone(evidence.to_dict()) == pytest.approx(alone, abs=0.02)
    assert (evidence.by_bones_around > 0.1) == has_bones
