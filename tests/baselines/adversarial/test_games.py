"""The losses and penalties of the adversarial family against closed forms."""

import math

import pytest
import torch
from dgmbench.baselines.adversarial.base import squared_slopes
from dgmbench.baselines.adversarial.gan import GAN
from dgmbench.baselines.adversarial.lsgan import LSGAN
from dgmbench.baselines.adversarial.pacgan import PacGAN
from dgmbench.baselines.adversarial.r3gan import R3GAN
from dgmbench.baselines.adversarial.sn_gan import SNGAN
from dgmbench.baselines.adversarial.wgan_gp import WGANGP
from dgmbench.benchmark.contract.task import Domain
from torch import nn

PLANE = Domain((2,))
X = torch.randn(64, 2)


class Linear(nn.Module):
    """D(x) = w x + b."""

    def __init__(self, w, b=0.0):
        super().__init__()
        self.w, self.b = nn.Parameter(torch.tensor(w)), b

    def forward(self, x):
        return x.flatten(1) @ self.w[:, None] + self.b


def with_critic(cls, w=(0.0, 0.0), b=0.0, **arguments):
    model = cls(PLANE, **arguments)
    model.discriminator = Linear(list(w), b)
    return model


@pytest.mark.parametrize("b", [0.0, 0.3, 1.0])
def test_least_squares(b):
    model = with_critic(LSGAN, b=b)
    assert model.discriminator_loss(X).item() == pytest.approx(((b - 1) ** 2 + b**2) / 2, abs=1e-6)
    assert model.generator_loss(X).item() == pytest.approx((b - 1) ** 2 / 2, abs=1e-6)


def test_the_penalty_of_a_linear_critic_is_of_its_norm():
    """|| grad D || = |w| everywhere: the penalty is lambda (|w| - 1)^2."""
    model = with_critic(WGANGP, w=(3.0, 4.0), weight=2.0)
    drawn = torch.randn(64, 2)
    found = model.penalty(X, drawn, None, None)
    assert found.item() == pytest.approx(2 * (5 - 1) ** 2, rel=1e-5)


def test_the_critic_measures_the_shift_of_two_points():
    """With |w| = 1 along the shift the difference of means is the Wasserstein distance."""
    model = with_critic(WGANGP, w=(0.6, 0.8), weight=1.0)
    model.generate = lambda n: torch.zeros(n, 2)
    rows = torch.tensor([[3.0, 4.0]]).expand(32, -1)
    assert model.discriminator_loss(rows).item() == pytest.approx(-5.0, abs=1e-5)


def test_hinges():
    model = SNGAN(PLANE)
    real, fake = torch.tensor([[2.0], [0.5]]), torch.tensor([[-3.0], [0.25]])
    assert model.against(real, fake).item() == pytest.approx((0 + 0.5) / 2 + (0 + 1.25) / 2)
    assert model.towards(fake, None).item() == pytest.approx(2.75 / 2)


@pytest.mark.parametrize("domain", [PLANE, Domain((1, 8, 8))], ids=["plane", "image"])
def test_spectral_norms_are_the_largest_singular_values(domain):
    model = SNGAN(domain).train()
    x = torch.randn(8, *domain.shape)
    for _ in range(200):
        model.discriminator(x)
    layers = [m for m in model.discriminator.modules() if hasattr(m, "parametrizations")]
    assert len(layers) >= 3
    for layer in layers:
        original = layer.parametrizations.weight.original.flatten(1)
        expected = torch.linalg.matrix_norm(original, 2)
        got = (original / layer.weight.flatten(1)).nanmedian()
        assert got.item() == pytest.approx(expected.item(), rel=0.02)


def test_a_pack_is_judged_at_once_and_its_critic_sees_all_points():
    model = PacGAN(PLANE, packed=4)
    assert model.judge(X).shape == (16, 1)
    assert model.judge(X[:63]).shape == (15, 1)
    moved = X.clone()
    moved[3] += 1
    before, after = model.judge(X), model.judge(moved)
    assert before[0] != after[0] and torch.equal(before[1:], after[1:])


@pytest.mark.parametrize("packed", [1, 2])
def test_the_penalty_of_a_pack_is_in_all_its_points(packed):
    """|| grad D ||^2 of a linear D is |w|^2, w as long as a pack."""
    w = [3.0, 4.0] * packed
    model = with_critic(PacGAN, w=w, packed=packed, gamma=0.5)
    data = X.clone().requires_grad_()
    found = model.penalty(data, data, model.judge(data), None)
    assert found.item() == pytest.approx(0.25 * 25 * packed, rel=1e-5)


@pytest.mark.parametrize("cls", [GAN, LSGAN])
def test_the_penalty_of_a_game_is_r1_or_nothing(cls):
    data = X.clone().requires_grad_()
    for gamma, expected in [(0.5, 0.25 * 25), (0.0, None)]:
        model = with_critic(cls, w=(3.0, 4.0), gamma=gamma)
        found = model.penalty(data, data, model.judge(data), None)
        assert found is None if expected is None else found.item() == pytest.approx(expected)
        assert model.needs_slopes == (gamma > 0)


def test_a_pack_of_images_stacks_their_channels():
    model = PacGAN(Domain((1, 8, 8)), packed=2)
    assert model.judge(torch.randn(6, 1, 8, 8)).shape == (3, 1)


def test_packing_of_one_is_the_game_of_2014():
    model = with_critic(PacGAN, packed=1, gamma=0.0)
    assert model.discriminator_loss(X).item() == pytest.approx(math.log(4), abs=1e-6)
    for cls in (GAN, PacGAN):
        with pytest.raises(ValueError, match="at least one point"):
            cls(PLANE, packed=0)


def test_the_relativistic_game_is_at_log_2_when_nothing_can_be_told():
    model = with_critic(R3GAN, gamma=0.0, b=7.0)
    assert model.discriminator_loss(X).item() == pytest.approx(math.log(2), abs=1e-6)
    assert model.generator_loss(X).item() == pytest.approx(math.log(2), abs=1e-6)


def test_r1_and_r2_of_a_linear_critic():
    model = with_critic(R3GAN, w=(1.0, 2.0), gamma=3.0)
    data, drawn = X.clone().requires_grad_(), torch.randn(64, 2, requires_grad=True)
    real, fake = model.judge(data), model.judge(drawn)
    assert model.penalty(data, drawn, real, fake).item() == pytest.approx(
        3 / 2 * (5 + 5), rel=1e-5
    )
    torch.testing.assert_close(squared_slopes(real, data), torch.full((64,), 5.0))


@pytest.mark.parametrize("cls", [LSGAN, WGANGP, SNGAN, PacGAN, R3GAN])
def test_players_move_their_own_nets(cls):
    model = cls(PLANE)
    model.discriminator_loss(X).backward()
    assert all(p.grad is None for p in model.generator.parameters())
    first, second = model.players()
    assert {id(p) for p in first.moved} == {id(p) for p in model.discriminator.parameters()}
    assert {id(p) for p in second.moved} == {id(p) for p in model.generator.parameters()}
    assert first.turns == model.turns
