r"""Mixtures of isotropic Gaussians: rings, grids, and the hidden plane in many dimensions.

    p(x) = sum_k w_k N(x; m_k, s^2 I)

One standard deviation s serves all components, so the exact density is one `cdist` and one
`logsumexp`. In the plane the entropy is a quadrature (see `Mixture.entropy`), right to far below
1e-4 nats. A sample is of high quality if it is within the radius of a component's centre that
holds as much of the component as 3 s does in the plane (1 - exp(-9/2) = 98.9 %), the convention of
Srivastava et al. 2017 (VEEGAN, arXiv:1705.07761) in D = 2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from scipy.special import gammaincinv
from torch import Tensor

from ...contract.task import Card, Modes
from ..outline import Outline
from .law import Law, law_task

VEEGAN = "Srivastava et al. 2017, VEEGAN, arXiv:1705.07761"
FFJORD = "toy of Grathwohl et al. 2019, FFJORD, arXiv:1810.01367"


class Mixture(Law):
    """Mixture of Gaussians of one standard deviation.

    Args:
        means: Centres m_k, shape `(K, D)`.
        std: Standard deviation s of every component.
        weights: w_k, shape `(K,)`, normalised here; equal where left out.
        groups: The mode that each component belongs to, int64 `(K,)`; its own where left out.
    """

    def __init__(
        self,
        means: Tensor,
        std: float,
        weights: Tensor | None = None,
        groups: Tensor | None = None,
    ) -> None:
        self.means = means.double()
        self.std = std
        count, self.dim = means.shape
        weights = torch.ones(count) if weights is None else weights
        self.weights = weights.double() / weights.double().sum()
        self.groups = torch.arange(count) if groups is None else groups

    @property
    def radius(self) -> float:
        """Radius of the ball about a centre that holds 98.9 % of the component: 3 s in 2-D."""
        chi_square = 2 * gammaincinv(self.dim / 2, 1 - math.exp(-4.5))
        return self.std * math.sqrt(chi_square)

    def sample(self, n: int) -> Tensor:
        k = torch.multinomial(self.weights, n, replacement=True)
        return self.means[k].float() + self.std * torch.randn(n, self.dim)

    def log_prob(self, x: Tensor) -> Tensor:
        square = _distance(x, self.means).square() / self.std**2
        log_scale = self.dim * math.log(self.std * math.sqrt(2 * math.pi))
        return (self.weights.log().to(x) - square / 2).logsumexp(1) - log_scale

    def entropy(self) -> float | None:
        """Returns -integral p log p in the plane by the trapezoidal rule at spacing s / 2.

        On a smooth density that vanishes at the edge of the box, the rule converges faster than
        any power of the spacing (Trefethen & Weideman, SIAM Review 56, 2014, section 5): here the
        error of a component's mass is about 2 exp(-2 pi^2 / 0.25) ~ 1e-34. On a square grid each
        component is the product of two bumps, so one matrix product gives p at every node.
        """
        if self.dim != 2:
            return None
        spacing = self.std / 2
        across, up = (self._bumps(centres, spacing) for centres in self.means.T)
        p = (across * self.weights) @ up.T
        return -float(torch.xlogy(p, p).sum()) * spacing**2

    def _bumps(self, centres: Tensor, spacing: float) -> Tensor:
        """Returns N(x; m_k, s^2) of one coordinate at nodes x 9 s beyond all centres: `(M, K)`."""
        low, high = float(centres.min()) - 9 * self.std, float(centres.max()) + 9 * self.std
        x = torch.arange(low, high, spacing, dtype=torch.float64)
        z = (x[:, None] - centres) / self.std
        return (-z.square() / 2).exp() / (self.std * math.sqrt(2 * math.pi))

    def assign(self, x: Tensor) -> Tensor:
        """Returns the mode of the nearest component within `radius`, else -1: shape `(N,)`."""
        distance, k = _distance(x, self.means).min(1)
        return torch.where(distance <= self.radius, self.groups.to(x.device)[k], -1)

    def modes(self) -> Modes:
        """Returns the groups of components as modes."""
        return Modes(int(self.groups.max()) + 1, self.assign)


def _distance(x: Tensor, means: Tensor) -> Tensor:
    """Euclidean distances `(N, K)`; by differences, since the product form loses sharp modes."""
    return torch.cdist(x, means.to(x), compute_mode="donot_use_mm_for_euclid_dist")


def circle(count: int, radius: float) -> Tensor:
    """Returns evenly spaced points on a circle, the first on the x axis: shape `(count, 2)`."""
    angle = 2 * math.pi * torch.arange(count, dtype=torch.float64) / count
    return radius * torch.stack([angle.cos(), angle.sin()], 1)


def ring(name: str, count: int, radius: float, std: float, source: str, pitfalls: str) -> Outline:
    """Returns the task of `count` Gaussians on a circle."""
    law = Mixture(circle(count, radius), std)
    summary = f"{count} Gaussians of sd {std:g} on the circle of radius {radius:g}"
    card = Card(summary=f"{summary}, in the plane.", citation=source, pitfalls=pitfalls)
    return law_task(name, law, card, modes=law.modes(), log_reward=law.log_prob, log_z=0.0)


def grid(name: str, centres: Sequence[float], std: float, source: str, pitfalls: str) -> Outline:
    """Returns the task of Gaussians on the square grid over `centres`."""
    axis = torch.tensor(centres, dtype=torch.float64)
    law = Mixture(torch.cartesian_prod(axis, axis), std)
    summary = f"{len(axis) ** 2} Gaussians of sd {std:g} on the grid {list(centres)}^2"
    card = Card(summary=f"{summary}, in the plane.", citation=source, pitfalls=pitfalls)
    return law_task(name, law, card, modes=law.modes(), log_reward=law.log_prob, log_z=0.0)


def ring_8() -> Outline:
    """Returns `ring-8`: 8 Gaussians of sd 0.1 on the unit circle."""
    pitfalls = (
        "Neighbouring modes are 7.7 sd apart, far milder than `veegan-ring` (77 sd): modes "
        "captured here do not compare with the papers on mode collapse."
    )
    return ring("ring-8", 8, 1.0, 0.1, VEEGAN, pitfalls)


def veegan_ring() -> Outline:
    """Returns `veegan-ring`: sd 0.01, the geometry of the papers on mode collapse."""
    pitfalls = (
        "GAN rows differ across papers on these very data (1 mode in VEEGAN's table, 6.3 in "
        "PacGAN's, arXiv:1712.04086): name the protocol."
    )
    return ring("veegan-ring", 8, 1.0, 0.01, VEEGAN, pitfalls)


def eight_gaussians() -> Outline:
    """Returns `8-gaussians`: radius 4 and sd 0.5, both divided by sqrt 2."""
    pitfalls = "Other code divides by 1.414 or uses radius 5: distances scale with it."
    return ring("8-gaussians", 8, 4 / math.sqrt(2), 0.5 / math.sqrt(2), FFJORD, pitfalls)


def grid_25() -> Outline:
    """Returns `grid-25`: 25 Gaussians of sd 0.2 at distance 2."""
    pitfalls = "Four times the sd of `veegan-grid`: the numbers do not compare with the papers'."
    return grid("grid-25", (-4, -2, 0, 2, 4), 0.2, VEEGAN, pitfalls)


def veegan_grid() -> Outline:
    """Returns `veegan-grid`: sd 0.05, the geometry of the papers on mode collapse."""
    pitfalls = (
        "GAN rows differ across papers on these very data (3.3 modes in VEEGAN's table, 17.3 in "
        "PacGAN's, arXiv:1712.04086): name the protocol."
    )
    return grid("veegan-grid", (-4, -2, 0, 2, 4), 0.05, VEEGAN, pitfalls)
