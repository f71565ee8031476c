import math

import pytest
import torch
from dgmbench.baselines.latent.vae import VAE
from dgmbench.baselines.nets.mlp import MLP
from dgmbench.benchmark.contract.task import Domain
from torch import nn
from torch.distributions import MultivariateNormal


@pytest.mark.parametrize("domain", [Domain((2,)), Domain((1, 2, 2), 4), Domain((3,), 2)], ids=str)
def test_one_particle_is_the_elbo(domain):
    model = VAE(domain, latent=2, hidden=(16,), particles=1).eval()
    x = domain.states()[:1] if domain.levels else torch.randn(1, 2)
    rows = x.repeat(8000, *[1] * len(domain.shape))
    bound = model.log_prob(rows)
    error = bound.std().item() / math.sqrt(8000)
    elbo = torch.stack([-model.loss(rows[:4000]).detach() for _ in range(2)]).mean().item()
    assert bound.mean().item() == pytest.approx(elbo, abs=5 * error)


def linear_gaussian():
    """A VAE with linear nets, whose log p(x) = log N(x; A m, ...) is known in closed form."""
    model = VAE(Domain((3,)), latent=2, hidden=()).eval()
    assert isinstance(model.decoder, MLP)
    with torch.no_grad():
        model.observation.log_scale.copy_(torch.tensor([-0.5, -1.0, 0.2]))
        model.scaling.shift.copy_(torch.tensor([1.0, -2.0, 0.5]))
        model.scaling.scale.copy_(torch.tensor([2.0, 0.5, 3.0]))
        model.decoder[0].weight.mul_(2)
        W, b = model.decoder[0].weight.detach(), model.decoder[0].bias.detach()
        s = model.observation.log_scale.exp() + 1e-3
        scale = model.scaling.scale
        mean = b * scale + model.scaling.shift
        cov = scale[:, None] * (W @ W.T + torch.diag(s**2)) * scale
        return model, MultivariateNormal(mean, cov), W, b, s


def test_bound_stays_under_the_exact_value_and_tightens():
    model, exact, *_ = linear_gaussian()
    x = exact.sample((16,))
    truth, gaps = exact.log_prob(x), []
    for K in (1, 8, 64):
        model.particles = K
        bound = torch.stack([model.log_prob(x) for _ in range(100)])
        error = bound.std(0) / math.sqrt(100)
        assert (bound.mean(0) <= truth + 4 * error).all()
        gaps.append((truth - bound.mean(0)).mean().item())
    assert gaps[0] > gaps[1] > gaps[2]


def test_bound_is_exact_at_the_true_posterior():
    model, exact, W, b, s = linear_gaussian()
    # Columns of W orthogonal in the noise metric make the posterior's covariance diagonal.
    with torch.no_grad():
        u, _, _ = torch.linalg.svd(W / s[:, None], full_matrices=False)
        W = s[:, None] * u * torch.tensor([1.5, 0.7])
        model.decoder[0].weight.copy_(W)
        precision = 1 + (W / s[:, None]).square().sum(0)
        gain = (W / s[:, None] ** 2).T / precision[:, None]
        (net,) = (layer for layer in model.encoder.modules() if isinstance(layer, nn.Linear))
        # x itself is the first of the seven features of a coordinate.
        net.weight.zero_()[:, ::7] = torch.cat([gain, torch.zeros(2, 3)])
        net.bias.copy_(torch.cat([-gain @ b, -0.5 * precision.log()]))
        scale = model.scaling.scale
        cov = scale[:, None] * (W @ W.T + torch.diag(s**2)) * scale
    exact = MultivariateNormal(exact.mean, cov)
    x = exact.sample((32,))
    model.particles = 1
    torch.testing.assert_close(model.log_prob(x), exact.log_prob(x), atol=1e-4, rtol=1e-4)
    elbo = -model.loss(x).item()
    assert elbo == pytest.approx(exact.log_prob(x).mean().item(), abs=1.0)


def test_samples_have_the_exact_moments():
    model, exact, *_ = linear_gaussian()
    x = model.sample(20000)
    std = exact.covariance_matrix.diagonal().sqrt()
    assert ((x.mean(0) - exact.mean).abs() < 4 * std / math.sqrt(20000)).all()
    correlation = exact.covariance_matrix / (std[:, None] * std)
    torch.testing.assert_close(x.T.corrcoef(), correlation, atol=0.04, rtol=0)
    torch.testing.assert_close(x.std(0), std, rtol=0.03, atol=0)
