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

import torch
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from ...benchmark.contract.model import Likelihood
from ...benchmark.contract.task import Domain
from ..dequantise import cells
from ..nets.time import TimeMLP
from ..paths.chain import Chain
from ..paths.path import SCHEDULES
from ..paths.prediction import data_of_noise, independent, noise_of_data
from ..training import NeuralModel

ETA = {"ancestral": 1.0, "ddim": 0.0}  # share of the noise of a step back


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
    half_life = 69.0
    samplers = tuple(ETA)
    probe_arguments = frozenset({"variance"})

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
        if T < 2:
            raise ValueError(f"Expected at least 2 diffusion steps, got {T}.")
        self.chain = Chain(SCHEDULES[schedule](T), variance)
        self.net = TimeMLP(domain.dim, hidden)

    def encode(self, x: Tensor) -> Tensor:
        """Returns x_0 of points `(B, *shape)`: standardised, or the middles of the cells."""
        K = self.domain.levels
        return (self.scaling.encode(x) if K is None else cells(x, K)).flatten(1)

    def loss(self, batch: Tensor) -> Tensor:
        """Returns L_simple (eq. 14) of rows `(B, *shape)`, mean over D, t uniform in 1..T."""
        data = self.encode(batch)
        t = torch.randint(1, self.chain.T + 1, (len(data),), device=data.device)
        noise = independent(data)
        q = self.chain.marginal(data, t)
        return (noise - self.net(q.mean + q.stddev * noise, t / self.chain.T)).square().mean()

    def predict(self, x: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the net's guesses of x_0 and of the noise.

        On integer domains the guess of x_0 is clipped to [-1, 1].

        Args:
            x: x_t, shape `(B, D)`.
            t: Steps 1..T, shape `(B,)`.

        Returns:
            Two tensors of shape `(B, D)`.
        """
        a, b = self.chain.rates(t)
        noise = self.net(x, t / self.chain.T)
        data = data_of_noise(x, noise, a, b)
        if self.domain.levels is None:
            return data, noise
        data = data.clamp(-1, 1)
        return data, noise_of_data(x, data, a, b)

    def draw(self, n: int, sampler: str | None = None, steps: int | None = None) -> Tensor:
        """Draws n points, by "ancestral" (algorithm 2) or "ddim" (eta = 0); `steps` at most T."""
        eta = ETA.get(sampler or "ancestral")
        if eta is None:
            raise ValueError(f"Expected 'ancestral' or 'ddim' as sampler, got {sampler!r}.")
        times = self.chain.times(steps or self.chain.T)
        return self.points(self.chain.walk(self.noise(n), self.predict, times, eta))

    def log_p(self, x: Tensor, draws: int | None = None) -> Tensor:
        """Returns minus the variational bound (eq. 5) in nats, all T terms, one x_t for each."""
        data, T = self.encode(x), self.chain.T
        terms = [self.bound_term(data, t) for t in range(1, T + 1)]
        last = torch.full((len(x),), T, device=x.device)
        prior = kl_divergence(self.chain.marginal(data, last), Normal(0.0, 1.0)).sum(1)
        log_p = torch.stack(terms).sum(0) - prior
        return log_p if self.domain.levels else log_p + self.scaling.log_abs_det

    def estimator(self, draws: int | None = None) -> str:
        return f"variational bound of {self.chain.T} steps, one draw each"

    def bound_term(self, data: Tensor, t: int) -> Tensor:
        """Returns -L_{t-1} of eq. 5 at one draw of x_t, for x_0 of shape `(B, D)`: `(B,)`."""
        chain, time = self.chain, torch.full((len(data),), t, device=data.device)
        x = chain.marginal(data, time).sample()
        guess, noise = self.predict(x, time)
        scale = chain.step_variance(t, t - 1).sqrt()
        if t == 1:
            return self.decoder_log_prob(data, guess, scale)
        true_noise = noise_of_data(x, data, *chain.rates(time))
        q_scale = chain.posterior_variance(t, t - 1).sqrt()
        q = Normal(chain.step_mean(data, true_noise, t, t - 1), q_scale)
        return -kl_divergence(q, Normal(chain.step_mean(guess, noise, t, t - 1), scale)).sum(1)

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
