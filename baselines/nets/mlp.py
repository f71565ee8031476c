"""Multilayer perceptrons, plain and residual."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from torch import Tensor, nn


class MLP(nn.Sequential):
    """Linear layers with an activation between them.

    Args:
        inputs: Width of the input.
        outputs: Width of the output.
        hidden: Widths of the hidden layers.
        activation: Makes an activation.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        hidden: Sequence[int] = (128, 128),
        activation: Callable[[], nn.Module] = nn.SiLU,
    ) -> None:
        widths = [inputs, *hidden]
        layers: list[nn.Module] = []
        for a, b in pairwise(widths):
            layers += [nn.Linear(a, b), activation()]
        super().__init__(*layers, nn.Linear(widths[-1], outputs))


class Residual(nn.Sequential):
    """x plus layers of x (He et al. 2016, arXiv:1603.05027)."""

    def forward(self, x: Tensor) -> Tensor:
        """Maps a shape to itself."""
        return x + super().forward(x)


class ResidualMLP(nn.Sequential):
    """A linear layer, residual blocks of two linear layers each, and a linear layer.

    Args:
        inputs: Width of the input.
        outputs: Width of the output.
        width: Width of the blocks.
        blocks: Number of blocks.
    """

    def __init__(self, inputs: int, outputs: int, width: int, blocks: int) -> None:
        super().__init__(
            nn.Linear(inputs, width),
            *[
                Residual(nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width))
                for _ in range(blocks)
            ],
            nn.ReLU(),
            nn.Linear(width, outputs),
        )
