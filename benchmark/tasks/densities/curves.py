r"""Toys of the plane that are usually given as samplers: moons, circles, spirals, pinwheel.

Each is defined here as a mixture of isotropic Gaussians whose centres follow the curve no further
apart than their standard deviation s: then the ripple along a straight ridge is under 2 exp(-2
pi^2), about 1e-8 of its height, and the density is exact. Scales are those of the samplers in
Grathwohl et al. 2019 (FFJORD, arXiv:1810.01367), so pictures compare; the laws differ from the
samplers' slightly.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ...contract.task import Card
from ..outline import Outline
from .law import law_task
from .mixtures import FFJORD, Mixture, circle

PITFALL = (
    "A mixture along the curve, so that its density is exact; the usual sampler differs slightly."
)


def curves(
    name: str, summary: str, parts: list[Tensor], std: float, weights: Tensor | None = None
) -> Outline:
    """Returns the task of Gaussians along curves of equal mass, one mode a curve.

    Args:
        name: Kebab-case name.
        summary: What it looks like.
        parts: Centres of each curve, shape `(M, 2)`; M may differ.
        std: Standard deviation of the Gaussians.
        weights: Weight of each centre along its curve, shape `(M,)`; equal where left out.
    """
    sizes = torch.tensor([len(part) for part in parts])
    groups = torch.arange(len(parts)).repeat_interleave(sizes)
    along = torch.ones(len(groups)) if weights is None else weights.repeat(len(parts))
    law = Mixture(torch.cat(parts), std, along / sizes[groups], groups)
    card = Card(summary=f"{summary}, in the plane.", citation=FFJORD, pitfalls=PITFALL)
    return law_task(name, law, card, modes=law.modes() if len(parts) > 1 else None)


def midpoints(count: int) -> Tensor:
    """Returns the midpoints of `count` equal parts of [0, 1], float64."""
    return (torch.arange(count, dtype=torch.float64) + 0.5) / count


def spiral(t: Tensor) -> Tensor:
    """Returns the Archimedean spiral t (cos t, sin t), shape `(M, 2)`."""
    return t[:, None] * torch.stack([t.cos(), t.sin()], 1)


def moons() -> Outline:
    """Returns `moons`: two interleaving half circles of radius 2, sd 0.2."""
    t = math.pi * midpoints(64)
    arc = 2 * torch.stack([t.cos(), t.sin()], 1)
    upper = arc + torch.tensor([-1.0, -0.2])
    lower = -arc + torch.tensor([1.0, 0.8])
    return curves("moons", "Two interleaving half moons", [upper, lower], 0.2)


def circles() -> Outline:
    """Returns `circles`: two circles of radius 3 and 1.5, sd 0.24."""
    parts = [circle(int(30 * radius), radius) for radius in (3.0, 1.5)]
    return curves("circles", "Two concentric circles", parts, 0.24)


def rings() -> Outline:
    """Returns `rings`: four circles of radius 3, 2.25, 1.5 and 0.75, sd 0.08."""
    parts = [circle(int(80 * radius), radius) for radius in (3.0, 2.25, 1.5, 0.75)]
    return curves("rings", "Four concentric circles", parts, 0.08)


def two_spirals() -> Outline:
    """Returns `two-spirals`: arms of one turn and a half, even along the arm, sd 0.1.

    Equal parts of t^2 are nearly equal parts of the arm's length, t^2 / 2 far from the centre.
    """
    arm = spiral(3 * math.pi * midpoints(192).sqrt()) / 3
    return curves("two-spirals", "Two spirals", [arm, -arm], 0.1)


def swiss_roll() -> Outline:
    """Returns `swiss-roll`: one spiral from 3 pi / 2 to 9 pi / 2, sd 0.2."""
    arm = spiral(1.5 * math.pi * (1 + 2 * midpoints(160))) / 5
    return curves("swiss-roll", "A rolled-up strip", [arm], 0.2)


def pinwheel() -> Outline:
    """Returns `pinwheel`: five arms, r ~ N(2, 0.6^2) from the centre and curled by exp(r / 2) / 4.

    The nodes are 0.1 apart from r = 0.2 to 3.8, three standard deviations either way.
    """
    r = torch.arange(0.2, 3.85, 0.1, dtype=torch.float64)
    weights = (-((r - 2) ** 2) / (2 * 0.6**2)).exp()
    turns = 2 * math.pi * torch.arange(5) / 5
    angle = turns[:, None] + 0.25 * (r / 2).exp()
    arms = r[:, None] * torch.stack([angle.cos(), angle.sin()], -1)
    return curves("pinwheel", "Five curled arms", list(arms), 0.2, weights)
