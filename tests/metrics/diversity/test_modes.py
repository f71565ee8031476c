import math

import pytest
import torch
from dgmbench.metrics.diversity.modes import ModeCoverage, mode_coverage, nearest_mode


def ring(modes=8):
    angle = torch.arange(modes) * 2 * math.pi / modes
    return torch.stack([angle.cos(), angle.sin()], dim=1)


def values(result):
    return {name: estimate.value for name, estimate in result.items()}


def test_samples_belong_to_the_nearest_mode_within_its_radius():
    centers = torch.tensor([[0.0, 0.0], [4.0, 0.0]])
    samples = torch.tensor([[0.1, 0.0], [1.9, 0.0], [3.5, 0.0], [4.0, 0.5], [4.0, 0.51]])
    assert nearest_mode(samples, centers, 0.5).tolist() == [0, -1, 1, 1, -1]
    assert nearest_mode(samples, centers, torch.tensor([2.0, 0.1])).tolist() == [0, 0, -1, -1, -1]
    assert nearest_mode(samples, centers, math.inf).tolist() == [0, 0, 1, 1, 1]
    assert nearest_mode(torch.tensor([[2.0, 0.0]]), centers, 3.0).tolist() == [0]  # a tie
    with pytest.raises(ValueError, match=r"one event shape, got \(3,\) and \(2,\)"):
        nearest_mode(torch.zeros(2, 3), centers, 1.0)


def test_by_hand():
    labels = torch.tensor([0, 0, 1, 2, -1, -1, -1, -1])
    found = mode_coverage(labels, modes=4)
    assert found["modes_captured"].value == 3
    assert found["high_quality"].value == 0.5
    assert found["high_quality"].stderr == pytest.approx(math.sqrt(0.25 / 7))
    assert found["reverse_kl"].value == pytest.approx(math.log(4) - 1.5 * math.log(2))
    assert found["reverse_kl"].n == 4


def test_the_histogram_of_all_samples_takes_the_nearest_modes():
    labels = torch.tensor([0, 0, -1, -1])
    nearest = torch.tensor([0, 0, 1, 1])
    good = mode_coverage(labels, 2, nearest)
    assert good["reverse_kl"].value == pytest.approx(math.log(2))
    every = mode_coverage(labels, 2, nearest, histogram="all")
    assert every["reverse_kl"].value == pytest.approx(0, abs=1e-15)
    assert values(every) | {"reverse_kl": 0} == values(good) | {"reverse_kl": 0}
    # Classes of Stacked MNIST: no sample is -1, so no nearest mode is needed.
    assert mode_coverage(nearest, 2, histogram="all")["reverse_kl"].value == pytest.approx(
        0, abs=1e-15
    )
    with pytest.raises(ValueError, match=r"nearest mode of all 4 samples .* got 2"):
        mode_coverage(labels, 2, histogram="all")


def test_collapse_onto_one_mode_has_divergence_log_k():
    found = mode_coverage(torch.full((100,), 3), 8)
    assert found["reverse_kl"].value == pytest.approx(math.log(8))
    assert found["modes_captured"].stderr == 0
    # One more sample in another mode would move it by about log(100) / 100.
    assert 0 < found["reverse_kl"].stderr < 0.05


def test_no_sample_within_a_mode_leaves_the_divergence_unknown():
    found = mode_coverage(torch.full((10,), -1), 8)
    assert found["modes_captured"].value == found["high_quality"].value == 0
    assert math.isnan(found["reverse_kl"].value)
    assert "fewer than two samples" in found["reverse_kl"].note


def test_a_perfect_sampler_of_the_ring():
    generator = torch.Generator().manual_seed(0)
    mode = torch.randint(0, 8, (2500,), generator=generator)
    samples = ring()[mode] + 0.01 * torch.randn(2500, 2, generator=generator)
    found = mode_coverage(nearest_mode(samples, ring(), 0.03), 8)
    assert found["modes_captured"].value == 8
    expected = 1 - math.exp(-4.5)  # a Gaussian of the plane within 3 sigma
    assert found["high_quality"].value == pytest.approx(expected, abs=0.01)
    # n KL is half a chi-squared of 7 degrees of freedom: mean 7 / 2n, sd sqrt(14) / 2n.
    kl = found["reverse_kl"]
    assert kl.value == pytest.approx(7 / 5000, abs=4 * math.sqrt(14) / 5000)
    assert kl.stderr == pytest.approx(math.sqrt(14) / 5000, rel=0.25)
    assert "bias" in kl.note


def test_errors_say_what_came():
    with pytest.raises(ValueError, match=r"labels in -1\.\.3, got 0\.\.4"):
        mode_coverage(torch.tensor([0, 4]), 4)
    with pytest.raises(ValueError, match=r"integers of shape \(N,\), got torch.float32"):
        mode_coverage(torch.zeros(4), 4)
    with pytest.raises(ValueError, match="at least 2 labels, got 1"):
        mode_coverage(torch.tensor([0]), 4)
    with pytest.raises(ValueError, match='"high-quality" or "all", got "some"'):
        mode_coverage(torch.tensor([0, 1]), 4, histogram="some")


@pytest.mark.parametrize("histogram", ["high-quality", "all"])
def test_the_class_gives_the_values_of_the_function(histogram):
    labels = torch.tensor([0, 0, 1, 2, -1, -1, 3])
    nearest = torch.tensor([0, 0, 1, 2, 2, 2, 3])
    metric = ModeCoverage(histogram)
    metric.update(labels[:3], 5)
    metric.update(labels[3:], 5, nearest[3:])
    assert metric.estimate() == mode_coverage(labels, 5, nearest, histogram)
    with pytest.raises(ValueError, match="modes = 5, got 6"):
        metric.update(labels, 6)
