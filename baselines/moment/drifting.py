r"""Drifting: a generator that follows a field from its draws to the data.

Deng, Li, Li, Du & He, Generative Modeling via Drifting, 2026, arXiv:2602.04770.

The field at x attracts to data y+ and repels from draws y- (section 3.2), with weights of a kernel
k(x, y) = exp(-|| x - y || / T) normalised over both,

    V(x) = E[ k(x, y+) k(x, y-) (y+ - y-) ] / (Z+ Z-),

so that it changes sign when data and draws change places, and vanishes when they have one law. The
net regresses where the field carries its own output, held (section 3.1),

    L = E_z || G(z) - sg[G(z) + V(G(z))] ||^2,

and the draws move a little each step of training: sampling takes one evaluation. Several
temperatures T act at once, each field brought to unit size (appendix A.8); distances are in units
of their mean (A.6). On images, where the paper takes features of a learnt encoder, the field acts
on the pixels and on their averages over blocks.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from ...benchmark.contract.task import Domain
from ..nets.roles import has_images
from .base import SampleMatcher

FAR = 1e6  # distance of a draw from itself: it does not repel itself


class Drifting(SampleMatcher):
    """A generator trained to go where a field of attraction and repulsion points.

    Args:
        domain: What one point is.
        latent: See `SampleMatcher`.
        hidden: See `SampleMatcher`.
        channels: See `SampleMatcher`.
        temperatures: Temperatures T, in units of the mean distance.
        lr: Learning rate.
    """

    paper = "arXiv:2602.04770"

    def __init__(
        self,
        domain: Domain,
        latent: int = 16,
        hidden: Sequence[int] = (128, 128, 128),
        channels: int = 16,
        temperatures: Sequence[float] = (0.02, 0.05, 0.2),
        lr: float = 2e-3,
    ) -> None:
        super().__init__(domain, latent, hidden, channels, lr)
        if not temperatures or min(temperatures) <= 0:
            raise ValueError(f"Expected positive temperatures, got {tuple(temperatures)}.")
        self.temperatures = tuple(temperatures)

    def discrepancy(self, drawn: Tensor, data: Tensor) -> Tensor:
        """Returns the regression on the drifted features, a mean over coordinates."""
        losses = []
        for x, y in zip(self.views(drawn), self.views(data), strict=True):
            with torch.no_grad():
                goal = x + self.drift(x, y)
            losses.append((x - goal).square().mean())
        return torch.stack(losses).sum()

    def views(self, y: Tensor) -> list[Tensor]:
        """Returns the points `(B, D)`, and of images the means of blocks of 2, 4, ... pixels."""
        found = [y]
        if has_images(self.domain):
            image = y.unflatten(1, self.domain.shape)
            while min(image.shape[2:]) >= 8:
                image = functional.avg_pool2d(image, 2)
                found.append(image.flatten(1))
        return found

    def drift(self, x: Tensor, y: Tensor) -> Tensor:
        """Returns the sum of the fields of all temperatures, each of unit size, `(B, D)`."""
        unit = torch.cdist(x, y).mean().clamp_min(1e-6)
        total = torch.zeros_like(x)
        for T in self.temperatures:
            V = field(x, y, x, float(T * unit), same=True)
            total = total + V / V.square().mean().sqrt().clamp_min(1e-6)
        # In units of the distances, so that a step of the field is a small part of them.
        return total * unit * min(self.temperatures) / x.shape[1] ** 0.5


def field(x: Tensor, data: Tensor, draws: Tensor, T: float, same: bool = False) -> Tensor:
    """Returns V(x), shape `(B, D)`.

    The kernel is normalised over the points that act on an x and over the x that a point acts on,
    by the geometric mean of both, as in the paper's algorithm 2 (appendix A.1).

    Args:
        x: Points, shape `(B, D)`.
        data: Points that attract, shape `(N, D)`.
        draws: Points that repel, shape `(M, D)`.
        T: Temperature.
        same: Whether `draws` are the points x, which do not act on themselves.
    """
    to_data, to_draws = torch.cdist(x, data), torch.cdist(x, draws)
    if same:
        to_draws = to_draws + FAR * torch.eye(len(x)).to(x)
    logits = -torch.cat([to_data, to_draws], dim=1) / T
    weight = (logits.softmax(1) * logits.softmax(0)).sqrt()
    near, away = weight.split([len(data), len(draws)], dim=1)
    pull = near * away.sum(1, keepdim=True)
    push = away * near.sum(1, keepdim=True)
    return pull @ data - push @ draws
