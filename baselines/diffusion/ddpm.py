r"""Denoising diffusion probabilistic model.

Ho, Jain & Abbeel, Denoising Diffusion Probabilistic Models, NeurIPS 2020, arXiv:2006.11239. Time
t = 0 is data, t = T is noise. Data are noised in closed form, a net predicts the noise e, and its
squared error is the loss (eqs. 4, 14):

    x_t = sqrt(a_t) x_0 + sqrt(1 - a_t) e        a_t = prod_{s <= t} (1 - beta_s)
    L_simple = E_{t, x_0, e} || e - e(x_t, t) ||^2.

Each step back is Gaussian, p(x_{t-1} | x_t) = N(mu(x_t, t), sigma_t^2), which gives samples
(algorithm 2) and the variational bound (eq. 5):

    -log p(x_0) <= KL(q(x_T | x_0) || p(x_T)) + sum_{t>1} E_q KL(q(x_{t-1} | x_t, x_0) ||
                   p(x_{t-1} | x_t)) - E_q log p(x_0 | x_1).

Song, Meng & Ermon, Denoising Diffusion Implicit Models, ICLR 2021, arXiv:2010.02502, sample from
the same net in fewer steps with less noise (eq. 12, noise eta times that of eq. 16).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from ...benchmark.contract.model import Likelihood
from ...benchmark.contract.task import Domain
from ..nets.time import TimeMLP
from ..training import NeuralModel

SAMPLERS = ("ancestral", "ddim")


def linear_schedule(T: int) -> Tensor:
    """beta_1..beta_T rising from 0.1/T to 20/T: section 4's 1e-4..0.02 at T = 1000."""
    return torch.linspace(0.1 / T, 20 / T, T, dtype=torch.double).clamp_max(0.999)


def cosine_schedule(T: int) -> Tensor:
    """beta_1..beta_T of Nichol & Dhariwal 2021 (arXiv:2102.09672, eq. 17)."""
    time = torch.arange(T + 1, dtype=torch.double) / T
    f = torch.cos((time + 0.008) / 1.008 * math.pi / 2).square()
    return (1 - f[1:] / f[:-1]).clamp_max(0.999)


SCHEDULES = {"linear": linear_schedule, "cosine": cosine_schedule}


class DDPM(NeuralModel):
    """Diffusion model in T discrete steps.

    On real domains p(x_0 | x_1) is N(mu(x_1, 1), beta_1) in scaled coordinates. On integer
    domains the net sees the middles of the cells, x_0 = (2x + 1)/K - 1, and p(x_0 | x_1) is the
    discretised decoder (eq. 13): that Gaussian's mass on the cell, the outermost cells reaching
    to infinity. The bound is then one on log P(x) itself, without dequantisation.

    Args:
        domain: What one point is.
        T: Number of diffusion steps.
        schedule: "linear" or "cosine".
        variance: sigma_t^2 of a step back: "large" is beta_t, "small" the posterior's (eq. 7);
            section 3.2 names the first optimal for x_0 ~ N(0, I), the second for a single point.
        hidden: Widths of the hidden layers of the net.
        lr: Learning rate.
    """

    family = "diffusion"
    paper = "arXiv:2006.11239"
    likelihood = Likelihood.LOWER_BOUND
    ema = 0.99

    alpha_bar: Tensor

    def __init__(
        self,
        domain: Domain,
        *,
        T: int = 100,
        schedule: str = "linear",
        variance: str = "large",
        hidden: Sequence[int] = (128, 128, 128),
        lr: float = 5e-3,
    ) -> None:
        super().__init__(domain, lr)
        if schedule not in SCHEDULES:
            raise ValueError(f"Expected 'linear' or 'cosine' as schedule, got {schedule!r}.")
        if variance not in ("large", "small"):
            raise ValueError(f"Expected 'large' or 'small' as variance, got {variance!r}.")
        if T < 2:
            raise ValueError(f"Expected at least 2 diffusion steps, got {T}.")
        self.T = T
        self.variance = variance
        self.net = TimeMLP(domain.dim, hidden)
        alpha_bar = (1 - SCHEDULES[schedule](T)).cumprod(0)
        # Entry 0 is data: alpha_bar[t] belongs to x_t. In float64, for 1 - alpha_bar is small.
        self.register_buffer("alpha_bar", torch.cat([alpha_bar.new_ones(1), alpha_bar]))

    def encode(self, x: Tensor) -> Tensor:
        """Returns x_0 of points `(B, *shape)`: standardised, or the middles of the cells."""
        if self.domain.levels is None:
            return self.scaling.encode(x).flatten(1)
        return ((2 * x.flatten(1).float() + 1) / self.domain.levels) - 1

    def rates(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """Returns sqrt(a_t) and sqrt(1 - a_t), each of shape `(B, 1)`, at steps t `(B,)`."""
        a = self.alpha_bar[t].unsqueeze(1)
        return a.sqrt().float(), (1 - a).sqrt().float()

    def marginal(self, data: Tensor, t: Tensor) -> Normal:
        """q(x_t | x_0) (eq. 4) for x_0 of shape `(B, D)` and t of shape `(B,)`."""
        a, b = self.rates(t)
        return Normal(a * data, b, validate_args=False)

    def loss(self, batch: Tensor) -> Tensor:
        """Returns L_simple (eq. 14) of rows `(B, *shape)`, mean over D, t uniform in 1..T."""
        data = self.encode(batch)
        t = torch.randint(1, self.T + 1, (len(data),), device=data.device)
        noise = torch.randn_like(data)
        q = self.marginal(data, t)
        return (noise - self.net(q.mean + q.stddev * noise, t / self.T)).square().mean()

    def predict(self, x: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the net's guesses of x_0 and of the noise.

        On integer domains the guess of x_0 is clipped to [-1, 1].

        Args:
            x: x_t, shape `(B, D)`.
            t: Steps 1..T, shape `(B,)`.

        Returns:
            Two tensors of shape `(B, D)`.
        """
        a, b = self.rates(t)
        noise = self.net(x, t / self.T)
        data = (x - b * noise) / a
        if self.domain.levels is None:
            return data, noise
        data = data.clamp(-1, 1)
        return data, (x - a * data) / b

    def posterior_variance(self, t: int, s: int) -> Tensor:
        """Variance of q(x_s | x_t, x_0), s < t: DDPM's eq. 7 at s = t - 1, DDIM's eq. 16."""
        a, b = self.alpha_bar[t], self.alpha_bar[s]
        return (1 - b) / (1 - a) * (1 - a / b)

    def step_variance(self, t: int, s: int) -> Tensor:
        """sigma_t^2 of the step back from t to s."""
        if self.variance == "small" and s > 0:
            return self.posterior_variance(t, s)
        return 1 - self.alpha_bar[t] / self.alpha_bar[s]

    def step_mean(self, data: Tensor, noise: Tensor, t: int, s: int, eta: float = 1.0) -> Tensor:
        """Mean of x_s in DDIM's eq. 12; at eta = 1 it is the mean of q(x_s | x_t, x_0)."""
        b = self.alpha_bar[s]
        rest = 1 - b - eta**2 * self.posterior_variance(t, s)
        return b.sqrt() * data + rest.clamp_min(0).sqrt() * noise

    def step_back(self, x: Tensor, t: int, s: int, eta: float) -> Tensor:
        """Draws x_s given x_t, shapes `(B, D)`; the last step, s = 0, adds no noise."""
        data, noise = self.predict(x, torch.full((len(x),), t, device=x.device))
        mean = self.step_mean(data, noise, t, s, eta)
        if s == 0 or eta == 0:
            return mean
        return mean + eta * self.step_variance(t, s).sqrt() * torch.randn_like(x)

    @torch.no_grad()
    def sample(self, n: int, *, sampler: str | None = None, steps: int | None = None) -> Tensor:
        """Draws n points, by "ancestral" (algorithm 2) or "ddim" (eta = 0); `steps` at most T."""
        sampler, steps = sampler or "ancestral", steps or self.T
        if sampler not in SAMPLERS:
            raise ValueError(f"Expected 'ancestral' or 'ddim' as sampler, got {sampler!r}.")
        if not 1 <= steps <= self.T:
            raise ValueError(f"Expected 1 to {self.T} steps, got {steps}.")
        times = torch.linspace(self.T, 0, steps + 1).round().long().tolist()
        x = torch.randn(n, self.domain.dim, device=self.device)
        for t, s in pairwise(times):
            x = self.step_back(x, t, s, eta=1.0 if sampler == "ancestral" else 0.0)
        return self.scaling.decode(x.unflatten(1, self.domain.shape))

    @torch.no_grad()
    def log_prob(self, x: Tensor) -> Tensor:
        """Returns minus the variational bound (eq. 5) in nats, all T terms, one x_t for each."""
        data = self.encode(x)
        terms = [self.bound_term(data, t) for t in range(1, self.T + 1)]
        last = torch.full((len(x),), self.T, device=x.device)
        prior = kl_divergence(self.marginal(data, last), Normal(0.0, 1.0)).sum(1)
        log_p = torch.stack(terms).sum(0) - prior
        return log_p if self.domain.levels else log_p + self.scaling.log_abs_det

    def bound_term(self, data: Tensor, t: int) -> Tensor:
        """Returns -L_{t-1} of eq. 5 at one draw of x_t, for x_0 of shape `(B, D)`: `(B,)`."""
        time = torch.full((len(data),), t, device=data.device)
        x = self.marginal(data, time).sample()
        guess, noise = self.predict(x, time)
        scale = self.step_variance(t, t - 1).sqrt()
        if t == 1:
            return self.decoder_log_prob(data, guess, scale)
        a, b = self.rates(time)
        true_noise = (x - a * data) / b
        q_scale = self.posterior_variance(t, t - 1).sqrt()
        q = Normal(self.step_mean(data, true_noise, t, t - 1), q_scale)
        return -kl_divergence(q, Normal(self.step_mean(guess, noise, t, t - 1), scale)).sum(1)

    def decoder_log_prob(self, data: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
        """Returns log p(x_0 | x_1), shape `(B,)`: a density, or a mass on cells (eq. 13)."""
        K = self.domain.levels
        if K is None:
            return Normal(mean, scale).log_prob(data).sum(1)
        low = (data - 1 / K - mean).double() / scale
        high = (data + 1 / K - mean).double() / scale
        low = low.masked_fill(data < -1 + 1.5 / K, -math.inf)
        high = high.masked_fill(data > 1 - 1.5 / K, math.inf)
        return log_interval(low, high).sum(1).to(data)


def log_interval(low: Tensor, high: Tensor) -> Tensor:
    """Returns log(Phi(high) - Phi(low)), low < high, without cancellation in the upper tail."""
    flip = low > 0
    low, high = torch.where(flip, -high, low), torch.where(flip, -low, high)
    a, b = torch.special.log_ndtr(low), torch.special.log_ndtr(high)
    return b + torch.log1p(-(a - b).exp())
