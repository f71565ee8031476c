"""`checkerboard`: uniform on the eight dark squares of a 4x4 board; the entropy is log 32."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ...contract.task import Card, Modes
from ..outline import Outline
from .law import Law, law_task
from .mixtures import FFJORD

SIDE = 2.0  # of a square; the board is [-4, 4]^2
AREA = 8 * SIDE**2


class Checkerboard(Law):
    """Uniform law on the squares (i, j) of i + j even, i, j = 0..3, counted from (-4, -4)."""

    dim = 2

    def sample(self, n: int) -> Tensor:
        column, pair = torch.randint(4, (n,)), torch.randint(2, (n,))
        square = torch.stack([column, 2 * pair + column % 2], 1)
        place = torch.rand(n, 2).clamp(1e-6, 1 - 1e-6)  # rounding must not cross an edge
        return SIDE * (square + place) - 4

    def log_prob(self, x: Tensor) -> Tensor:
        inside = self.assign(x) >= 0
        return torch.where(inside, -math.log(AREA), -math.inf).to(x.dtype)

    def entropy(self) -> float:
        return math.log(AREA)

    def assign(self, x: Tensor) -> Tensor:
        """Returns the dark square 0..7 that a point is in, else -1: `(N, 2)` to `(N,)`."""
        i, j = ((x + 4) / SIDE).floor().unbind(1)
        dark = (i >= 0) & (i < 4) & (j >= 0) & (j < 4) & ((i + j) % 2 == 0)
        return torch.where(dark, (2 * i + j // 2).long(), -1)


def checkerboard() -> Outline:
    """Returns the `checkerboard` task."""
    law = Checkerboard()
    card = Card(
        summary="Uniform on the eight dark squares of a board [-4, 4]^2, in the plane.",
        citation=FFJORD,
        pitfalls="The density is 0 off the dark squares: log p(x) of a model's sample may be "
        "-inf, so only averages over the data are finite. Diagonal squares touch: the modes are "
        "not apart.",
    )
    return law_task("checkerboard", law, card, modes=Modes(8, law.assign))
