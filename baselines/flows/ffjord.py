r"""FFJORD: continuous flows trained by maximum likelihood.

Grathwohl, Chen, Bettencourt, Sutskever & Duvenaud, FFJORD, ICLR 2019, arXiv:1810.01367.

Noise z ~ N(0, I) at t = 0 is carried to data at t = 1 along dx/dt = v(x, t), and with it (eq. 3)

    log p(x(1)) = log N(x(0); 0, I) - int_0^1 div v(x(t), t) dt,

whose gradient is that of the solver's steps. The divergence is a sum of e^T (dv/dx) e: over the
unit vectors, exact, up to 8 coordinates; Hutchinson's estimate above (eq. 7), with one vector e of
random signs for a whole solution (section 3.1).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ...benchmark.contract.flow import Field, ProbabilityFlow
from ...benchmark.contract.model import Likelihood
from ...benchmark.contract.task import Domain
from ..dequantise import said
from ..dequantisers import Dequantised, dequantiser
from ..nets.mlp import MLP
from ..paths.ode import directions, log_density, log_normal, push
from ..players import Player

EXACT_DIM = 8  # coordinates up to which the divergence is exact


class FFJORD(Dequantised):
    """Continuous flow, trained through the solver.

    The net is a perceptron on every domain: a step evaluates it dozens of times. It is smooth, in
    the time above all, or the likelihood would live off the error of the solver. Training solves
    in few Runge-Kutta steps, `log_prob` in more, so that what lives off it does not show.

    Args:
        domain: What one point is.
        hidden: Widths of the hidden layers of the velocity.
        training_steps: Steps of the Runge-Kutta solver (order 4) in training.
        likelihood_steps: Its steps in `log_prob`.
        steps: Default number of its steps in a draw.
        particles: Draws K of u in `log_prob` on integer domains with an exact divergence.
        lr: Learning rate.
        dequantisation: See `Flow`.
    """

    family = "flow"
    paper = "arXiv:1810.01367"
    likelihood = Likelihood.ESTIMATE
    selects_on_val = True
    probe_arguments = frozenset({"steps", "likelihood_steps", "particles"})

    def __init__(
        self,
        domain: Domain,
        hidden: Sequence[int] = (64, 64, 64),
        training_steps: int = 6,
        likelihood_steps: int = 16,
        steps: int = 16,
        particles: int = 8,
        lr: float = 2e-3,
        dequantisation: str = "uniform",
    ) -> None:
        super().__init__(domain, lr)
        self.dequantiser = dequantiser(self.scaling, dequantisation, by_likelihood=True)
        self.training_steps, self.likelihood_steps = training_steps, likelihood_steps
        self.steps, self.particles = steps, particles
        self.exact = domain.dim <= EXACT_DIM
        self.net = Smooth(domain.dim, hidden)

    @classmethod
    def supports(cls, domain: Domain) -> str | None:
        return "a density needs numbers, and names are none" if domain.is_nominal else None

    def log_density(self, y: Tensor, steps: int | None = None) -> Tensor:
        """Estimates log p(y) in nats, shape `(B,)`, for scaled coordinates `(B, *shape)`."""
        return log_density(
            self.probability_flow(), y.flatten(1), "rk4", steps or self.likelihood_steps
        )

    def probability_flow(self) -> ProbabilityFlow:
        """Returns the flow from data at t = 1 to noise at t = 0."""

        def field(x: Tensor) -> Field:
            e = directions(x, self.exact)
            return lambda t, y: self._flow(y, t.expand(len(y)), e)

        return ProbabilityFlow(field, 1.0, 0.0, log_normal, self.dequantiser, self.exact)

    def _flow(self, x: Tensor, t: Tensor, e: Tensor) -> tuple[Tensor, Tensor]:
        """Returns v and its divergence along e `(K, 1 or B, D)`: shapes `(B, D)` and `(B,)`."""
        train = torch.is_grad_enabled()
        with torch.enable_grad():
            x = x if x.requires_grad else x.detach().requires_grad_()
            v = self.net(x, t)
            total = x.new_zeros(len(x))
            for one in e:
                # In reverse: forward derivatives cost thrice as much to train through here.
                (pulled,) = torch.autograd.grad(
                    v, x, one.expand_as(v), create_graph=train, retain_graph=True
                )
                total = total + (pulled * one).sum(1)
        return (v, total) if train else (v.detach(), total.detach())

    def loss(self, batch: Tensor) -> Tensor:
        """Returns the negative log-likelihood in nats, a mean over rows `(B, *shape)`."""
        y, w = self.dequantiser(batch)
        return -(self.log_density(y, self.training_steps).mean() + w.mean())

    def players(self) -> list[Player]:
        (player,) = super().players()
        player.clip = 1.0
        return [player]

    def draw(self, n: int, sampler: str | None = None, steps: int | None = None) -> Tensor:
        return self.points(push(self.net, self.noise(n), "rk4", steps or self.steps))

    def log_p(self, x: Tensor, draws: int | None = None) -> Tensor:
        """Estimates log p(x) in nats, shape `(B,)`; averages over K draws of u where exact."""
        return self.dequantiser.bound(self.log_density, x, self._draws(draws))

    def estimator(self, draws: int | None = None) -> str:
        trace = "exact" if self.exact else "Hutchinson's"
        noise = f", {said(self._draws(draws))}" if self.domain.levels else ""
        return f"RK4 in {self.likelihood_steps} steps, {trace} trace{noise}"

    def _draws(self, draws: int | None) -> int:
        return (draws or self.particles) if self.domain.levels and self.exact else 1


class Smooth(nn.Module):
    """A perceptron of the point and the time itself, with tanh between its layers.

    Args:
        dim: Coordinates D.
        hidden: Widths of the hidden layers.
    """

    def __init__(self, dim: int, hidden: Sequence[int]) -> None:
        super().__init__()
        self.layers = MLP(dim + 1, dim, hidden, nn.Tanh)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        """Maps points `(B, D)` and times `(B,)` to `(B, D)`."""
        return self.layers(torch.cat([x, t[:, None]], dim=1))
