"""Chords through rods against closed forms."""

import numpy as np
import pytest

from prostreg.geometry.carm import CArm
from prostreg.simulation.chords import Rod, add_rod, chord_mm


def ray_through(point):
    point = np.asarray(point, dtype=float)
    return point / np.linalg.norm(point)


def rod(start, end, radius=4.0, **more):
    return Rod(np.array(start, dtype=float), np.array(end, dtype=float), radius, "steel", **more)


def test_across_the_axis_it_is_the_chord_of_a_circle():
    across = rod((-50, 0, 600), (50, 0, 600))
    for off in (0.0, 1.0, 3.0, 3.99):
        ray = ray_through((0, off, 600))
        distance = off * 600 / np.hypot(off, 600)
        assert chord_mm(ray, across) == pytest.approx(2 * np.sqrt(16 - distance**2), rel=1e-9)
    assert chord_mm(ray_through((0, 4.2, 600)), across) == 0


def test_aslant_it_grows_with_the_inverse_sine():
    direction = np.array([np.sin(0.5), 0, np.cos(0.5)])
    aslant = rod(np.array([0, 0, 600]) - 200 * direction, np.array([0, 0, 600]) + 200 * direction)
    assert chord_mm(ray_through((0, 0, 1)), aslant) == pytest.approx(8 / np.sin(0.5))


def test_ends_cut_the_chord():
    along = rod((0, 0, 500), (0, 0, 530))
    assert chord_mm(ray_through((0, 0, 1)), along) == pytest.approx(30)
    edge = rod((0, 0, 600), (50, 0, 600))
    assert chord_mm(ray_through((-0.01, 0, 600)), edge) < 0.01 < chord_mm(ray_through((0.01, 0, 600)), edge)


def test_a_bore_takes_its_part_away():
    tube = rod((-50, 0, 600), (50, 0, 600), bore_mm=3.0)
    assert chord_mm(ray_through((0, 0, 600)), tube) == pytest.approx(2.0)


def test_a_thread_swings_between_core_and_crest_once_per_pitch():
    screw = rod((-50, 0, 600), (50, 0, 600), radius=2.0, thread_mm=1.0, pitch_mm=2.0)
    along = np.linspace(-20.3, 19.7, 4001)
    chords = np.array([chord_mm(ray_through((x, 1e-6, 600)), screw) for x in along])
    assert chords.min() == pytest.approx(4, abs=0.02)
    assert chords.max() == pytest.approx(6, abs=0.02)
    crests = (np.diff(np.sign(np.diff(chords))) < 0).sum()
    assert crests == 20
    other_side = np.array([chord_mm(ray_through((x, -1e-6, 600)), screw) for x in along])
    np.testing.assert_allclose(other_side, 10 - chords, atol=0.01)  # half a pitch later


def test_in_an_image_the_whole_rod_is_there_and_nothing_else():
    carm = CArm.from_sdd(1000.0, (0.5, 0.5), (200, 160))
    lengths = {}
    slanting = rod((-20, -15, 640), (25, 10, 560), radius=3.0)
    add_rod(lengths, carm, slanting)
    image = lengths["steel"]
    rows, columns = np.mgrid[: carm.height, : carm.width]
    rays = np.stack([columns, rows, np.ones_like(rows)], axis=-1) @ np.linalg.inv(carm.intrinsics).T
    rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
    np.testing.assert_allclose(image, chord_mm(rays, slanting), atol=1e-4)
    assert image.max() > 5
    add_rod(lengths, carm, rod((900, 0, 600), (950, 0, 600)))
    add_rod(lengths, carm, rod((0, 0, -20), (0, 0, 30)))  # reaches behind the source: left out
    np.testing.assert_array_equal(lengths["steel"], image)
