"""Increasing maps of one coordinate, whose raw numbers are the outputs of a net.

A map of raw numbers 0 is the identity, so that a flow begins as one where its nets put out zeros.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from .splines import numbers, spline

# Log-scales are bent to stay within: e^5 for one layer is far beyond what data ask for.
LARGEST = 5.0


class Map(Protocol):
    """An increasing map of each coordinate.

    Attributes:
        numbers: Raw numbers P that one coordinate takes.
    """

    @property
    def numbers(self) -> int: ...

    def __call__(self, x: Tensor, theta: Tensor, inverse: bool = False) -> tuple[Tensor, Tensor]:
        """Maps numbers, each by its own map.

        Args:
            x: Numbers, shape `(...)`.
            theta: Raw numbers of the maps, shape `(..., P)`.
            inverse: Whether to map back.

        Returns:
            The images and the log-derivatives of the map that was asked for, each `(...)`.
        """
        ...


@dataclass(frozen=True)
class Shifted:
    """y = (x - m) exp(-a) with raw numbers m and a (Papamakarios et al. 2017, eq. 4).

    The log-scale is bent to within [-5, 5].
    """

    numbers: int = 2

    def __call__(self, x: Tensor, theta: Tensor, inverse: bool = False) -> tuple[Tensor, Tensor]:
        """See `Map`."""
        mean, raw = theta.unbind(-1)
        log_scale = raw / (1 + raw.abs() / LARGEST)
        if inverse:
            return x * log_scale.exp() + mean, log_scale
        return (x - mean) * (-log_scale).exp(), -log_scale


@dataclass(frozen=True)
class Spline:
    """A rational-quadratic spline with linear tails (`splines`).

    Attributes:
        bins: Bins K.
        bound: The spline lives on [-bound, bound].
    """

    bins: int
    bound: float

    @property
    def numbers(self) -> int:
        """3 K - 1."""
        return numbers(self.bins)

    def __call__(self, x: Tensor, theta: Tensor, inverse: bool = False) -> tuple[Tensor, Tensor]:
        """See `Map`."""
        return spline(x, theta, self.bound, inverse)
