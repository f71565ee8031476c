"""IWAE, VampPrior, flows as posteriors, ladders and quantised codes, against what is known."""

import math
from collections import Counter

import pytest
import torch
from dgmbench.baselines.latent.base import gaussian
from dgmbench.baselines.latent.iaf_vae import IAFVAE
from dgmbench.baselines.latent.iwae import IWAE
from dgmbench.baselines.latent.ladder import LadderVAE
from dgmbench.baselines.latent.vae import VAE
from dgmbench.baselines.latent.vampprior import VampPriorVAE
from dgmbench.baselines.latent.vq_vae import VQVAE
from dgmbench.baselines.nets.conditioned import ConditionedMasked
from dgmbench.benchmark.contract.model import Budget
from dgmbench.benchmark.contract.task import Domain, TrainingTask
from torch.autograd.functional import jacobian
from torch.distributions import MultivariateNormal

THREE = Domain((3,))
SMALL = {
    "iwae": lambda: IWAE(THREE, latent=2, hidden=(16,)),
    "ladder-vae": lambda: LadderVAE(THREE, layers=(2, 2), units=16, hidden=(16,)),
    "iaf-vae": lambda: IAFVAE(THREE, latent=2, context=4, units=16, hidden=(16,)),
    "vampprior-vae": lambda: VampPriorVAE(THREE, pseudo=5, latent=2, hidden=(16,)),
}


def linear(cls, **arguments):
    """A model with a linear decoder, and its exact law log N(x; b, W W' + s^2)."""
    model = cls(THREE, latent=2, hidden=(), **arguments).eval()
    with torch.no_grad():
        model.observation.log_scale.copy_(torch.tensor([-0.5, -1.0, 0.2]))
        model.decoder[0].weight.mul_(2)
        W, b = model.decoder[0].weight, model.decoder[0].bias
        s = model.observation.log_scale.exp() + 1e-3
        return model, MultivariateNormal(b.clone(), W @ W.T + torch.diag(s**2))


@pytest.mark.parametrize("cls", [IWAE, IAFVAE])
def test_a_bound_stays_under_the_exact_value_and_tightens(cls):
    model, exact = linear(cls)
    x = exact.sample((16,))
    truth, gaps = exact.log_prob(x), []
    for K in (1, 8, 64):
        found = torch.stack([model.log_prob(x, draws=K) for _ in range(100)])
        assert (found.mean(0) <= truth + 4 * found.std(0) / 10).all()
        gaps.append((truth - found.mean(0)).mean().item())
    assert gaps[0] > gaps[1] > gaps[2]


def test_iwae_of_one_draw_is_the_elbo():
    model, _ = linear(IWAE, k=1)
    vae, _ = linear(VAE)
    vae.load_state_dict(model.state_dict())
    x = torch.randn(1, 3).expand(20_000, -1)
    error = model.log_weight(x, 1).std().item() / math.sqrt(20_000)
    assert model.loss(x).item() == pytest.approx(vae.loss(x).item(), abs=5 * error)


def gradients(model, x, repeats):
    torch.manual_seed(3)
    total = Counter()
    for _ in range(repeats):
        model.zero_grad()
        model.loss(x).backward()
        for name, p in model.named_parameters():
            total[name] = total[name] + p.grad / repeats
    return total


def test_the_doubly_reparametrised_gradient_has_the_same_mean_and_less_noise():
    model, exact = linear(IWAE, k=4)
    model.train()
    x = exact.sample((1,)).expand(4000, -1)
    plain = gradients(model, x, 10)
    model.doubly = True
    doubly = gradients(model, x, 10)
    for name in plain:
        scale = plain[name].abs().max().item()
        torch.testing.assert_close(doubly[name], plain[name], atol=0.1 * scale + 0.02, rtol=0)
    torch.manual_seed(0)
    value = model.loss(x).item()
    model.doubly = False
    torch.manual_seed(0)
    assert value == pytest.approx(model.loss(x).item(), abs=1e-4)

    def noise(doubly):
        model.doubly = doubly
        found = []
        for _ in range(60):
            model.zero_grad()
            model.loss(x[:16]).backward()
            found.append(next(model.encoder.parameters()).grad.flatten().clone())
        return torch.stack(found).var(0).sum()

    model.k = 16
    assert noise(True) < noise(False)


def test_a_vampprior_is_the_mixture_of_its_posteriors():
    model = SMALL["vampprior-vae"]().eval()
    z = torch.randn(7, 2)
    parts = [gaussian(model.encoder(model.embedding(u[None]))).log_prob(z) for u in model.inputs]
    expected = torch.stack(parts).logsumexp(0) - math.log(5)
    torch.testing.assert_close(model.prior().log_prob(z), expected)


def test_pseudo_inputs_start_among_the_rows():
    model = VampPriorVAE(THREE, pseudo=4)
    rows = 5 + 0.1 * torch.randn(50, 3)
    model.prepare(TrainingTask(THREE, rows, rows))
    assert (torch.cdist(model.inputs.detach(), rows).min(1).values < 0.05).all()


@pytest.mark.parametrize("flows", [0, 1, 3])
def test_the_density_of_a_flow_posterior_is_that_of_its_draws(flows):
    """log q(z_T) = log q(z_0) - log |dz_T / dz_0|, with the Jacobian from autograd."""
    model = IAFVAE(THREE, flows=flows, latent=3, context=4, units=32, hidden=(16,)).double()
    x = torch.randn(1, 3, dtype=torch.float64)
    base, h = model.encoder(model.embedding(x)).tensor_split([6], dim=-1)
    torch.manual_seed(5)
    z0 = gaussian(base).rsample((1,))
    torch.manual_seed(5)
    _, log_q = model.infer(x, 1)

    def push(z):
        h1 = h[0]
        for net in model.flows:
            mean, s = net(z, h1).unbind(-1)
            gate = (s + 1.5).sigmoid()
            z = (gate * z + (1 - gate) * mean).flip(-1)
        return z

    matrix = jacobian(push, z0[0, 0])
    expected = gaussian(base).log_prob(z0)[0, 0] - torch.linalg.slogdet(matrix)[1]
    torch.testing.assert_close(log_q[0, 0], expected)


def test_a_conditioned_net_is_masked_and_reads_its_context():
    net = ConditionedMasked(4, 3, 2, 32).double()
    x, h = torch.randn(4, dtype=torch.float64), torch.randn(3, dtype=torch.float64)
    matrix = jacobian(lambda v: net(v, h)[:, 0], x)
    assert torch.equal(matrix.triu(), torch.zeros(4, 4, dtype=torch.float64))
    assert (matrix.tril(-1).abs().sum(1)[1:] > 0).all()
    assert (jacobian(lambda c: net(x, c)[0], h) != 0).any()


def test_a_ladder_joins_by_precision():
    """With one layer it is a VAE whose posterior has the encoder's moments."""
    model = LadderVAE(THREE, layers=(2,), units=8, hidden=(8,)).eval()
    x = torch.randn(2000, 3)[:1].expand(4000, -1)
    (mean, var) = model._up(x[:1])[0]
    torch.manual_seed(0)
    log_w = model.log_weight(x, 1)[0]
    torch.manual_seed(0)
    z = torch.distributions.Normal(mean, var.sqrt()).expand((1, 4000, 2)).rsample()
    q = torch.distributions.Normal(mean, var.sqrt()).log_prob(z).sum(-1)
    p = torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(-1)
    expected = model.log_conditional(x, z) + p - q
    torch.testing.assert_close(log_w, expected[0], atol=1e-4, rtol=1e-4)


def test_the_weights_of_a_ladder_average_to_the_likelihood():
    """E[w] = p(x) whatever the encoder: two encoders, and the prior itself, agree."""
    torch.manual_seed(1)
    model = LadderVAE(THREE, layers=(1, 1), units=8, hidden=(8,)).eval()
    x = torch.randn(1, 3)
    joint = model.joint()
    with torch.no_grad():
        noise = torch.randn(200_000, 1, 2)
        by_prior = joint.log_conditional(x, noise).logsumexp(0) - math.log(200_000)
        found = []
        for _ in range(2):
            torch.nn.init.normal_(model.heads[0].bias, std=0.3)
            found.append(model.log_weight(x, 100_000).logsumexp(0) - math.log(100_000))
    torch.testing.assert_close(found[0], by_prior, atol=0.05, rtol=0)
    torch.testing.assert_close(found[1], by_prior, atol=0.05, rtol=0)


def test_quantised_codes_are_the_nearest_and_gradients_pass_straight_through():
    model = VQVAE(THREE, positions=2, codewords=5, size=3, width=8, layers=1, hidden=(16,))
    x = torch.randn(6, 3)
    given = model.encode(x)
    codes = model.nearest(given)
    expected = (given[:, :, None] - model.codebook).norm(dim=-1).argmin(-1)
    assert torch.equal(codes, expected)
    model.commitment = 0.0
    model.coding_loss(x).backward()
    assert next(model.encoder.parameters()).grad.abs().sum() > 0
    unused = set(range(5)) - set(codes.flatten().tolist())
    assert all((model.codebook.grad[code] == 0).all() for code in unused)


def test_the_bound_of_codes_counts_their_length():
    """Summed over the whole domain of three bits it stays below one, and the codes' law at one."""
    domain = Domain((3,), 2)
    model = VQVAE(domain, positions=2, codewords=3, size=2, width=8, layers=1, hidden=(16,)).eval()
    every = torch.cartesian_prod(torch.arange(3), torch.arange(3))
    assert model.log_code(every).exp().sum().item() == pytest.approx(1, abs=1e-5)
    assert model.log_prob(domain.states()).exp().sum().item() < 1


def test_phases_of_a_vq_vae_train_what_they_name():
    rows = torch.randn(300, 3)
    model = VQVAE(THREE, positions=2, codewords=8, size=2, width=8, layers=1, hidden=(16,))
    before = {k: p.detach().clone() for k, p in model.named_parameters()}
    model.coding_loss(rows[:8])
    names = {
        name for name, p in model.named_parameters() for q in model.coder()[0].moved if p is q
    }
    assert not any(name.startswith("law") for name in names)
    assert {n for n in before if not n.startswith("law")} == names
    model.fit(TrainingTask(THREE, rows, rows[:50]), Budget(steps=30, batch_size=32))
    assert {name for _, name, _ in model.curve} == {"code", "law", "val"}


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_a_latent_model_learns(name):
    """Points on a line in three dimensions: the bound rises far above that of independence."""
    t = torch.randn(1200, 1)
    rows = t * torch.tensor([1.0, -2.0, 0.5]) + 0.1 * torch.randn(1200, 3)
    model = SMALL[name]()
    model.fit(TrainingTask(THREE, rows[:1000], rows[1000:]), Budget(steps=400, batch_size=128))
    independent = (
        torch.distributions.Normal(rows.mean(0), rows.std(0)).log_prob(rows).sum(1).mean()
    )
    assert model.log_prob(rows[1000:]).mean() > independent + 1.0


def test_arguments_that_leave_nothing_are_named():
    with pytest.raises(ValueError, match="at least one pseudo-input"):
        VampPriorVAE(THREE, pseudo=0)
    with pytest.raises(ValueError, match="at least one draw k"):
        IWAE(THREE, k=0)
    with pytest.raises(ValueError, match="at least one layer of latents"):
        LadderVAE(THREE, layers=())
