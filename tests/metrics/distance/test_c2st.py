from __future__ import annotations

import math
import random

import numpy as np
import pytest
import torch
from dgmbench.metrics.distance.c2st import c2st


def normal(n, d, generator):
    return torch.randn(n, d, generator=generator, dtype=torch.float64)


def test_a_known_best_accuracy(generator):
    # Normal laws a distance 2 apart: the best classifier is right with probability Phi(1).
    estimate = c2st(
        normal(600, 2, generator), normal(600, 2, generator) + math.sqrt(2), "logistic"
    )
    best = 0.5 * (1 + math.erf(1 / math.sqrt(2)))
    assert abs(estimate.value - best) < 3 * estimate.stderr
    assert estimate.stderr == pytest.approx(math.sqrt(best * (1 - best) / 1200), rel=0.4)


@pytest.mark.parametrize("classifier", ["logistic", "mlp"])
def test_chance_where_p_is_q_and_one_where_they_are_apart(generator, classifier):
    x, y = normal(100, 3, generator), normal(100, 3, generator)
    alike = c2st(x, y, classifier)
    assert abs(alike.value - 0.5) < 4 * alike.stderr
    assert c2st(x, y + 20, classifier).value == 1.0


def test_a_network_sees_what_a_line_cannot(generator):
    x = normal(150, 2, generator)
    y = 3 * torch.nn.functional.normalize(normal(150, 2, generator), dim=1)  # a ring around x
    assert c2st(x, y, "logistic").value < 0.6
    assert c2st(x, y, "mlp").value > 0.85


def test_sides_of_different_size_count_alike(generator):
    estimate = c2st(normal(400, 2, generator), normal(50, 2, generator), "logistic")
    assert estimate.n == 50
    assert abs(estimate.value - 0.5) < 4 * estimate.stderr


def test_no_global_random_state_is_touched(generator):
    before, python = np.random.get_state()[1].copy(), random.getstate()
    c2st(normal(30, 2, generator), normal(30, 2, generator))
    assert (np.random.get_state()[1] == before).all()
    assert random.getstate() == python


def test_arguments_are_checked(generator):
    x = normal(30, 2, generator)
    with pytest.raises(ValueError, match="got 'forest'"):
        c2st(x, x, "forest")
    with pytest.raises(ValueError, match="at least 3 folds, got 2"):
        c2st(x, x, folds=2)
    with pytest.raises(ValueError, match="at least 20 points in samples, got 19"):
        c2st(x[:19], x)
