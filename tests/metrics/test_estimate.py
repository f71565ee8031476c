from __future__ import annotations

import pytest
import torch
from dgmbench.metrics.checks import as_pair, as_points
from dgmbench.metrics.distance.energy_distance import EnergyDistance
from dgmbench.metrics.distance.frechet import FrechetDistance
from dgmbench.metrics.estimate import Estimate, share_estimate
from torchmetrics import MetricCollection


def test_an_estimate_is_a_number():
    assert float(Estimate(2.5, 0.1, 10)) == 2.5


def test_a_share_without_an_error_bar_says_why():
    assert share_estimate(0.5, 0.04, 10) == Estimate(0.5, 0.2, 10)
    assert "below 1/10, not none" in share_estimate(1.0, 0.0, 10).note


def test_metrics_work_in_a_collection():
    x, y = torch.rand(20, 2), torch.rand(20, 2)
    together = MetricCollection([FrechetDistance(), EnergyDistance()])
    together.update(samples=x, reference=y)
    alone = EnergyDistance()
    alone.update(x, y)
    assert set(together.compute()) == {"FrechetDistance", "EnergyDistance"}
    assert float(together.compute()["EnergyDistance"]) == pytest.approx(float(alone.compute()))


def test_forward_returns_the_value_of_the_batch_and_accumulates():
    x, y = torch.rand(20, 2), torch.rand(20, 2)
    metric, batch = EnergyDistance(), EnergyDistance()
    metric(x[:10], y[:10])
    batch.update(x[10:], y[10:])
    assert float(metric(x[10:], y[10:])) == pytest.approx(float(batch.compute()))
    batch.reset()
    batch.update(x, y)
    assert float(metric.compute()) == pytest.approx(float(batch.compute()))


def test_points_of_another_shape_than_before():
    metric = EnergyDistance()
    metric.update(torch.rand(4, 3), torch.rand(4, 3))
    with pytest.raises(ValueError, match=r"samples of event shape \(3,\), got \(2,\)"):
        metric.update(torch.rand(4, 2), torch.rand(4, 2))


@pytest.mark.parametrize(
    ("x", "got"),
    [
        (torch.tensor(1.0), r"float32 \(\)"),
        ([[1.0], [2.0]], "list"),
        (torch.zeros(3, 2, dtype=torch.complex64), "complex64"),
        (torch.zeros(3, 0), r"\(3, 0\)"),
    ],
)
def test_what_is_no_tensor_of_points(x, got):
    with pytest.raises(ValueError, match=rf"Expected mine to be a real tensor .* got .*{got}"):
        as_points("mine", x)


def test_large_finite_rows_are_fine():
    x = torch.full((3, 2), 1.7e308, dtype=torch.float64)  # the sum overflows, the rows do not
    assert torch.equal(as_points("x", x), x)


def test_both_sides_become_double():
    x, y = as_pair(torch.ones(3, 2, 2, dtype=torch.uint8), torch.ones(4, 2, 2).half())
    assert x.dtype == y.dtype == torch.float64
    assert (x.shape, y.shape) == ((3, 4), (4, 4))
