import math

import numpy as np
import pytest
import torch
from dgmbench.baselines.classical.gmm import GMM, em, kmeans_plus_plus, start
from dgmbench.benchmark.contract.model import Budget, Likelihood
from dgmbench.benchmark.contract.task import Domain, TrainingTask
from sklearn.mixture import GaussianMixture
from torch.distributions import Categorical, MixtureSameFamily, MultivariateNormal

FACTORS = torch.tensor([[[0.3, 0.0], [0.2, 0.1]], [[0.1, 0.0], [-0.3, 0.4]]])
TRUTH = MixtureSameFamily(
    Categorical(torch.tensor([0.3, 0.7])),
    MultivariateNormal(torch.tensor([[-1.0, 4.0], [1.0, 6.0]]), scale_tril=FACTORS),
)


def fitted(**kwargs) -> GMM:
    model = GMM(Domain((2,)), components=2, **kwargs)
    train, val = TRUTH.sample((3000,)), TRUTH.sample((500,))
    model.fit(TrainingTask(model.domain, train, val), Budget(steps=200))
    return model


def test_em_never_lowers_the_likelihood():
    x = TRUTH.sample((500,)).double()
    for _ in range(3):
        _, path = em(x, start(x, 5, 1e-12), 1e-12, 60, tolerance=-math.inf)
        gains = np.diff(path)
        assert len(gains) == 59
        assert gains.min() > -1e-10
        assert gains.max() > 1e-3


def test_fits_a_mixture_to_its_entropy():
    model = fitted()
    assert model.likelihood is Likelihood.EXACT
    x = TRUTH.sample((4000,))
    gap = TRUTH.log_prob(x) - model.log_prob(x)
    # Eleven free parameters on 3,000 rows cost 11 / 6,000 nats on average.
    assert abs(float(gap.mean())) < 0.01
    weights = model.log_weights.exp().sort().values
    torch.testing.assert_close(weights, torch.tensor([0.3, 0.7]).double(), rtol=0, atol=0.04)


def test_fits_some_of_the_rows_where_it_is_told_to():
    train, val = TRUTH.sample((3000,)), TRUTH.sample((500,))
    model = GMM(Domain((2,)), components=1, max_rows=100)
    torch.manual_seed(1)
    model.fit(TrainingTask(model.domain, train, val), Budget(steps=10))
    torch.manual_seed(1)
    some = train[torch.randperm(3000)[:100]]
    torch.testing.assert_close(model.means[0], model.encode(some).mean(0))
    with pytest.raises(ValueError, match="Expected at least one row to fit, got max_rows = 0"):
        GMM(Domain((2,)), max_rows=0)


def test_density_is_that_of_scikit_learn():
    model = fitted()
    other = GaussianMixture(2, covariance_type="full")
    other.weights_ = model.log_weights.exp().numpy()
    other.means_ = model.means.numpy()
    covariance = (model.factors @ model.factors.mT).numpy()
    other.precisions_cholesky_ = np.linalg.cholesky(np.linalg.inv(covariance))
    y = torch.randn(50, 2).double()
    theirs = torch.from_numpy(other.score_samples(y.numpy()))
    torch.testing.assert_close(model.density(y), theirs)


def test_draws_follow_the_density():
    model = fitted()
    x = model.sample(20_000)
    assert x.dtype == torch.float32
    other = TRUTH.sample((20_000,))
    torch.testing.assert_close(x.mean(0), other.mean(0), rtol=0, atol=0.05)
    torch.testing.assert_close(x.T.cov(), other.T.cov(), rtol=0, atol=0.05)


def test_state_restores_a_model_of_another_size():
    x = TRUTH.sample((400,))
    arguments = {"components": (1, 3), "restarts": 1}
    model = GMM(Domain((2,)), **arguments)
    model.fit(TrainingTask(model.domain, x[:300], x[300:]), Budget(steps=50))
    assert len(model.means) == 3  # Chosen on val; a fresh instance starts with 1.
    again = GMM(Domain((2,)), **arguments)
    again.load_state_dict(model.state_dict())
    torch.testing.assert_close(again.log_prob(x), model.log_prob(x), rtol=0, atol=0)


def test_starting_means_are_rows_far_apart():
    x = torch.cat([torch.zeros(500, 1), torch.ones(500, 1), torch.full((2, 1), 100.0)]).double()
    for _ in range(20):
        assert 100.0 in kmeans_plus_plus(x, 2)
    # More means than different rows: no failure.
    assert kmeans_plus_plus(torch.zeros(4, 1).double(), 3).shape == (3, 1)


def test_bound_on_integers_sums_to_at_most_one():
    domain = Domain((2,), levels=4)
    train = torch.randint(0, 4, (500, 2)).minimum(torch.tensor([3, 1]))
    model = GMM(domain, components=2, restarts=1)
    model.fit(TrainingTask(domain, train), Budget(steps=50))
    assert model.likelihood is Likelihood.LOWER_BOUND
    bound = model.log_prob(domain.states().repeat(200, 1)).view(200, -1).mean(0)
    assert 0.5 < float(bound.exp().sum()) <= 1
    domain.check("samples", model.sample(100))


def test_refuses_huge_points():
    assert "1,024" in GMM.supports(Domain((3, 32, 32), levels=256))
    with pytest.raises(ValueError, match="1,024"):
        GMM(Domain((3, 32, 32), levels=256))
