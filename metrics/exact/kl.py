r"""Kullback-Leibler divergences between a model with a likelihood and a known density.

For x_1..x_B ~ p and a model density q:

    KL(p || q) = mean [log p(x_b) - log q(x_b)],

and for the model's own samples KL(q || p) = mean [log q(x_i) - log p(x_i)]. The two logarithms are
subtracted row by row, so that their common noise does not enter the standard error.
"""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from ..estimate import Estimate
from ..numerics.row_mean import RowMean, mean_estimate, row_moments, rows_of


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
    return _divergence(row_moments(_forward(log_prob, log_density)))


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
    return _own(_divergence(row_moments(_reverse(log_prob_samples, log_density_samples))))


def _paired(upper: str, above: Tensor, lower: str, below: Tensor) -> Tensor:
    """Rows of `above - below`, where `above` must be finite and `below` may be -infinity."""
    a, b = rows_of(upper, above, finite=True), rows_of(lower, below)
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


def _divergence(moments: Tensor) -> Estimate:
    result = mean_estimate(moments)
    if result.value == 0 and result.stderr == 0:
        return Estimate(0.0, 0.0, result.n, "the model's density is the task's")
    return result


def _own(estimate: Estimate) -> Estimate:
    """Of samples alone, which no two seeds share."""
    return replace(estimate, shared=0.0)


class KLToTruth(RowMean):
    """`kl_to_truth` over all the batches seen."""

    def update(self, log_prob: Tensor, log_density: Tensor) -> None:
        """Adds log q and log p at the same test points, in nats, both of shape `(B,)`."""
        self._add(_forward(log_prob, log_density))

    def _estimate(self) -> Estimate:
        return _divergence(self.moments)


class ReverseKLToTruth(RowMean):
    """`reverse_kl_to_truth` over all the batches seen."""

    shares = "none"

    def update(self, log_prob_samples: Tensor, log_density_samples: Tensor) -> None:
        """Adds log q and log p at the same samples of the model, in nats, both of shape `(N,)`."""
        self._add(_reverse(log_prob_samples, log_density_samples))

    def _estimate(self) -> Estimate:
        return _own(_divergence(self.moments))
