r"""Negative log-likelihood, bits per dimension, and the divergences between model and truth.

For x_1..x_B ~ p and a model density q:

    NLL = -mean log q(x_b),    bits/dim = NLL / (D ln 2),    KL(p || q) = mean [log p(x_b) - log
    q(x_b)],

and for the model's own samples KL(q || p) = mean [log q(x_i) - log p(x_i)]. The two logarithms are
subtracted row by row, so that their common noise does not enter the standard error. State is four
sums, merged by the formula of Chan, Golub & LeVeque (The American Statistician 37, 1983).
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from .checks import in_double
from .estimate import Estimate, EstimatedMetric


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
    return _mean(_moments(-_rows("log_prob", log_prob)))


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


def kl_to_truth(log_prob: Tensor, log_density: Tensor) -> Estimate:
    """Estimates KL(p || q) in nats at test points x_b ~ p.

    Args:
        log_prob: The model's log q(x_b) in nats, shape `(B,)`.
        log_density: The exact log p(x_b) in nats, shape `(B,)`.

    Returns:
        The forward divergence. Single estimates may be negative; infinite where q gives points no
        density.

    Raises:
        ValueError: See `nll`; lengths differ, or `log_density` is not finite.
    """
    return _divergence(_moments(_forward(log_prob, log_density)))


def reverse_kl_to_truth(log_prob_samples: Tensor, log_density_samples: Tensor) -> Estimate:
    """Estimates KL(q || p) in nats at the model's own samples x_i ~ q.

    Args:
        log_prob_samples: The model's log q(x_i) in nats, shape `(N,)`.
        log_density_samples: The exact log p(x_i) in nats, shape `(N,)`.

    Returns:
        The reverse divergence; infinite where samples fall outside the support of p.

    Raises:
        ValueError: See `nll`; lengths differ, or `log_prob_samples` is not finite.
    """
    return _divergence(_moments(_reverse(log_prob_samples, log_density_samples)))


def _rows(name: str, x: Tensor, finite: bool = False) -> Tensor:
    if not isinstance(x, Tensor) or x.ndim != 1:
        got = f"shape {tuple(x.shape)}" if isinstance(x, Tensor) else type(x).__name__
        raise ValueError(f"Expected {name} to be a tensor of shape (B,), got {got}.")
    x = in_double(x.detach())
    bad = int((~x.isfinite()).sum() if finite else (x.isnan() | (x == torch.inf)).sum())
    if bad:
        wanted = "finite" if finite else "neither NaN nor +infinity in"
        raise ValueError(f"Expected {wanted} {name}, got {bad} of {len(x)} rows otherwise.")
    return x


def _paired(upper: str, above: Tensor, lower: str, below: Tensor) -> Tensor:
    """Rows of `above - below`, where `above` must be finite and `below` may be -infinity."""
    a, b = _rows(upper, above, finite=True), _rows(lower, below)
    if len(a) != len(b):
        raise ValueError(
            f"Expected one length, got {len(a)} rows of {upper} and {len(b)} of {lower}."
        )
    return a - b


def _forward(log_prob: Tensor, log_density: Tensor) -> Tensor:
    return _paired("log_density", log_density, "log_prob", log_prob)


def _reverse(log_prob_samples: Tensor, log_density_samples: Tensor) -> Tensor:
    return _paired(
        "log_prob_samples", log_prob_samples, "log_density_samples", log_density_samples
    )


def _moments(values: Tensor) -> Tensor:
    """Finite rows, their mean, their squared deviations, and infinite rows, shape `(4,)`."""
    finite = values[values.isfinite()]
    mean = finite.mean() if len(finite) else values.new_zeros(())
    count, infinite = (values.new_tensor(k) for k in (len(finite), len(values) - len(finite)))
    return torch.stack([count, mean, (finite - mean).square().sum(), infinite])


def _merged(parts: Tensor) -> Tensor:
    """One `_moments` of several, shape `(K, 4)` to `(4,)`."""
    count, mean, m2, infinite = parts.unbind(dim=1)
    n = count.sum()
    center = (count * mean).sum() / n.clamp_min(1)
    spread = m2.sum() + (count * (mean - center).square()).sum()
    return torch.stack([n, center, spread, infinite.sum()])


def _mean(moments: Tensor) -> Estimate:
    count, mean, m2, infinite = moments.tolist()
    n = round(count + infinite)
    if n < 2:
        raise ValueError(f"Expected at least 2 rows, got {n}.")
    if infinite:
        note = f"{round(infinite)} of {n} rows have no density"
        return Estimate(math.inf, math.nan, n, note)
    stderr = math.sqrt(m2 / (n - 1) / n)
    # A table would print an error bar of 0 here, which wants its reason.
    constant = stderr <= 1e-7 * abs(mean)
    return Estimate(mean, stderr, n, "the same at every point" if constant else "")


def _divergence(moments: Tensor) -> Estimate:
    result = _mean(moments)
    if result.value == 0 and result.stderr == 0:
        return Estimate(0.0, 0.0, result.n, "the model's density is the task's")
    return result


def _in_bits(nats: Estimate, dims: int) -> Estimate:
    if dims < 1:
        raise ValueError(f"Expected at least one dimension, got {dims}.")
    unit = dims * math.log(2)
    return Estimate(nats.value / unit, nats.stderr / unit, nats.n, nats.note)


class _RowMean(EstimatedMetric):
    """A mean over rows: four numbers of state, whatever the number of rows."""

    unit = "nats"
    higher_is_better = False

    moments: Tensor

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        empty = torch.zeros(4, dtype=torch.float64)
        self.add_state("moments", default=empty, dist_reduce_fx=_merged)

    def _add(self, values: Tensor) -> None:
        self.moments = _merged(
            torch.stack([self.moments, _moments(values).to(self.moments.device)])
        )


class NLL(_RowMean):
    """`nll` over all the batches seen."""

    def update(self, log_prob: Tensor) -> None:
        """Adds a batch of the model's log q(x_b) in nats, shape `(B,)`."""
        self._add(-_rows("log_prob", log_prob))

    def _estimate(self) -> Estimate:
        return _mean(self.moments)


class BitsPerDim(_RowMean):
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
        self._add(-_rows("log_prob", log_prob))

    def _estimate(self) -> Estimate:
        return _in_bits(_mean(self.moments), int(self.dims))


class KLToTruth(_RowMean):
    """`kl_to_truth` over all the batches seen."""

    def update(self, log_prob: Tensor, log_density: Tensor) -> None:
        """Adds log q and log p at the same test points, in nats, both of shape `(B,)`."""
        self._add(_forward(log_prob, log_density))

    def _estimate(self) -> Estimate:
        return _divergence(self.moments)


class ReverseKLToTruth(_RowMean):
    """`reverse_kl_to_truth` over all the batches seen."""

    def update(self, log_prob_samples: Tensor, log_density_samples: Tensor) -> None:
        """Adds log q and log p at the same samples of the model, in nats, both of shape `(N,)`."""
        self._add(_reverse(log_prob_samples, log_density_samples))

    def _estimate(self) -> Estimate:
        return _divergence(self.moments)
