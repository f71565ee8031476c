from __future__ import annotations

import math

import pytest
import torch
from dgmbench.metrics.distance.inception_score import InceptionScore, inception_score
from dgmbench.metrics.numerics.jackknife import block_jackknife


@pytest.fixture
def probabilities():
    logits = torch.randn(300, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return torch.softmax(3 * logits, dim=1)


def test_sharp_and_diverse_predictions_reach_the_number_of_classes():
    estimate = inception_score(torch.eye(10).repeat(7, 1))
    assert estimate.value == pytest.approx(10, rel=1e-12)
    assert estimate.stderr == pytest.approx(0, abs=1e-12)


def test_equal_predictions_score_one(probabilities):
    assert inception_score(probabilities[:1].repeat(20, 1)).value == pytest.approx(1, rel=1e-12)


def test_two_predictions_by_hand():
    # p(y) = (3/4, 1/4): divergences log 4/3 and log 2 / sqrt(3) ... = (1/2) log(4/3).
    p = torch.tensor([[1.0, 0.0], [0.5, 0.5]])
    second = 0.5 * math.log(2 / 3) + 0.5 * math.log(2)
    expected = math.exp((math.log(4 / 3) + second) / 2)
    assert inception_score(p).value == pytest.approx(expected, rel=1e-12)


def test_parts_by_the_published_protocol():
    # Ten copies of each class in random parts: every part is below the ten classes.
    estimate = inception_score(torch.eye(10).repeat(10, 1), splits=10)
    assert 5 < estimate.value < 9
    assert estimate.note == "Mean over 10 parts."
    assert inception_score(torch.eye(10).repeat(10, 1).flip(0), splits=10) == estimate


def test_the_standard_error_agrees_with_the_jackknife(probabilities):
    jackknife = block_jackknife(lambda p: inception_score(p).value, probabilities, blocks=100)
    assert inception_score(probabilities).stderr == pytest.approx(jackknife, rel=0.15)


def test_half_precision_sums_are_put_right(probabilities):
    value = inception_score(probabilities.half()).value
    assert value == pytest.approx(inception_score(probabilities).value, rel=1e-3)


def test_batches_order_and_merging_do_not_matter(probabilities):
    one, other = InceptionScore(), InceptionScore()
    one.update(probabilities[:100])
    one.update(probabilities[:0])
    other.update(probabilities[100:].flip(0))
    one.merge_state(other)
    assert one.estimate().value == pytest.approx(inception_score(probabilities).value, rel=1e-12)
    assert float(one.compute()) == one.estimate().value


@pytest.mark.parametrize(
    "bad",
    [torch.ones(5, 3), torch.tensor([[1.5, -0.5], [0.5, 0.5]]), torch.full((4, 2, 2), 0.25)],
)
def test_what_is_no_probability(bad):
    with pytest.raises(ValueError, match="rows that sum to 1"):
        inception_score(bad)


def test_parts_of_two_points_at_least(probabilities):
    with pytest.raises(ValueError, match="at least 400 points in probabilities, got 300"):
        inception_score(probabilities, splits=200)
    with pytest.raises(ValueError, match="at least 1 split, got 0"):
        inception_score(probabilities, splits=0)
