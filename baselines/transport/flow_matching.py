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

import torch
from torch import Tensor

from ...benchmark.contract.model import Likelihood
from ...benchmark.contract.task import Domain
from ..nets.time import TimeMLP
from ..training import NeuralModel
from .ode import SOLVERS, log_density, push

# Up to this many coordinates the divergence is exact; above, Hutchinson's estimate.
EXACT_DIM = 16


class FlowMatching(NeuralModel):
    """Continuous flow trained without simulation.

    Integers are dequantised and samples rounded down. The likelihood is an ESTIMATE on every
    domain: solver and divergence are approximate.

    Args:
        domain: What one point is.
        hidden: Widths of the hidden layers of the velocity.
        sigma_min: Standard deviation s of the path at its data end.
        solver: Default sampler: "midpoint", "euler", "rk4" or "dopri5".
        steps: Default number of steps of a fixed-step sampler.
        likelihood_steps: Steps of the Runge-Kutta solver (order 4) in `log_prob`.
        lr: Learning rate.
    """

    family = "transport"
    paper = "arXiv:2210.02747"
    likelihood = Likelihood.ESTIMATE
    ema = 0.99

    def __init__(
        self,
        domain: Domain,
        *,
        hidden: Sequence[int] = (128, 128, 128),
        sigma_min: float = 1e-4,
        solver: str = "midpoint",
        steps: int = 25,
        likelihood_steps: int = 12,
        lr: float = 5e-3,
    ) -> None:
        super().__init__(domain, lr)
        if solver not in SOLVERS:
            raise ValueError(f"Expected one of {', '.join(SOLVERS)} as solver, got {solver!r}.")
        self.sigma_min = sigma_min
        self.solver, self.steps, self.likelihood_steps = solver, steps, likelihood_steps
        self.net = TimeMLP(domain.dim, hidden)

    def path(self, noise: Tensor, data: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """Returns x_t and the velocity of its line.

        Args:
            noise: x_0, shape `(B, D)`.
            data: x_1, shape `(B, D)`.
            t: Times, shape `(B,)`.

        Returns:
            Two tensors of shape `(B, D)`.
        """
        t = t[:, None]
        shrink = 1 - self.sigma_min
        return (1 - shrink * t) * noise + t * data, data - shrink * noise

    def loss(self, batch: Tensor) -> Tensor:
        """Returns the loss of eq. 23 of rows `(B, *shape)`, mean over D."""
        data = self.scaling.encode(batch).flatten(1)
        t = torch.rand(len(data), device=data.device)
        x, velocity = self.path(torch.randn_like(data), data, t)
        return (self.net(x, t) - velocity).square().mean()

    @torch.no_grad()
    def sample(self, n: int, *, sampler: str | None = None, steps: int | None = None) -> Tensor:
        """Integrates the velocity from noise; `sampler` is a solver."""
        noise = torch.randn(n, self.domain.dim, device=self.device)
        y = push(self.net, noise, sampler or self.solver, steps or self.steps)
        return self.scaling.decode(y.unflatten(1, self.domain.shape))

    @torch.no_grad()
    def log_prob(self, x: Tensor) -> Tensor:
        """Estimates log p(x) in nats by the instantaneous change of variables, shape `(B,)`."""
        y = self.scaling.encode(x).flatten(1)
        exact = self.domain.dim <= EXACT_DIM
        log_p = log_density(self.net, y, "rk4", self.likelihood_steps, exact)
        return log_p + self.scaling.log_abs_det
