"""Annealed importance sampling of a decoder beside the matrix products that it cannot do without.

Rows `(n, d)` are the points whose likelihood is estimated. The decoder has the widths of Wu et al.
2017 (arXiv:1611.04273) below d, and leaky rectifiers.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from ...baselines.nets.mlp import MLP
from ...metrics.likelihood import annealing, schedules
from ...metrics.likelihood.transitions import HMC
from ..contract.joint import Generator

LATENT, HIDDEN, SCALE = 10, (64, 256, 256, 1024), 0.3
TEMPERATURES, LEAPS = 5, 10
CHAINS = 16 + HMC().pilots


def ais(x: Tensor, y: Tensor) -> float:
    """Returns the mean estimate in nats, by 16 chains at few temperatures.

    Args:
        x: Points, shape `(n, d)`.
        y: Not looked at.
    """
    torch.manual_seed(0)
    decoder = MLP(LATENT, x.shape[1], HIDDEN, nn.LeakyReLU).requires_grad_(False)
    law = Generator(LATENT, decoder, lambda points: points, 0.0).with_noise(SCALE)
    start = law.sample_prior(CHAINS * len(x)).reshape(CHAINS, len(x), LATENT)
    found = annealing.ais(
        law.log_prior,
        lambda z: law.log_prior(z) + law.log_conditional(x, z),
        start,
        schedules.geometric_schedule(TEMPERATURES),
        HMC(leapfrog=LEAPS),
    )
    return float(found.value.mean())


def products(x: Tensor, y: Tensor) -> float:
    """Returns an element of the last of the matrix products of `ais`, which are made alone.

    At each temperature that is a density for the weight, and one for the move's start and each
    leapfrog step with its gradient, of all chains.

    Args:
        x: As in `ais`; its shape alone is looked at.
        y: Not looked at.
    """
    widths = (LATENT, *HIDDEN, x.shape[1])
    rows = CHAINS * len(x)
    sides = [
        (torch.ones(rows, a), torch.ones(b, a), torch.ones(rows, b)) for a, b in pairwise(widths)
    ]
    last = torch.zeros(())
    for _ in range(TEMPERATURES):
        for evaluation in range(LEAPS + 2):
            for points, weight, slopes in sides:
                last = (points @ weight.mT)[0, 0]
                if evaluation:
                    last = (slopes @ weight)[0, 0]
    return float(last)


def flops(n: int, d: int) -> float:
    """Operations of `products`."""
    one = 2.0 * n * CHAINS * sum(a * b for a, b in pairwise((LATENT, *HIDDEN, d)))
    return TEMPERATURES * (2 * (LEAPS + 1) + 1) * one
