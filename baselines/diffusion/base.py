r"""What diffusion models in continuous time share: a path, a guess of the data, samplers, the ODE.

Song, Sohl-Dickstein, Kingma, Kumar, Ermon & Poole, Score-Based Generative Modeling through
Stochastic Differential Equations, ICLR 2021, arXiv:2011.13456.

Points on a path x_t = alpha(t) x + sigma(t) e, data at small t, are denoised by a net whose guess
of the data x^(x_t, t) has the score of p_t in it (eq. 7, by Tweedie's formula),

    grad log p_t(x_t) = (alpha x^ - x_t) / sigma^2.

The probability flow dx/dt = alpha' x^ + sigma' e^ has the same marginals (eq. 13), and with it the
density of a point follows by the change of variables (eq. 39): an estimate, by a solver.
"""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

from ...benchmark.contract.flow import Field, ProbabilityFlow
from ...benchmark.contract.model import Likelihood
from ...benchmark.contract.task import Domain
from ..chunks import in_chunks
from ..dequantise import said
from ..dequantisers import Dequantised, dequantiser
from ..paths.ode import field_of, log_density, log_normal
from ..paths.path import Path
from ..paths.samplers import SAMPLERS, sample, velocity

EXACT_DIM = 16  # coordinates up to which the divergence is exact; above, Hutchinson's estimate


class Diffusion(Dequantised):
    """A denoiser in continuous time; integers are dequantised.

    Args:
        domain: What one point is.
        path: The path of noising.
        first: Smallest time, at which samples are taken for data.
        sampler: Default sampler, a key of `SAMPLERS`.
        steps: Default number of steps of a sampler.
        likelihood_steps: Steps of the Runge-Kutta solver (order 4) in `log_prob`.
        particles: Draws K of u in `log_prob` on integer domains with an exact divergence.
        lr: Learning rate.
        dequantisation: How integers become real: "uniform" or "logit".
    """

    family = "diffusion"
    likelihood = Likelihood.ESTIMATE
    half_life = 0.05
    samplers = tuple(SAMPLERS)
    bend = 1.0  # times of samples and of `log_prob` are even in t^(1 / bend)
    probe_arguments = frozenset({"sampler", "steps", "likelihood_steps", "particles"})

    def __init__(
        self,
        domain: Domain,
        path: Path,
        first: float,
        sampler: str,
        steps: int,
        likelihood_steps: int,
        particles: int,
        lr: float,
        dequantisation: str = "uniform",
    ) -> None:
        super().__init__(domain, lr)
        if sampler not in SAMPLERS:
            raise ValueError(f"Expected one of {', '.join(SAMPLERS)} as sampler, got {sampler!r}.")
        self.path, self.first, self.sampler, self.steps = path, first, sampler, steps
        self.likelihood_steps, self.particles = likelihood_steps, particles
        self.dequantiser = dequantiser(self.scaling, dequantisation, by_likelihood=False)
        self.exact = domain.dim <= EXACT_DIM

    @classmethod
    def supports(cls, domain: Domain) -> str | None:
        return "it adds noise to numbers, and names are none" if domain.is_nominal else None

    @abstractmethod
    def guess(self, x: Tensor, t: Tensor) -> Tensor:
        """Returns the guess of the data behind x_t `(B, D)` at times `(B,)`, `(B, D)`."""

    def times(self, steps: int) -> Tensor:
        """Returns `steps + 1` times from noise to data, evenly spread in t^(1 / bend)."""
        return torch.linspace(1.0, self.first ** (1 / self.bend), steps + 1) ** self.bend

    def draw(self, n: int, sampler: str | None = None, steps: int | None = None) -> Tensor:
        """Draws n points by a sampler of `paths/samplers.py`."""
        times = self.times(steps or self.steps)
        x = float(self.path.sigma(times[:1])) * self.noise(n)
        return self.points(sample(sampler or self.sampler, self.path, self.guess, x, times))

    def log_p(self, x: Tensor, draws: int | None = None) -> Tensor:
        """Estimates log p(x) in nats by the probability flow, shape `(B,)`."""
        K = self._draws(draws)
        return in_chunks(
            lambda part: self.dequantiser.bound(self.log_density, part, K),
            x,
            K * self.domain.dim,
            numbers=2**19,
        )

    def estimator(self, draws: int | None = None) -> str:
        trace = "exact" if self.exact else "Hutchinson's"
        noise = f", {said(self._draws(draws))}" if self.domain.levels else ""
        return f"RK4 in {self.likelihood_steps} steps, {trace} trace{noise}"

    def _draws(self, draws: int | None) -> int:
        return (draws or self.particles) if self.domain.levels and self.exact else 1

    def probability_flow(self) -> ProbabilityFlow:
        """Returns the flow from the first time to the noise at time 1, in s of t = s^bend."""
        scale = float(self.path.sigma(torch.ones(1)))
        along = field_of(lambda x, t: velocity(self.path, self.guess, x, t), self.exact)

        def field(x: Tensor) -> Field:
            at = along(x)

            def bent(s: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
                slope = self.bend * s ** (self.bend - 1)  # dt/ds
                v, divergence = at(s**self.bend, y)
                return slope * v, slope * divergence

            return bent

        return ProbabilityFlow(
            field,
            self.first ** (1 / self.bend),
            1.0,
            lambda z: log_normal(z, scale),
            self.dequantiser,
            self.exact,
        )

    def log_density(self, y: Tensor) -> Tensor:
        """Estimates log p of scaled points `(B, *shape)` in nats, shape `(B,)`."""
        return log_density(self.probability_flow(), y.flatten(1), "rk4", self.likelihood_steps)
