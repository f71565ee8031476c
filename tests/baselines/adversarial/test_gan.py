import math

import pytest
import torch
from dgmbench.baselines.adversarial.gan import GAN
from dgmbench.benchmark.contract.task import Domain


def constant(model, logit):
    """Makes D(x) = sigmoid(logit) everywhere."""
    with torch.no_grad():
        for p in model.discriminator.parameters():
            p.zero_()
        model.discriminator[-1].bias.fill_(logit)
    return model


def test_discriminator_of_one_half_has_loss_log_4():
    model, x = constant(GAN(Domain((2,))), 0.0), torch.randn(64, 2)
    assert model.discriminator_loss(x).item() == pytest.approx(math.log(4), abs=1e-6)
    assert model.generator_loss(x).item() == pytest.approx(math.log(2), abs=1e-6)


@pytest.mark.parametrize("p", [0.1, 0.8])
def test_losses_are_the_cross_entropies_of_equation_1(p):
    model, x = constant(GAN(Domain((2,))), math.log(p / (1 - p))), torch.randn(64, 2)
    want = -math.log(p) - math.log(1 - p)
    assert model.discriminator_loss(x).item() == pytest.approx(want, abs=1e-5)
    assert model.generator_loss(x).item() == pytest.approx(-math.log(p), abs=1e-5)


def test_best_discriminator_is_p_over_p_plus_q():
    """Proposition 1, for two Gaussians N(1, 1) and N(-1, 1): its logit is 2 x."""
    model = GAN(Domain((1,)), critic_hidden=(), gamma=0.0)
    best = torch.tensor(2.0)
    model.generate = lambda n: torch.randn(n, 1) - 1
    rows = torch.randn(200000, 1) + 1
    with torch.no_grad():
        last = model.discriminator[-1]
        last.weight.zero_()
        last.weight[0, 0] = best  # x itself is the first of its features
        last.bias.zero_()
    model.discriminator_loss(rows).backward()
    assert last.weight.grad.abs().max() < 0.01
    assert last.bias.grad.abs().max() < 0.01


def test_each_player_moves_its_own_net():
    model, x = GAN(Domain((2,))), torch.randn(64, 2)
    model.discriminator_loss(x).backward()
    assert all(p.grad is None for p in model.generator.parameters())
    for player in model.players():
        moved = {id(p) for group in player.optimizer.param_groups for p in group["params"]}
        assert moved == {id(p) for p in getattr(model, player.name).parameters()}


def test_refuses_unordered_tokens():
    with pytest.raises(ValueError, match="unordered tokens"):
        GAN(Domain((5,), 9, ordered=False))
