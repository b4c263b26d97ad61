"""Rotation vectors in numpy: against an independent implementation, at zero, near pi, at pi, and in stacks."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from prostreg.geometry.rotations import left_jacobian, rotation_from_vector, vector_from_rotation

ANGLES = [0.0, 1e-300, 1e-12, 1e-6, 1e-3, 0.1, 0.7, 0.71, 2.0, 3.0, math.pi - 1e-3, math.pi - 1e-7]
AXES = np.array([(1.0, 0.0, 0.0), (0.6, 0.0, -0.8), (-0.48, 0.6, 0.64), (0.0, 0.0, -1.0)])
VECTORS = np.array([angle * axis for angle in ANGLES for axis in AXES])


def test_rotations_equal_an_independent_implementation() -> None:
    np.testing.assert_allclose(rotation_from_vector(VECTORS), Rotation.from_rotvec(VECTORS).as_matrix(), atol=1e-14)


def test_vectors_are_found_again_up_to_pi() -> None:
    np.testing.assert_allclose(vector_from_rotation(rotation_from_vector(VECTORS)), VECTORS, atol=1e-8)


@pytest.mark.parametrize("axis", AXES)
def test_half_a_turn_has_a_vector_of_length_pi_along_its_axis(axis: NDArray[np.float64]) -> None:
    vector = vector_from_rotation(rotation_from_vector(math.pi * axis))
    assert np.linalg.norm(vector) == pytest.approx(math.pi, abs=1e-12)
    assert abs(vector @ axis) == pytest.approx(math.pi, abs=1e-7)


def test_small_vectors_keep_their_digits() -> None:
    np.testing.assert_allclose(
        vector_from_rotation(rotation_from_vector([3e-7, -4e-9, 0.0])), [3e-7, -4e-9, 0.0], rtol=1e-9
    )


def test_stacks_of_any_shape_equal_single_ones() -> None:
    stack = VECTORS.reshape(4, -1, 3)
    singles = [[rotation_from_vector(vector) for vector in row] for row in stack]
    np.testing.assert_array_equal(rotation_from_vector(stack), singles)
    np.testing.assert_array_equal(
        vector_from_rotation(singles), [[vector_from_rotation(m) for m in row] for row in singles]
    )


@pytest.mark.parametrize("angle", [0.0, 1e-5, 0.3, 0.71, 2.5])
def test_left_jacobian_predicts_small_changes(angle: float) -> None:
    vector, change = angle * AXES[2], 1e-6 * np.array([0.3, 0.5, -0.8])
    moved = rotation_from_vector(vector + change) @ rotation_from_vector(vector).T
    np.testing.assert_allclose(vector_from_rotation(moved), left_jacobian(vector) @ change, atol=1e-11)
