r"""Flow matching with the optimal-transport conditional path.

Lipman et al., Flow Matching for Generative Modeling, ICLR 2023, arXiv:2210.02747. Time t = 0 is
noise, t = 1 is data. Noise x_0 ~ N(0, I) and a data point x_1 are joined by a straight line (eq.
22), and a net regresses its velocity (eq. 23):

    x_t  = (1 - (1 - s) t) x_0 + t x_1                         s = sigma_min
    L(v) = E_{t ~ U[0,1], x_0, x_1} || v(x_t, t) - (x_1 - (1 - s) x_0) ||^2

Its minimiser carries N(0, I) to the data (blurred by s) along dx/dt = v(x, t).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from ...benchmark.contract.flow import ProbabilityFlow
from ...benchmark.contract.model import Likelihood
from ...benchmark.contract.task import Domain
from ..dequantise import said
from ..dequantisers import Dequantised, dequantiser
from ..nets.roles import denoiser
from ..paths.ode import SOLVERS, field_of, log_density, log_normal, push
from ..paths.path import Straight
from ..paths.prediction import independent

# Up to this many coordinates the divergence is exact; above, Hutchinson's estimate.
EXACT_DIM = 16


class FlowMatching(Dequantised):
    """Continuous flow trained without simulation.

    Integers are dequantised and samples rounded down. The likelihood is an ESTIMATE on every
    domain: solver and divergence are approximate. On integers the density is averaged over K draws
    of u where the divergence is exact; where it is Hutchinson's, whose noise an average of
    densities would turn into a bias upwards, one draw is taken.

    Args:
        domain: What one point is.
        hidden: Widths of the hidden layers of the velocity on vectors.
        channels: Channels of the U-Net on images.
        sigma_min: Standard deviation s of the path at its data end.
        solver: Default sampler: "midpoint", "euler", "rk4" or "dopri5".
        steps: Default number of steps of a fixed-step sampler.
        likelihood_steps: Steps of the Runge-Kutta solver (order 4) in `log_prob`.
        particles: Draws K of u in `log_prob` on integer domains.
        lr: Learning rate.
        dequantisation: How integers become real: "uniform" or "logit".
    """

    family = "transport"
    paper = "arXiv:2210.02747"
    likelihood = Likelihood.ESTIMATE
    half_life = 0.05
    samplers: ClassVar[tuple[str, ...]] = SOLVERS
    probe_arguments = frozenset({"solver", "steps", "likelihood_steps", "particles"})

    def __init__(
        self,
        domain: Domain,
        *,
        hidden: Sequence[int] = (128, 128, 128),
        channels: int = 16,
        sigma_min: float = 1e-4,
        solver: str = "midpoint",
        steps: int = 25,
        likelihood_steps: int = 12,
        particles: int = 8,
        lr: float = 5e-3,
        dequantisation: str = "uniform",
    ) -> None:
        super().__init__(domain, lr)
        self.dequantiser = dequantiser(self.scaling, dequantisation, by_likelihood=False)
        if solver not in SOLVERS:
            raise ValueError(f"Expected one of {', '.join(SOLVERS)} as solver, got {solver!r}.")
        self.path = Straight(sigma_min)
        self.solver, self.steps, self.likelihood_steps = solver, steps, likelihood_steps
        self.particles = particles
        self.exact = domain.dim <= EXACT_DIM
        self.net = denoiser(domain, hidden, channels)

    @classmethod
    def supports(cls, domain: Domain) -> str | None:
        return "it moves numbers, and names are none" if domain.is_nominal else None

    def velocity(self, x: Tensor, t: Tensor) -> Tensor:
        """Returns v(x, t), shape `(B, D)`, at points `(B, D)` and times `(B,)`."""
        return self.net(x, t)

    def loss(self, batch: Tensor) -> Tensor:
        """Returns the loss of eq. 23 of rows `(B, *shape)`, mean over D."""
        data = self.dequantiser(batch)[0].flatten(1)
        t, noise = torch.rand(len(data), device=data.device), self.couple(data)
        guess = self.net(self.path.point(data, noise, t), t)
        return (guess - self.path.velocity(data, noise, t)).square().mean()

    def couple(self, data: Tensor) -> Tensor:
        """Returns the noise of each scaled point of a batch `(B, D)`: independent draws."""
        return independent(data)

    def draw(self, n: int, sampler: str | None = None, steps: int | None = None) -> Tensor:
        """Integrates the velocity from noise; `sampler` is a solver."""
        return self.points(
            push(self.velocity, self.noise(n), sampler or self.solver, steps or self.steps)
        )

    def log_p(self, x: Tensor, draws: int | None = None) -> Tensor:
        """Estimates log p(x) in nats by the instantaneous change of variables, shape `(B,)`."""
        return self.dequantiser.bound(self.log_density, x, self._draws(draws))

    def estimator(self, draws: int | None = None) -> str:
        trace = "exact" if self.exact else "Hutchinson's"
        noise = f", {said(self._draws(draws))}" if self.domain.levels else ""
        return f"RK4 in {self.likelihood_steps} steps, {trace} trace{noise}"

    def probability_flow(self) -> ProbabilityFlow:
        """Returns the flow from data at t = 1 to noise at t = 0."""
        field = field_of(self.velocity, self.exact)
        return ProbabilityFlow(field, 1.0, 0.0, log_normal, self.dequantiser, self.exact)

    def log_density(self, y: Tensor) -> Tensor:
        """Estimates log p of scaled points `(B, *shape)` in nats, shape `(B,)`."""
        return log_density(self.probability_flow(), y.flatten(1), "rk4", self.likelihood_steps)

    def _draws(self, draws: int | None) -> int:
        return (draws or self.particles) if self.domain.levels and self.exact else 1
