"""Sliced-Wasserstein generator, drifting and MMD-GAN against closed forms."""

import pytest
import torch
from dgmbench.baselines.moment.drifting import Drifting, field
from dgmbench.baselines.moment.mmd_gan import (
    ALPHAS,
    MMDGAN,
    kernel,
    unbiased_mmd2,
    witness_slope,
)
from dgmbench.baselines.moment.sw_generator import SWGenerator, sliced
from dgmbench.benchmark.contract.model import Budget
from dgmbench.benchmark.contract.task import Domain, TrainingTask

PLANE = Domain((2,))


def blobs(n=3000):
    centres = torch.tensor([[-2.0, 0.0], [2.0, 1.0]])
    return centres[torch.randint(2, (n,))] + 0.3 * torch.randn(n, 2)


def test_sliced_distance_of_shifted_points_is_the_squared_shift():
    x = torch.randn(50, 3)
    assert sliced(x, x[torch.randperm(50)] + 2).item() == pytest.approx(4.0, abs=1e-4)


def test_the_sliced_loss_of_a_shift_is_its_squared_length():
    """E_w (w m)^2 = |m|^2 / D for random directions; the loss multiplies by D."""
    model = SWGenerator(PLANE, directions=20_000)
    x, m = torch.randn(64, 2), torch.tensor([1.0, -2.0])
    assert model.discrepancy(x, x + m).item() == pytest.approx(5.0, rel=0.02)


def test_the_field_changes_sign_when_data_and_draws_change_places():
    x, a, b = torch.randn(20, 2), torch.randn(30, 2) + 1, torch.randn(40, 2)
    torch.testing.assert_close(field(x, a, b, 0.7), -field(x, b, a, 0.7))


def test_the_field_is_the_kernel_mean_of_the_paper():
    """One x: the normalisation over the x is a factor of each point, equal for one alone."""
    x, a, b, T = torch.zeros(1, 2), torch.randn(3, 2), torch.randn(4, 2), 0.5
    to_a, to_b = torch.cdist(x, a), torch.cdist(x, b)
    logits = -torch.cat([to_a, to_b], 1) / T
    weight = logits.softmax(1).sqrt()[0]  # softmax over a single x is one
    expected = sum(weight[i] * weight[3 + j] * (a[i] - b[j]) for i in range(3) for j in range(4))
    torch.testing.assert_close(field(x, a, b, T)[0], expected)


def test_the_field_vanishes_when_both_laws_are_equal():
    torch.manual_seed(0)
    x = torch.randn(40, 2)
    same = torch.stack(
        [field(x, torch.randn(500, 2), torch.randn(500, 2), 0.5) for _ in range(40)]
    )
    other = torch.stack(
        [field(x, torch.randn(500, 2) + 1, torch.randn(500, 2), 0.5) for _ in range(40)]
    )
    noise = same.std(0).mean() / 40**0.5
    assert same.mean(0).abs().mean() < 2 * noise
    assert other.mean(0).norm(dim=1).mean() > 10 * noise


def test_a_draw_does_not_repel_itself():
    x = torch.zeros(1, 2)
    found = field(x, torch.tensor([[1.0, 0.0]]), x, 0.5, same=True)
    assert found.isfinite().all() and found.abs().max() < 1e-3


def test_drifting_regresses_on_the_held_goal():
    """The gradient of the loss is minus twice the drift over the number of coordinates."""
    model = Drifting(PLANE)
    drawn, data = torch.randn(32, 2, requires_grad=True), torch.randn(32, 2) + 1
    (slope,) = torch.autograd.grad(model.discrepancy(drawn, data), drawn)
    drift = model.drift(drawn.detach(), data)
    torch.testing.assert_close(slope, -2 * drift / 64)


def test_images_are_seen_at_several_scales():
    model = Drifting(Domain((1, 8, 8)))
    views = model.views(torch.ones(3, 64))
    assert [v.shape[1] for v in views] == [64, 16]
    assert all((v == 1).all() for v in views)


def test_mmd_is_unbiased_and_the_kernel_is_the_papers():
    x, y = torch.randn(3, 2), torch.randn(4, 2)
    square = torch.cdist(x, y).square()
    expected = sum((1 + square / (2 * a)) ** -a for a in ALPHAS)
    torch.testing.assert_close(kernel(x, y), expected, rtol=1e-4, atol=1e-5)
    found = torch.stack(
        [unbiased_mmd2(torch.randn(20, 2), torch.randn(20, 2)) for _ in range(800)]
    )
    assert found.mean().abs() < 4 * found.std() / 800**0.5


def test_the_slope_of_the_witness_is_its_gradient():
    t, x, y = (torch.randn(n, 3, dtype=torch.float64) for n in (7, 5, 4))
    t.requires_grad_()
    witness = kernel(t, x).mean(1) - kernel(t, y).mean(1)
    (expected,) = torch.autograd.grad(witness.sum(), t)
    torch.testing.assert_close(witness_slope(t, x, y), expected)


def test_the_penalty_of_mmd_gan_is_on_the_witness():
    """A critic that maps everything to one point has a flat witness: the penalty is its weight."""
    model = MMDGAN(PLANE, weight=3.0)
    model.h = lambda y: 0 * y.sum(1, keepdim=True).expand(-1, 16)
    assert model.critic_loss(torch.randn(16, 2)).item() == pytest.approx(3.0, abs=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("cls", [SWGenerator, Drifting])
def test_a_matcher_finds_both_blobs(cls):
    rows = blobs()
    model = cls(PLANE)
    model.fit(TrainingTask(PLANE, rows, rows[:100]), Budget(steps=500, batch_size=256))
    x = model.sample(2000)
    left = (x[:, 0] < 0).float().mean().item()
    assert 0.3 < left < 0.7
    centres = torch.tensor([[-2.0, 0.0], [2.0, 1.0]])
    near = torch.cdist(x, centres).min(1).values
    assert (near < 1.2).float().mean() > 0.8


def test_bad_temperatures_are_named():
    with pytest.raises(ValueError, match="positive temperatures"):
        Drifting(PLANE, temperatures=(0.1, 0.0))
