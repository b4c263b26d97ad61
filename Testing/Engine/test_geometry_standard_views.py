"""Standard views in closed form: where points at the front, the left and the head of the patient appear."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from Patience import PATIENCE_S
from prostreg.geometry.frames import transform_points
from prostreg.geometry.standard_views import (
    MAIN_VIEWS,
    STANDARD_VIEWS,
    VIEW_LABELS,
    nearest_standard_view,
    standard_view,
)

CENTRE = np.array([12.0, -30.0, 45.0])
DEPTH_MM = 620.0
FRONT, LEFT, HEAD = np.array([0.0, 100.0, 0.0]), np.array([-100.0, 0.0, 0.0]), np.array([0.0, 0.0, 100.0])
TILTED, ASIDE = 100 * np.sin(np.deg2rad(40)), 100 * np.cos(np.deg2rad(40))
HALF = 100 * np.sqrt(0.5)


@pytest.mark.parametrize("name", STANDARD_VIEWS)
def test_views_are_proper_rotations_about_the_point_on_the_central_ray(name):
    rotation = standard_view(name, CENTRE, DEPTH_MM)[:3, :3]
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(rotation) == pytest.approx(1)
    np.testing.assert_allclose(transform_points(standard_view(name, CENTRE, DEPTH_MM), CENTRE), [0, 0, DEPTH_MM])


@pytest.mark.parametrize(
    ("name", "front", "left", "head"),
    [
        ("AP", (0, 0, -100), (100, 0, 0), (0, -100, 0)),
        ("PA", (0, 0, 100), (-100, 0, 0), (0, -100, 0)),
        ("left lateral", (100, 0, 0), (0, 0, 100), (0, -100, 0)),
        ("right lateral", (-100, 0, 0), (0, 0, -100), (0, -100, 0)),
        # Seen from above the head the front of the pelvic ring falls below its back, seen from the feet above it.
        ("inlet", (0, TILTED, -ASIDE), (100, 0, 0), (0, -ASIDE, -TILTED)),
        ("outlet", (0, -TILTED, -ASIDE), (100, 0, 0), (0, -ASIDE, TILTED)),
        # The raised side is nearer to the source.
        ("right obturator oblique", (HALF, 0, -HALF), (HALF, 0, HALF), (0, -100, 0)),
        ("left iliac oblique", (HALF, 0, -HALF), (HALF, 0, HALF), (0, -100, 0)),
        ("left obturator oblique", (-HALF, 0, -HALF), (HALF, 0, -HALF), (0, -100, 0)),
        ("right iliac oblique", (-HALF, 0, -HALF), (HALF, 0, -HALF), (0, -100, 0)),
        # The right back lies at the detector.
        ("right posterior oblique", (-HALF, 0, -HALF), (HALF, 0, -HALF), (0, -100, 0)),
        ("left posterior oblique", (HALF, 0, -HALF), (HALF, 0, HALF), (0, -100, 0)),
        ("Ferguson", (0, -50, -100 * np.sqrt(0.75)), (100, 0, 0), (0, -100 * np.sqrt(0.75), 50)),
        # Level beams at 45 degrees to the body, from between the legs, the front up.
        ("right cross-table hip", (0, -100, 0), (HALF, 0, -HALF), (HALF, 0, HALF)),
        ("left cross-table hip", (0, -100, 0), (HALF, 0, HALF), (-HALF, 0, HALF)),
        ("right Grashey", (-TILTED, 0, -ASIDE), (ASIDE, 0, -TILTED), (0, -100, 0)),
        ("left Grashey", (TILTED, 0, -ASIDE), (ASIDE, 0, TILTED), (0, -100, 0)),
        # Along the blade of a shoulder that lies at the detector: nearly lateral, from behind.
        ("right scapular Y", (-100 * np.sqrt(0.75), 0, 50), (-50, 0, -100 * np.sqrt(0.75)), (0, -100, 0)),
        ("left scapular Y", (100 * np.sqrt(0.75), 0, 50), (-50, 0, 100 * np.sqrt(0.75)), (0, -100, 0)),
        ("axillary", (0, -100, 0), (100, 0, 0), (0, 0, 100)),
        ("right PA oblique", (-HALF, 0, HALF), (-HALF, 0, -HALF), (0, -100, 0)),
        ("left PA oblique", (HALF, 0, HALF), (-HALF, 0, HALF), (0, -100, 0)),
    ],
)
def test_where_front_left_and_head_appear(name, front, left, head):
    """Image right, image down, away from the source, in mm from the centre."""
    view = standard_view(name, CENTRE, DEPTH_MM)
    seen = transform_points(view, CENTRE + np.array([FRONT, LEFT, HEAD])) - [0, 0, DEPTH_MM]
    np.testing.assert_allclose(seen, [front, left, head], atol=1e-9)


@pytest.mark.parametrize("name", STANDARD_VIEWS)
def test_poses_are_sorted_into_the_main_views_alone(name):
    nearest = nearest_standard_view(standard_view(name, CENTRE, DEPTH_MM))
    assert nearest in MAIN_VIEWS
    assert nearest == name or name not in MAIN_VIEWS
    if name in ("inlet", "outlet", "Ferguson", "right Grashey", "left Grashey"):
        assert nearest == "AP"


def test_every_view_has_a_name_for_people_of_its_own():
    assert list(VIEW_LABELS) == list(STANDARD_VIEWS)
    assert len(set(VIEW_LABELS.values())) == len(STANDARD_VIEWS)


def test_views_need_no_torch():
    code = "import sys; sys.modules['torch'] = None; import prostreg.geometry.standard_views"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=PATIENCE_S)
