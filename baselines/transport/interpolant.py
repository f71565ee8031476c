r"""Stochastic interpolants.

Albergo, Boffi & Vanden-Eijnden, Stochastic Interpolants: A Unifying Framework for Flows and
Diffusions, 2023, arXiv:2303.08797.

Noise x_0 and data x_1 are joined by a line with a bump of noise between (eq. 2.1),

    x_t = (1 - t) x_0 + t x_1 + g(t) z,      g(t) = sqrt(2 t (1 - t)),      z ~ N(0, I).

Two nets, here two outputs of one, learn v = E[x_1 - x_0 | x_t] and e = E[z | x_t] by least squares
(eq. 2.13 and 2.19). They give the drift b = v + g' e of the flow and the score -e / g (eq. 2.14),
and with any eps >= 0 the same marginals along the flow and along

    dX = (b - eps e / g) dt + sqrt(2 eps) dW        (eq. 2.33),

which is drawn with eps = g. Since g' is infinite at both ends, flow and diffusion are followed in
the time s with t = sin^2(pi s / 2), in which they are bounded: g = sin(pi s) / sqrt(2), and

    dX / ds = (pi / 2) sin(pi s) v + (pi / sqrt(2)) cos(pi s) e.

Times of training are even in s, too, and so lie denser at both ends, where the solver goes slowly.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ...benchmark.contract.task import Domain
from ..nets.roles import denoiser
from ..paths.ode import SOLVERS
from .flow_matching import FlowMatching


class Interpolant(FlowMatching):
    """A flow and a diffusion with the same marginals.

    Args:
        domain: What one point is.
        hidden: See `FlowMatching`.
        channels: See `FlowMatching`.
        solver: Default sampler: a solver of the flow, or "sde".
        steps: Default number of steps of a sampler.
        likelihood_steps: See `FlowMatching`.
        particles: See `FlowMatching`.
        lr: Learning rate.
        dequantisation: See `FlowMatching`.
    """

    paper = "arXiv:2303.08797"
    samplers = (*SOLVERS, "sde")

    def __init__(
        self,
        domain: Domain,
        *,
        hidden: Sequence[int] = (128, 128, 128),
        channels: int = 16,
        solver: str = "midpoint",
        steps: int = 25,
        likelihood_steps: int = 24,
        particles: int = 8,
        lr: float = 5e-3,
        dequantisation: str = "uniform",
    ) -> None:
        super().__init__(
            domain,
            hidden=(),
            channels=1,
            sigma_min=0.0,
            solver="midpoint" if solver == "sde" else solver,
            steps=steps,
            likelihood_steps=likelihood_steps,
            particles=particles,
            lr=lr,
            dequantisation=dequantisation,
        )
        self.solver = solver
        self.net = denoiser(domain, hidden, channels, outputs=2)

    def both(self, x: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """Returns v and e at x_t `(B, D)` and times `(B,)`, each `(B, D)`."""
        v, e = self.net(x, t).chunk(2, dim=1)
        return v, e

    def velocity(self, x: Tensor, s: Tensor) -> Tensor:
        """Returns dX / ds of the flow at points `(B, D)` and times s `(B,)`, shape `(B, D)`."""
        v, e = self.both(x, time(s))
        return pace(s)[:, None] * v + d_bump(s)[:, None] * e

    def loss(self, batch: Tensor) -> Tensor:
        """Returns the squared errors of v and of e, mean over D, of rows `(B, *shape)`."""
        data = self.dequantiser(batch)[0].flatten(1)
        noise, z = torch.randn_like(data), torch.randn_like(data)
        s = torch.rand(len(data), device=data.device)
        t, spread = time(s), bump(s)[:, None]
        v, e = self.both(self.path.point(data, noise, t) + spread * z, t)
        return (v - (data - noise)).square().mean() + (e - z).square().mean()

    def draw(self, n: int, sampler: str | None = None, steps: int | None = None) -> Tensor:
        """Follows the flow from noise, or with "sde" the diffusion."""
        chosen, count = sampler or self.solver, steps or self.steps
        if chosen != "sde":
            return super().draw(n, chosen, count)
        x, gap = self.noise(n), 1 / count
        for k in range(count):
            s = torch.full((n,), (k + 0.5) * gap, device=self.device)
            v, e = self.both(x, time(s))
            fast = pace(s)[:, None]
            drift = fast * (v - e) + d_bump(s)[:, None] * e
            scale = (2 * gap * fast * bump(s)[:, None]).sqrt()
            x = x + gap * drift + (scale * torch.randn_like(x) if k + 1 < count else 0)
        return self.points(x)


def time(s: Tensor) -> Tensor:
    """Returns t = sin^2(pi s / 2)."""
    return (math.pi / 2 * s).sin().square()


def pace(s: Tensor) -> Tensor:
    """Returns dt / ds = (pi / 2) sin(pi s)."""
    return math.pi / 2 * (math.pi * s).sin()


def bump(s: Tensor) -> Tensor:
    """Returns g = sqrt(2 t (1 - t)) = sin(pi s) / sqrt(2)."""
    return (math.pi * s).sin() / math.sqrt(2)


def d_bump(s: Tensor) -> Tensor:
    """Returns dg / ds = (pi / sqrt(2)) cos(pi s)."""
    return math.pi / math.sqrt(2) * (math.pi * s).cos()
