r"""MeanFlow: one step along the average velocity.

Geng, Deng, Bai, Kolter & He, Mean Flows for One-step Generative Modeling, NeurIPS 2025,
arXiv:2505.13447; improved by Geng, Lu, Wu, Shechtman, Kolter & He 2025, arXiv:2512.02012.

On z_t = (1 - t) x + t e, data at t = 0, with v = e - x, the average velocity between two times

    u(z_t, r, t) = 1/(t - r) int_r^t v(z_s, s) ds

satisfies (eq. 6)   u = v - (t - r) du/dt,   du/dt = v du/dz + du/dt|_z.

The first paper regresses u on the right side, held, with the v of the pair in the derivative (eq.
10 and 11). The second asks that u + (t - r) sg[du/dt] be v, with the net's own u(z, t, t) in the
derivative: the target is then the data's alone. Losses are divided by their own size to the power
p (eq. 22 of the first). A draw from any number of steps is z_r = z_t - (t - r) u(z_t, r, t).
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

SMALL = 1e-3  # added to a loss before it divides itself


class MeanFlow(Dequantised):
    """A net of the average velocity; a sample takes one evaluation.

    Args:
        domain: What one point is.
        hidden: Widths of the hidden layers of the net on vectors.
        channels: Channels of the U-Net on images.
        improved: Whether the loss is that of the second paper.
        apart: Share of the pairs of times that differ.
        power: Power p of the loss that divides it; the higher, the less far draws count, and the
            narrower the modes are drawn where points have few coordinates.
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

    def __init__(
        self,
        domain: Domain,
        hidden: Sequence[int] = (128, 128, 128),
        channels: int = 16,
        improved: bool = True,
        apart: float = 0.5,
        power: float = 0.5,
        steps: int = 1,
        lr: float = 5e-3,
        dequantisation: str = "uniform",
    ) -> None:
        super().__init__(domain, lr)
        self.improved, self.apart, self.power, self.steps = improved, apart, power, steps
        self.dequantiser = dequantiser(self.scaling, dequantisation, by_likelihood=False)
        self.net = with_two_times(denoiser(domain, hidden, channels))

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
        return (square / (square.detach() + SMALL) ** self.power).mean()

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
