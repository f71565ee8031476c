r"""MeanFlow: one step along the average velocity.

Geng, Deng, Bai, Kolter & He, Mean Flows for One-step Generative Modeling, NeurIPS 2025,
arXiv:2505.13447; improved by Geng, Lu, Wu, Shechtman, Kolter & He 2025, arXiv:2512.02012.

On z_t = (1 - t) x + t e, data at t = 0, with v = e - x, the average velocity between two times

    u(z_t, r, t) = 1/(t - r) int_r^t v(z_s, s) ds

satisfies (eq. 6)   u = v - (t - r) du/dt,   du/dt = v du/dz + du/dt|_z.

The first paper regresses u on the right side, held, with the v of the pair in the derivative (eq.
10 and 11). The second asks that u + (t - r) sg[du/dt] be v, with the net's own u(z, t, t) in the
derivative: the target is then the data's alone. A draw from any number of steps is
z_r = z_t - (t - r) u(z_t, r, t).

The papers divide each loss by its own size to the power p (eq. 22 of the first). Over the
thousands of coordinates of a picture that size is nearly its mean at these times; over two it is
not, and what minimises the quotient is no mean of v: modes are drawn too narrow, the more so the
longer the training. Here a loss is divided by its running mean at about these times.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from ...benchmark.contract.model import Likelihood
from ...benchmark.contract.task import Domain
from ..dequantisers import Dequantised, dequantiser
from ..nets.roles import denoiser
from ..nets.two_times import with_two_times

SMALL = 1e-3  # added to the mean that divides a loss
CELLS, FORGETS = 8, 0.01  # of the running means: cells of t and of t - r, and a loss's share


class MeanFlow(Dequantised):
    """A net of the average velocity; a sample takes one evaluation.

    Args:
        domain: What one point is.
        hidden: Widths of the hidden layers of the net on vectors.
        channels: Channels of the U-Net on images.
        improved: Whether the loss is that of the second paper.
        apart: Share of the pairs of times that differ.
        power: Power p of the mean loss that divides a loss.
        steps: Default number of steps of a sample.
        lr: Learning rate.
        dequantisation: How integers become real: "uniform" or "logit".
    """

    family = "transport"
    paper = "arXiv:2505.13447"
    likelihood = Likelihood.NONE
    half_life = 0.05
    samplers = ("average",)
    probe_arguments = frozenset({"steps"})

    sizes: Tensor

    def __init__(
        self,
        domain: Domain,
        hidden: Sequence[int] = (128, 128, 128),
        channels: int = 16,
        improved: bool = True,
        apart: float = 0.5,
        power: float = 1.0,
        steps: int = 1,
        lr: float = 5e-3,
        dequantisation: str = "uniform",
    ) -> None:
        super().__init__(domain, lr)
        self.improved, self.apart, self.power, self.steps = improved, apart, power, steps
        self.dequantiser = dequantiser(self.scaling, dequantisation, by_likelihood=False)
        self.net = with_two_times(denoiser(domain, hidden, channels))
        self.register_buffer("sizes", torch.ones(CELLS**2))

    @classmethod
    def supports(cls, domain: Domain) -> str | None:
        return "it moves numbers, and names are none" if domain.is_nominal else None

    def u(self, z: Tensor, r: Tensor, t: Tensor) -> Tensor:
        """Returns the average velocity, `(B, D)`, of points `(B, D)` and times `(B,)`."""
        return self.net(z, torch.stack([r, t], dim=1))

    def derivative(self, z: Tensor, r: Tensor, t: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Returns u with a graph, and du/dt along (v, 0, 1) without one, each `(B, D)`.

        The directional derivative is taken in reverse twice: w -> J^T w is linear in w, and its
        own transpose along the direction is J times it.
        """
        z, t = z.detach().requires_grad_(), t.detach().requires_grad_()
        u = self.u(z, r, t)
        w = torch.zeros_like(u, requires_grad=True)
        by_z, by_t = torch.autograd.grad(u, (z, t), w, create_graph=True)
        along = (by_z * v.detach()).sum() + by_t.sum()
        (slope,) = torch.autograd.grad(along, w, retain_graph=True)
        return u, slope.detach()

    def loss(self, batch: Tensor) -> Tensor:
        """Returns the weighted loss of rows `(B, *shape)`, mean over rows."""
        data = self.dequantiser(batch)[0].flatten(1)
        noise = torch.randn_like(data)
        r, t = self.two_times(len(data))
        z = (1 - t)[:, None] * data + t[:, None] * noise
        v = noise - data
        with torch.no_grad():
            along = self.u(z, t, t) if self.improved else v
        u, slope = self.derivative(z, r, t, along)
        gap = u + (t - r)[:, None] * slope - v
        if not self.improved:
            gap = u - (v - (t - r)[:, None] * slope)
        square = gap.square().mean(1)
        return (square / (self.size(square.detach(), r, t) + SMALL) ** self.power).mean()

    def size(self, losses: Tensor, r: Tensor, t: Tensor) -> Tensor:
        """Returns the running mean of the losses at about the times of each, shape `(B,)`.

        In training the means take in the losses, which weigh 1 % each.
        """
        row, column = ((CELLS * x).long().clamp(max=CELLS - 1) for x in (t, t - r))
        cell = CELLS * row + column
        if self.training:
            losses = losses.to(self.sizes)
            count = torch.zeros_like(self.sizes).index_add(0, cell, torch.ones_like(losses))
            total = torch.zeros_like(self.sizes).index_add(0, cell, losses)
            share = 1 - (1 - FORGETS) ** count
            self.sizes.lerp_(total / count.clamp_min(1), share)
        return self.sizes[cell]

    def two_times(self, n: int) -> tuple[Tensor, Tensor]:
        """Draws r <= t, both uniform (table 1d of the first paper); a share of the pairs differ.

        Of half of the pairs r = 0, where the one step of a sample ends. Uniform pairs hardly meet
        (0, 1), and logit-normal ones, which the paper's large nets prefer a little, still less:
        small nets are far off there.
        """
        pair = torch.rand(n, 2, device=self.device)
        pair[:, 0] *= torch.rand(n, device=self.device) < 0.5
        r, t = pair.amin(1), pair.amax(1)
        return torch.where(torch.rand(n, device=self.device) < self.apart, r, t), t

    def draw(self, n: int, sampler: str | None = None, steps: int | None = None) -> Tensor:
        """Goes from t = 1 to 0 in equal steps of the average velocity."""
        z = self.noise(n)
        times = torch.linspace(1, 0, (steps or self.steps) + 1, device=self.device)
        for t, r in pairwise(times):
            z = z - (t - r) * self.u(z, r.expand(n), t.expand(n))
        return self.points(z)
