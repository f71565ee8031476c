r"""Stochastic interpolants.

Albergo, Boffi & Vanden-Eijnden, Stochastic Interpolants: A Unifying Framework for Flows and
Diffusions, 2023, arXiv:2303.08797.

Noise x_0 and data x_1 are joined by a line with a bump of noise between (eq. 2.1),

    x_t = (1 - t) x_0 + t x_1 + g(t) z,      g(t) = sqrt(2 t (1 - t)),      z ~ N(0, I).

Two nets, here two outputs of one, learn v = E[x_1 - x_0 | x_t] and e = E[z | x_t] by least squares
(eq. 2.13 and 2.19). They give the drift b = v + g' e of the flow and the score -e / g (eq. 2.14),
and with any eps >= 0 the same marginals along the flow and along

    dX = (b - eps e / g) dt + sqrt(2 eps) dW        (eq. 2.33),

which is drawn with eps = g: its coefficients stay bounded.
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

EDGE = 1e-3  # times keep so far from 0 and 1, where g' is infinite


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

    def velocity(self, x: Tensor, t: Tensor) -> Tensor:
        """Returns the drift b of the flow, shape `(B, D)`."""
        v, e = self.both(x, t)
        return v + d_bump(t)[:, None] * e

    def loss(self, batch: Tensor) -> Tensor:
        """Returns the squared errors of v and of e, mean over D, for rows `(B, *shape)`."""
        data = self.dequantiser(batch)[0].flatten(1)
        noise, z = torch.randn_like(data), torch.randn_like(data)
        t = EDGE + (1 - 2 * EDGE) * torch.rand(len(data), device=data.device)
        v, e = self.both(self.path.point(data, noise, t) + bump(t)[:, None] * z, t)
        return (v - (data - noise)).square().mean() + (e - z).square().mean()

    def draw(self, n: int, sampler: str | None = None, steps: int | None = None) -> Tensor:
        """Follows the flow from noise, or with "sde" the diffusion."""
        chosen, count = sampler or self.solver, steps or self.steps
        if chosen != "sde":
            return super().draw(n, chosen, count)
        x, gap = self.noise(n), 1 / count
        for k in range(count):
            t = torch.full((n,), (k + 0.5) * gap, device=self.device)
            v, e = self.both(x, t)
            drift = v + (d_bump(t) - 1)[:, None] * e
            scale = (2 * gap * bump(t)).sqrt()[:, None]
            x = x + gap * drift + (scale * torch.randn_like(x) if k + 1 < count else 0)
        return self.points(x)


def bump(t: Tensor) -> Tensor:
    """Returns g(t) = sqrt(2 t (1 - t)) within the edges."""
    t = t.clamp(EDGE, 1 - EDGE)
    return (2 * t * (1 - t)).sqrt()


def d_bump(t: Tensor) -> Tensor:
    """Returns g'(t) = (1 - 2 t) / g(t) within the edges; at an edge that of the edge."""
    t = t.clamp(EDGE, 1 - EDGE)
    return (1 - 2 * t) / (math.sqrt(2) * (t * (1 - t)).sqrt())
