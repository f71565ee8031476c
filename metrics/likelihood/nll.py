r"""Negative log-likelihood and bits per dimension.

For x_1..x_B ~ p and a model density q:

    NLL = -mean log q(x_b),    bits/dim = NLL / (D ln 2).
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from ..estimate import Estimate
from ..numerics.row_mean import RowMean, mean_estimate, row_moments, rows_of


def nll(log_prob: Tensor) -> Estimate:
    """Averages -log q over test points.

    Args:
        log_prob: The model's log q(x_b) in nats at x_b ~ p, shape `(B,)`.

    Returns:
        The negative log-likelihood in nats; infinite, with the number of rows in the note, where
        the model gives points no density.

    Raises:
        ValueError: Not a vector, fewer than two rows, or rows that are NaN or +infinity.
    """
    return mean_estimate(row_moments(-rows_of("log_prob", log_prob)))


def bits_per_dim(log_prob: Tensor, dims: int) -> Estimate:
    """Expresses the NLL in bits for each of the `dims` coordinates of a point.

    Args:
        log_prob: log q(x_b) in nats, of the data in its own domain, shape `(B,)`.
        dims: Number D of coordinates of a point.

    Returns:
        NLL / (D ln 2).

    Raises:
        ValueError: See `nll`; or dims < 1.
    """
    return _in_bits(nll(log_prob), dims)


def _in_bits(nats: Estimate, dims: int) -> Estimate:
    if dims < 1:
        raise ValueError(f"Expected at least one dimension, got {dims}.")
    return nats.times(1 / (dims * math.log(2)))


class NLL(RowMean):
    """`nll` over all the batches seen."""

    def update(self, log_prob: Tensor) -> None:
        """Adds a batch of the model's log q(x_b) in nats, shape `(B,)`."""
        self._add(-rows_of("log_prob", log_prob))

    def _estimate(self) -> Estimate:
        return mean_estimate(self.moments)


class BitsPerDim(RowMean):
    """`bits_per_dim` over all the batches seen, which share one number of dimensions."""

    unit = "bits/dim"

    dims: Tensor

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.add_state("dims", default=torch.zeros((), dtype=torch.int64), dist_reduce_fx="max")

    def update(self, log_prob: Tensor, dims: int) -> None:
        """Adds log q(x_b) in nats, shape `(B,)`, of points of D = `dims` coordinates."""
        seen = int(self.dims)
        if dims < 1 or seen not in (0, dims):
            raise ValueError(f"Expected dims {'>= 1' if not seen else f'= {seen}'}, got {dims}.")
        self.dims = torch.full_like(self.dims, dims)
        self._add(-rows_of("log_prob", log_prob))

    def _estimate(self) -> Estimate:
        return _in_bits(mean_estimate(self.moments), int(self.dims))
