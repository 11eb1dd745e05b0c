"""Cosines and neighbours, where the exercises' cases do not go: vectors of zeros."""

import numpy as np

from distilbert_np.teaching.vectors import cosines, nearest

VECTORS = np.array([[3.0, 0.0], [0.0, 0.0], [0.5, 0.5], [-1.0, 0.0], [2.0, 1.0]])


def test_a_vector_of_zeros_is_at_a_right_angle_to_all():
    assert not cosines(VECTORS)[1].any() and not cosines(VECTORS)[:, 1].any()


def test_a_vector_of_zeros_is_between_the_near_and_the_far():
    assert nearest(0, VECTORS, 4).tolist() == [4, 2, 1, 3]


def test_the_vectors_stay_as_they_are():
    before = VECTORS.copy()
    cosines(VECTORS)
    nearest(0, VECTORS, 2)
    np.testing.assert_array_equal(VECTORS, before)
