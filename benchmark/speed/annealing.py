"""Annealed importance sampling of a decoder beside the matrix products that it cannot do without.

Rows `(n, d)` are the points whose likelihood is estimated. The decoder has the widths of Wu et al.
2017 (arXiv:1611.04273) below d, and leaky rectifiers.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from ...baselines.nets.mlp import MLP
from ..contract.joint import Generator
from ..run.bounds.joint import annealed, every_chain

LATENT, HIDDEN, SCALE = 10, (64, 256, 256, 1024), 0.3
CHAINS, TEMPERATURES, LEAPS = 16, 5, 10


def ais(x: Tensor, y: Tensor) -> float:
    """Returns the mean estimate in nats, by 16 chains at few temperatures.

    Args:
        x: Points, shape `(n, d)`.
        y: Not looked at.
    """
    torch.manual_seed(0)
    decoder = MLP(LATENT, x.shape[1], HIDDEN, nn.LeakyReLU).requires_grad_(False)
    law = Generator(LATENT, decoder, lambda points: points, 0.0).with_noise(SCALE)
    return float(annealed(law, x, TEMPERATURES, CHAINS).value.mean())


def products(x: Tensor, y: Tensor) -> float:
    """Returns an element of the last of the matrix products of `ais`, which are made alone.

    At each temperature that is a density for the weight, and one for the move's start and each
    leapfrog step with its gradient, of all chains.

    Args:
        x: As in `ais`; its shape alone is looked at.
        y: Not looked at.
    """
    torch.manual_seed(0)
    widths = (LATENT, *HIDDEN, x.shape[1])
    rows = every_chain(CHAINS) * len(x)
    sides = [
        (torch.randn(rows, a), torch.randn(b, a), torch.randn(rows, b))
        for a, b in pairwise(widths)
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
    one = 2.0 * n * every_chain(CHAINS) * sum(a * b for a, b in pairwise((LATENT, *HIDDEN, d)))
    return TEMPERATURES * (2 * (LEAPS + 1) + 1) * one
