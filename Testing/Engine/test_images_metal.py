"""Instruments in an X-ray are found and left out of a registration; where there are none, nothing is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PhantomImages import FINEST_MM, the_phantom

from prostreg.geometry.carm import CArm
from prostreg.geometry.standard_views import standard_view
from prostreg.images.metal import find_metal
from prostreg.images.xray import XRay
from prostreg.images.xray_preparation import prepare_xray
from prostreg.registration.case import Case, View
from prostreg.registration.readings import without_metal
from prostreg.simulation.fluoroscopy import FluoroscopySimulator
from prostreg.simulation.presets import preset

SIDE = 256
SEEDS = (5, 6)


@pytest.fixture(scope="module")
def phantom():
    return the_phantom()


@pytest.fixture(scope="module")
def images(phantom):
    """X-rays of the phantom by number of instruments and seed."""
    carm = CArm.from_sdd(1020.0, (298.0 / SIDE,) * 2, (SIDE, SIDE))
    pose = standard_view("AP", phantom.ct.centre_mm, 620.0)

    made = {}
    for count in (0, 3):
        settings = replace(preset("paper"), instruments=(count, count), clipped_share=(0.02, 0.02), bodies=1)
        simulator = FluoroscopySimulator(phantom.ct, settings, finest_mm=FINEST_MM)
        for seed in SEEDS:
            simulated = simulator.image(carm, pose, seed)
            made[count, seed] = prepare_xray(simulated.pixels.astype(np.float32), simulated.polarity, None)
    return made


def soft_bone() -> np.ndarray:
    """A body with a bent bone: its edges rise over several pixels."""
    rows, columns = np.mgrid[:SIDE, :SIDE] / SIDE
    ring = np.abs(np.hypot(rows - 0.6, columns - 0.5) - 0.25)
    noise = np.random.default_rng(0).normal(0, 0.01, (SIDE, SIDE))
    return (0.3 * rows + 0.15 * np.exp(-((ring / 0.03) ** 2)) + noise).astype(np.float32)


def rod(width: float) -> np.ndarray:
    """The share of each pixel that a slanting rod across the bone covers."""
    rows, columns = np.mgrid[:SIDE, :SIDE].astype(np.float64)
    along, across = (0.8 * columns + 0.6 * rows - 150.0), (0.6 * columns - 0.8 * rows)
    inside = np.clip(width / 2 - np.abs(across) + 0.5, 0, 1) * (np.abs(along) < 60)
    return np.asarray(inside, dtype=np.float32)


@pytest.mark.parametrize("width", [3.0, 8.0])
def test_a_rod_is_found_with_its_seam_and_nothing_else(width):
    covered = rod(width)
    found = find_metal(soft_bone() + 0.6 * covered, np.ones((SIDE, SIDE), dtype=bool))
    assert found[covered > 0.5].all()
    assert found.sum() < 3 * (covered > 0).sum() + 200


def test_bone_alone_is_no_metal_however_much_it_stands_out():
    assert not find_metal(soft_bone(), np.ones((SIDE, SIDE), dtype=bool)).any()


def test_a_limb_that_fills_the_image_is_no_metal():
    bones = sum(np.roll(rod(14.0), shift, axis=1) for shift in (-60, -30, 0, 30, 60))
    assert not find_metal(np.clip(bones, 0, 1).astype(np.float32), np.ones((SIDE, SIDE), dtype=bool)).any()


def test_what_does_not_count_is_not_searched():
    valid = rod(20.0) == 0
    assert not find_metal(soft_bone() + 0.6 * rod(3.0), valid).any()


@pytest.mark.parametrize("seed", SEEDS)
def test_simulated_instruments_are_found_and_their_absence_too(images, seed):
    free, crossed = images[0, seed], images[3, seed]
    assert not find_metal(free.line_integrals, free.mask).any()
    assert find_metal(crossed.line_integrals, crossed.mask).mean() > 0.005


@pytest.fixture(scope="module")
def case(phantom):
    values = (soft_bone() + 0.6 * rod(8.0)).astype(np.float32)
    mask = np.ones((SIDE, SIDE), dtype=bool)
    xray = XRay(values, mask, "bone-bright", XRay((1 - values).astype(np.float32), mask, "bone-dark"))
    carm = CArm.from_sdd(1020.0, (298.0 / SIDE,) * 2, (SIDE, SIDE))
    return Case("tools", phantom.ct, phantom.labels.values > 0, (View(xray, carm),))


def test_a_registration_leaves_metal_out_and_says_so(case):
    (view,) = without_metal(case).views
    assert not view.xray.mask[rod(8.0) > 0.5].any()
    assert view.xray.mask.mean() > 0.9
    assert view.xray.other is not None
    (note,) = view.notes
    assert "view 1" in note
    assert "left out" in note
    assert not case.views[0].notes


def test_metal_in_the_reading_that_is_not_taken_is_not_told(case):
    plain = XRay(soft_bone(), np.ones((SIDE, SIDE), dtype=bool), other=case.views[0].xray)
    (view,) = without_metal(replace(case, views=(replace(case.views[0], xray=plain),))).views
    assert not view.xray.other.mask.all()
    assert view.xray.mask.all()
    assert not view.notes


def test_an_image_without_metal_stays_as_it_is(case):
    plain = replace(case.views[0], xray=XRay(soft_bone(), np.ones((SIDE, SIDE), dtype=bool)))
    assert without_metal(replace(case, views=(plain,))).views[0] is plain


def test_metal_that_the_ct_holds_takes_part(case):
    values = case.ct.values.copy()
    values[case.anatomy] = 4000.0
    implant = replace(case, ct=case.ct.with_values(values))
    assert without_metal(implant).views[0].xray.mask.all()
