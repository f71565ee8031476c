import math

import pytest
import torch
from dgmbench.baselines.energy.ebm import EBM
from dgmbench.baselines.energy.rbm import RBM
from dgmbench.benchmark.contract.model import seeded
from dgmbench.benchmark.contract.task import Domain
from dgmbench.benchmark.run.bounds.energy import bracket


def machine(seed, D=8, H=5, std=0.5):
    with seeded(seed):
        model = RBM(Domain((D,), levels=2), hidden=H)
        torch.nn.init.normal_(model.interaction.weight, std=std)
        torch.nn.init.normal_(model.interaction.bias, std=std)
        torch.nn.init.normal_(model.b, std=std)
        model.marginals.copy_(0.2 + 0.6 * torch.rand(D))
    return model


def test_the_joint_density_of_an_rbm_sums_to_its_normaliser():
    model = machine(0, D=4, H=3)
    energy = model.unnormalised()
    states = torch.cartesian_prod(*[torch.arange(2.0)] * 7).unsqueeze(1)
    with torch.no_grad():
        total = energy.log_f(states).double().logsumexp(0)
        base = energy.log_base(states).double().logsumexp(0)
    assert float(total) == pytest.approx(float(model.normaliser()), abs=1e-5)
    assert float(base) == pytest.approx(0, abs=1e-5)


def test_gibbs_moves_leave_the_path_alone():
    """From exact states of the law at beta the moments of the bits stay."""
    model, beta = machine(1, D=3, H=2), 0.6
    energy = model.unnormalised()
    states = torch.cartesian_prod(*[torch.arange(2.0)] * 5)
    z = states.unsqueeze(1)
    with torch.no_grad(), seeded(1):
        log_p = (1 - beta) * energy.log_base(z) + beta * energy.log_f(z)
        p = log_p[:, 0].softmax(0)
        drawn = states[p.multinomial(100_000, replacement=True)].unsqueeze(1)
        moved, _ = energy.transition()(drawn, beta, energy.log_f)
    exact = (p[:, None] * states).sum(0)
    torch.testing.assert_close(moved[:, 0].mean(0), exact, rtol=0, atol=0.01)


@pytest.mark.slow
def test_brackets_of_rbms_hold_the_enumerated_normaliser():
    held = 0
    for seed in range(100):
        model = machine(seed)
        with torch.no_grad(), seeded(seed):
            found = bracket(model.unnormalised(), steps=200, chains=100)
        slack = 2 * float(found.lower.stderr[0])
        held += found.low - slack <= float(model.normaliser()) <= found.high + slack
        assert found.high - found.low < 0.3
    assert held >= 95


@pytest.mark.parametrize(
    ("domain", "within"), [(Domain((6,), levels=2), 0.1), (Domain((2,)), 0.1)]
)
def test_brackets_of_energies_hold_the_known_normaliser(domain, within):
    with seeded(2):
        model = EBM(domain, hidden=(16,))
        model.eval()
        with torch.no_grad():
            exact = float(model.normaliser())
            found = bracket(model.unnormalised(), steps=200, chains=200)
    slack = 3 * float(found.lower.stderr[0]) + 1e-3
    assert found.low - slack <= exact <= found.high + slack
    assert found.high - found.low < within
    assert "log Z between" in found.note
    assert math.isfinite(found.high)
