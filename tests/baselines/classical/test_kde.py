import math

import pytest
import torch
from dgmbench.baselines.classical.kde import KDE
from dgmbench.benchmark.contract.model import Budget, Likelihood
from dgmbench.benchmark.contract.task import Domain, TrainingTask
from sklearn.neighbors import KernelDensity


def fitted(**kwargs) -> KDE:
    model = KDE(Domain((2,)), **kwargs)
    train, val = 3 + 2 * torch.randn(400, 2), 3 + 2 * torch.randn(100, 2)
    model.fit(TrainingTask(model.domain, train, val), Budget(steps=1))
    return model


@pytest.mark.parametrize("bandwidth", [0.05, 0.7])
def test_density_is_that_of_scikit_learn(bandwidth):
    model = fitted(bandwidths=(bandwidth,))
    other = KernelDensity(bandwidth=bandwidth).fit(model.rows.numpy())
    y = torch.randn(30, 2).double()
    theirs = torch.from_numpy(other.score_samples(y.numpy()))
    torch.testing.assert_close(model.density(y), theirs)


def test_bandwidth_is_the_best_on_validation_rows():
    model = fitted()
    assert model.likelihood is Likelihood.EXACT
    scores = [value for _, _, value in model.curve]
    assert len(scores) == 30
    assert max(scores) == scores[model.bandwidths.index(float(model.bandwidth))]
    # Silverman's rule for 400 Gaussian rows in two dimensions is 400^(-1/6) = 0.37.
    assert 0.2 < float(model.bandwidth) < 0.7


def test_likelihood_is_in_the_units_of_the_data():
    model = fitted()
    x = 3 + 2 * torch.randn(2000, 2)
    entropy = math.log(2 * math.pi * math.e * 4)
    assert float(-model.log_prob(x).mean()) == pytest.approx(entropy, abs=0.15)


def test_draws_are_rows_with_the_kernels_noise():
    model = fitted(bandwidths=(0.001,))
    y = model.generate(50)
    distance = torch.cdist(y, model.rows).amin(1)
    assert 0 < float(distance.max()) < 0.01


def test_state_restores_rows_and_bandwidth():
    model = fitted()
    again = KDE(model.domain)
    again.load_state_dict(model.state_dict())
    x = torch.randn(10, 2)
    torch.testing.assert_close(again.log_prob(x), model.log_prob(x), rtol=0, atol=0)
    torch.manual_seed(1)
    first = model.sample(5)
    torch.manual_seed(1)
    torch.testing.assert_close(again.sample(5), first, rtol=0, atol=0)


def test_without_validation_rows_some_of_train_are_held_out():
    model = KDE(Domain((1,)))
    model.fit(TrainingTask(model.domain, torch.randn(200, 1)), Budget(steps=1))
    # Judged on its own rows the smallest bandwidth would win.
    assert float(model.bandwidth) > 0.05
    assert len(model.rows) == 180


def test_integers_carry_a_bound():
    domain = Domain((1, 2, 2), levels=3)
    model = KDE(domain)
    rows = torch.randint(0, 3, (200, 1, 2, 2))
    model.fit(TrainingTask(domain, rows[:150], rows[150:]), Budget(steps=1))
    assert model.likelihood is Likelihood.LOWER_BOUND
    bound = model.log_prob(domain.states().repeat(100, 1, 1, 1)).view(100, -1).mean(0)
    assert 0.1 < float(bound.exp().sum()) <= 1


def test_refusals():
    with pytest.raises(ValueError, match="positive bandwidths"):
        KDE(Domain((1,)), bandwidths=())
    with pytest.raises(ValueError, match="training rows"):
        KDE(Domain((1,))).fit(TrainingTask(Domain((1,))), Budget(steps=1))
