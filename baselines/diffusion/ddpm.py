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

Nichol & Dhariwal, ICML 2021, arXiv:2102.09672, learn sigma_t by a hybrid loss (eqs. 15, 16); Bao
et al., ICML 2022, arXiv:2206.07309, compute the best one from the net's mean squared error (eq.
13 there). Salimans & Ho, ICLR 2022, arXiv:2202.00512, predict x_0 or a velocity instead of e
(section 4). Song, Meng & Ermon, ICLR 2021, arXiv:2010.02502, sample from the same net in fewer
steps with less noise (eq. 12, noise eta times that of eq. 16).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise

import torch
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from ...benchmark.contract.model import Budget, Likelihood
from ...benchmark.contract.task import Domain, TrainingTask
from ..checkpoints import Checkpoint
from ..dequantise import cells
from ..nets.roles import denoiser
from ..paths.chain import Chain
from ..paths.path import SCHEDULES
from ..paths.prediction import data_of_noise, independent, noise_of_data
from ..training import NeuralModel

ETA = {"ancestral": 1.0, "ddim": 0.0}  # share of the noise of a step back
PREDICTIONS = ("noise", "data", "velocity")
VARIANCES = ("large", "small", "learned", "analytic")
OBJECTIVES = ("simple", "hybrid", "bound")
HYBRID = 1e-3  # weight of the bound in the hybrid loss (arXiv:2102.09672, section 3.1)
# The net's squared error is averaged over so many training rows, at so many steps t at most.
ERROR_ROWS, ERROR_STEPS = 256, 100


class DDPM(NeuralModel):
    """Diffusion model in T discrete steps.

    On real domains p(x_0 | x_1) is N(mu(x_1, 1), sigma_1^2) in scaled coordinates. On integer
    domains the net sees the middles of the cells, x_0 = (2x + 1)/K - 1, and p(x_0 | x_1) is the
    discretised decoder (eq. 13): that Gaussian's mass on the cell, the outermost cells reaching
    to infinity. The bound is then one on log P(x) itself, without dequantisation. The first step's
    noise is at least half a cell, sqrt(beta_1) >= 1/K, as at 256 levels it is in the paper: with
    less the net would have to learn to round. On bits, which are no numbers, there is no
    likelihood.

    Args:
        domain: What one point is.
        T: Number of diffusion steps.
        schedule: "linear" or "cosine".
        predicts: What the net puts out: "noise", "data" or "velocity".
        variance: sigma_t^2 of a step back. "large" is beta_t, "small" the posterior's (eq. 7);
            section 3.2 names the first optimal for x_0 ~ N(0, I), the second for a single point.
            "learned" comes from the net, between both; "analytic" is the posterior's plus what
            the net's mean squared error adds, per coordinate, also in the decoder.
        objective: "simple" (eq. 14), "hybrid" (with the bound, which learns the variance alone)
            or "bound".
        steps: Steps of a sampler by default, at most T.
        terms: Of the T terms of the bound, how many are drawn in `log_prob`.
        hidden: Widths of the hidden layers of the net on vectors.
        channels: Channels of the U-Net on images.
        lr: Learning rate.
    """

    family = "diffusion"
    paper = "arXiv:2006.11239"
    half_life = 0.05
    samplers = tuple(ETA)
    probe_arguments = frozenset({"steps", "terms"})

    errors: Tensor

    def __init__(
        self,
        domain: Domain,
        *,
        T: int = 1000,
        schedule: str = "linear",
        predicts: str = "noise",
        variance: str = "analytic",
        objective: str = "simple",
        steps: int = 100,
        terms: int = 100,
        hidden: Sequence[int] = (128, 128, 128),
        channels: int = 16,
        lr: float = 5e-3,
    ) -> None:
        super().__init__(domain, lr)
        one_of("schedule", schedule, tuple(SCHEDULES))
        one_of("predicts", predicts, PREDICTIONS)
        one_of("variance", variance, VARIANCES)
        one_of("objective", objective, OBJECTIVES)
        if T < 2:
            raise ValueError(f"Expected at least 2 diffusion steps, got {T}.")
        if (variance == "learned") == (objective == "simple"):
            raise ValueError(
                f"Expected a learned variance with a 'hybrid' or 'bound' objective, and another "
                f"variance with 'simple', got {variance!r} with {objective!r}."
            )
        self.likelihood = Likelihood.NONE if domain.levels == 2 else Likelihood.LOWER_BOUND
        self.predicts, self.variance, self.objective = predicts, variance, objective
        self.steps, self.terms = min(steps, T), terms
        beta = SCHEDULES[schedule](T)
        if domain.levels is not None:
            beta[0] = max(float(beta[0]), domain.levels**-2.0)
        self.chain = Chain(beta)
        self.net = denoiser(domain, hidden, channels, 2 if variance == "learned" else 1)
        # Mean squared error of the guessed noise, by step t and coordinate.
        size = (T + 1, domain.dim) if variance == "analytic" else (0, 0)
        self.register_buffer("errors", torch.zeros(size))

    @classmethod
    def supports(cls, domain: Domain) -> str | None:
        return "it adds noise to numbers, and names are none" if domain.is_nominal else None

    def encode(self, x: Tensor) -> Tensor:
        """Returns x_0 of points `(B, *shape)`: standardised, or the middles of the cells."""
        K = self.domain.levels
        return (self.scaling.encode(x) if K is None else cells(x, K)).flatten(1)

    def loss(self, batch: Tensor) -> Tensor:
        """Returns the objective for rows `(B, *shape)`, mean over D, t uniform in 1..T."""
        data = self.encode(batch)
        t = torch.randint(1, self.chain.T + 1, (len(data),), device=data.device)
        noise = independent(data)
        q = self.chain.marginal(data, t)
        x = q.mean + q.stddev * noise
        if self.objective == "bound":
            return -self.chain.T * self.term(data, noise, x, t).mean() / self.domain.dim
        out = self.net(x, t / self.chain.T)[:, : self.domain.dim]
        simple = (self.target(data, noise, t) - out).square().mean()
        if self.objective == "simple":
            return simple
        bound = self.term(data, noise, x, t, fixed_mean=True).mean() / self.domain.dim
        return simple - HYBRID * self.chain.T * bound

    def target(self, data: Tensor, noise: Tensor, t: Tensor) -> Tensor:
        """Returns what the net should put out at x_t, shape `(B, D)`."""
        if self.predicts == "velocity":
            a, b = self.chain.rates(t)
            return a * noise - b * data
        return data if self.predicts == "data" else noise

    def predict(
        self, x: Tensor, t: Tensor, s: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Returns guesses of x_0 and of the noise, and the variance of the step from t to s.

        On integer domains the guess of x_0 is clipped to [-1, 1].

        Args:
            x: x_t, shape `(B, D)`.
            t: Steps 1..T, shape `(B,)`.
            s: Steps below t; t - 1 by default.

        Returns:
            Two tensors of shape `(B, D)`, and one of that shape or `(B, 1)`.
        """
        a, b = self.chain.rates(t)
        out, *rest = self.net(x, t / self.chain.T).split(self.domain.dim, dim=1)
        if self.predicts == "noise":
            data, noise = data_of_noise(x, out, a, b), out
        else:
            data = out if self.predicts == "data" else a * x - b * out
            noise = noise_of_data(x, data, a, b)
        if self.domain.levels is not None:
            data = data.clamp(-1, 1)
            noise = noise_of_data(x, data, a, b)
        return data, noise, self.step_variance(t, t - 1 if s is None else s, *rest)

    def step_variance(self, t: Tensor, s: Tensor, share: Tensor | None = None) -> Tensor:
        """Returns sigma^2 of the step back from t to s, shape `(B, 1)` or `(B, D)`."""
        large = self.chain.step_variance(t, s)
        if self.variance == "large":
            return large.float()
        small = self.chain.posterior_variance(t, s)
        if self.variance == "analytic":
            slip = self.chain.slip(t, s).square() * self.errors[t]
            # The decoder's Gaussian is no narrower than what the schedule resolves: beta_1, or a
            # quarter of a cell. On pixels that are black in most rows beta_1 alone would cost 0.6
            # bits, whatever the net knows.
            K = self.domain.levels
            least = large if K is None else torch.full_like(large, (0.5 / K) ** 2)
            return torch.maximum(small + slip, torch.where((s == 0)[:, None], least, 0.0)).float()
        small = torch.where((s == 0)[:, None], large, small)
        if share is None:
            return small.float()
        mixed = small.log() + share.sigmoid() * (large.log() - small.log())  # eq. 15
        return mixed.exp().float()

    def fit(
        self, task: TrainingTask, budget: Budget, checkpoint: Checkpoint | None = None
    ) -> None:
        """Trains the net, then measures its error at each t; see `NeuralModel.fit`."""
        super().fit(task, budget, checkpoint)
        if self.variance == "analytic" and task.train is not None:
            self.measure_errors(task.train)

    @torch.no_grad()
    def measure_errors(self, rows: Tensor) -> None:
        """Sets the mean squared errors from rows `(N, *shape)` drawn anew for each t.

        They are measured at the ends of strata of 1..T and interpolated between them.
        """
        before = 0
        for _, k in strata(self.chain.T, ERROR_STEPS):
            chosen = rows[torch.randint(len(rows), (ERROR_ROWS,))].to(self.device)
            data, t = self.encode(chosen), torch.full((ERROR_ROWS,), k, device=self.device)
            noise = independent(data)
            q = self.chain.marginal(data, t)
            guess = self.predict(q.mean + q.stddev * noise, t)[1]
            self.errors[k] = (noise - guess).square().mean(0)
            first = self.errors[before] if before else self.errors[k]
            share = torch.arange(1, k - before, device=self.device)[:, None] / (k - before)
            self.errors[before + 1 : k] = first + share * (self.errors[k] - first)
            before = k

    def draw(self, n: int, sampler: str | None = None, steps: int | None = None) -> Tensor:
        """Draws n points, by "ancestral" (algorithm 2) or "ddim" (eta = 0); `steps` at most T."""
        chosen = one_of("sampler", sampler or "ancestral", tuple(ETA))
        times = self.chain.times(steps or self.steps)
        return self.points(self.chain.walk(self.noise(n), self.predict, times, ETA[chosen]))

    def log_p(self, x: Tensor, draws: int | None = None) -> Tensor:
        """Returns minus the variational bound (eq. 5) in nats, shape `(B,)`.

        The T terms are cut into strata, finer towards t = 1 where they are largest; of each
        stratum one t per row is drawn, so that the sum is unbiased.
        """
        if self.likelihood is Likelihood.NONE:
            return super().log_p(x, draws)
        data = self.encode(x)
        log_p = self._last(data)
        for _, term in self._drawn(data, draws or self.terms):
            log_p = log_p + term
        return log_p if self.domain.levels else log_p + self.scaling.log_abs_det

    def bound_parts(self, x: Tensor, draws: int | None = None) -> dict[str, Tensor]:
        """Returns the parts of the negative bound in nats, each `(B,)`: by the step t.

        Raises:
            NotImplementedError: There is no bound, on bits.
        """
        if self.likelihood is Likelihood.NONE:
            raise NotImplementedError
        data, T = self.encode(x), self.chain.T
        ends = torch.tensor(
            [1, *dict.fromkeys(max(2, T // k) for k in (100, 10, 1))], device=x.device
        )
        sums = data.new_zeros(len(ends), len(x))
        for t, term in self._drawn(data, draws or self.terms):
            sums.scatter_add_(0, torch.bucketize(t, ends)[None], -term[None])
        sums[0] -= 0 if self.domain.levels else self.scaling.log_abs_det
        names = ["t = 1", *(f"{a + 1} to {b}" for a, b in pairwise(ends.tolist()))]
        return {"prior": -self._last(data), **dict(zip(names, sums, strict=True))}

    def _last(self, data: Tensor) -> Tensor:
        """Returns minus the divergence of x_T from the prior, shape `(B,)`."""
        last = torch.full((len(data),), self.chain.T, device=data.device)
        return -kl_divergence(self.chain.marginal(data, last), Normal(0.0, 1.0)).sum(1)

    def _drawn(self, data: Tensor, count: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yields, by stratum, a drawn t of each row and its term times the stratum's length."""
        for low, high in strata(self.chain.T, count):
            t = torch.randint(low + 1, high + 1, (len(data),), device=data.device)
            noise, q = independent(data), self.chain.marginal(data, t)
            x = q.mean + q.stddev * noise
            yield t, (high - low) * self.term(data, noise, x, t)

    def estimator(self, draws: int | None = None) -> str:
        T, count = self.chain.T, len(strata(self.chain.T, draws or self.terms))
        return f"variational bound of {T} steps" + (f", {count} drawn" if count < T else "")

    def term(
        self, data: Tensor, noise: Tensor, x: Tensor, t: Tensor, fixed_mean: bool = False
    ) -> Tensor:
        """Returns -L_{t-1} of eq. 5 at one draw of x_t, shape `(B,)`.

        Args:
            data: x_0, shape `(B, D)`.
            noise: The noise of x_t, shape `(B, D)`.
            x: x_t, shape `(B, D)`.
            t: Shape `(B,)`.
            fixed_mean: Whether no gradient reaches the mean of the step.
        """
        guess, e, variance = self.predict(x, t)
        if fixed_mean:
            guess, e = guess.detach(), e.detach()
        s = t - 1
        first, scale = s == 0, variance.sqrt()
        # At t = 1 the posterior has no width; what is computed there is not used.
        width = self.chain.posterior_variance(t, s).clamp_min(1e-20).sqrt().float()
        q = Normal(self.chain.step_mean(data, noise, t, s), width, validate_args=False)
        p = Normal(self.chain.step_mean(guess, e, t, s), scale, validate_args=False)
        log_decoder = self.decoder_log_prob(data, guess, scale)
        return torch.where(first, log_decoder, -kl_divergence(q, p).sum(1))

    def decoder_log_prob(self, data: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
        """Returns log p(x_0 | x_1), shape `(B,)`: a density, or a mass on cells (eq. 13)."""
        K = self.domain.levels
        if K is None:
            return Normal(mean, scale, validate_args=False).log_prob(data).sum(1)
        low = (data - 1 / K - mean).double() / scale
        high = (data + 1 / K - mean).double() / scale
        low = low.masked_fill(data < -1 + 1.5 / K, -math.inf)
        high = high.masked_fill(data > 1 - 1.5 / K, math.inf)
        return log_interval(low, high).sum(1).to(data)


def strata(T: int, count: int) -> list[tuple[int, int]]:
    """Cuts 1..T into at most `count` runs low + 1..high whose ends lie at T (i / count)^2."""
    ends = sorted({round(T * (i / count) ** 2) for i in range(count + 1)})
    return list(pairwise(ends if count < T else range(T + 1)))


def one_of(name: str, value: str, known: Sequence[str]) -> str:
    """Returns the value of an argument if it is a known one.

    Raises:
        ValueError: It is not.
    """
    if value not in known:
        raise ValueError(f"Expected one of {', '.join(known)} as {name}, got {value!r}.")
    return value


def log_interval(low: Tensor, high: Tensor) -> Tensor:
    """Returns log(Phi(high) - Phi(low)), low < high, without cancellation in the upper tail."""
    flip = low > 0
    low, high = torch.where(flip, -high, low), torch.where(flip, -low, high)
    a, b = torch.special.log_ndtr(low), torch.special.log_ndtr(high)
    return b + torch.log1p(-(a - b).exp())
