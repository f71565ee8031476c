r"""Distances between laws on S states, and the error of a log normaliser.

    TV(q, p) = 1/2 sum_s |q_s - p_s|,    L1(q, p) = sum_s |q_s - p_s|  (a sum over states, not a
    mean),

of two probability vectors, or of the frequencies n_s / n of drawn states. The empirical forms are
biased upwards: a perfect sampler has the floor (de Moivre, see Diaconis & Zabell, Statistical
Science 6, 1991)

    E sum_s |n_s / n - p_s| = sum_s 2 (v / n) (1 - p_s) Bin(v; n, p_s),    v = floor(n p_s) + 1,

which stands in their note. Their standard error takes the counts for Poisson variables, whose
means are smoothed towards the target by an empirical Bayes estimate, less the part that the fixed
total removes.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import special, stats
from torch import Tensor

from ..estimate import Estimate, EstimatedMetric


def total_variation(law: Tensor, target: Tensor) -> Estimate:
    """Half the sum over states of |law - target|; exact.

    Args:
        law: The model's probabilities, shape `(S,)`.
        target: The true probabilities, shape `(S,)`.

    Returns:
        The distance in [0, 1], standard error 0; n is the number of states.

    Raises:
        ValueError: Not two probability vectors of one length.
    """
    return l1_distance(law, target).times(0.5)


def l1_distance(law: Tensor, target: Tensor) -> Estimate:
    """Sum over states of |law - target|, twice the total variation; exact.

    Args, returns and errors as in `total_variation`; the distance lies in [0, 2].
    """
    q, p = _law("law", law), _law("target", target)
    if len(q) != len(p):
        raise ValueError(f"Expected laws of one length, got {len(q)} and {len(p)} states.")
    return Estimate(float(np.abs(q - p).sum()), 0.0, len(p), "of exact laws: nothing is sampled")


def jensen_shannon_divergence(law: Tensor, target: Tensor) -> Estimate:
    """Mean of the divergences of both laws from their mean: 1/2 KL(q || m) + 1/2 KL(p || m).

    Lin 1991, IEEE Transactions on Information Theory 37, with equal weights.

    Args, returns and errors as in `total_variation`; in nats, in [0, log 2].
    """
    q, p = _law("law", law), _law("target", target)
    if len(q) != len(p):
        raise ValueError(f"Expected laws of one length, got {len(q)} and {len(p)} states.")
    m = (p + q) / 2
    value = float(special.rel_entr(q, m).sum() + special.rel_entr(p, m).sum()) / 2
    return Estimate(max(value, 0.0), 0.0, len(p), "of exact laws: nothing is sampled")


def empirical_total_variation(states: Tensor, target: Tensor) -> Estimate:
    """Total variation between the frequencies of drawn states and the target.

    Args:
        states: Index in 0..S-1 of each sample's state, integers, shape `(N,)`.
        target: The true probabilities, shape `(S,)`.

    Returns:
        The distance, with its floor (the expected value of a perfect sampler at this N) in the
        note.

    Raises:
        ValueError: `target` is no probability vector, fewer than two samples, or states outside
            0..S-1.
    """
    return _empirical(states, target, 0.5)


def empirical_l1_distance(states: Tensor, target: Tensor) -> Estimate:
    """Sum over states of |frequency - target|, twice `empirical_total_variation`."""
    return _empirical(states, target, 1.0)


def log_z_error(
    log_z_estimate: Tensor | float,
    log_z: Tensor | float,
    log_z_stderr: Tensor | float | None = None,
) -> Estimate:
    """The absolute error of an estimated log normaliser.

    Args:
        log_z_estimate: The estimate, in nats.
        log_z: The exact value, in nats.
        log_z_stderr: The standard error of an estimate that was sampled (annealed importance
            sampling, say), in nats. None for a parameter of the model, such as the log Z that
            trajectory balance learns.

    Returns:
        |estimate - log Z| in nats. Its standard error is that of the estimate, which an absolute
        value can only lower (near 0: by up to 40 %). It is NaN for a parameter: that is a number,
        not a sample, and what makes it random is the training, which only other seeds show.

    Raises:
        ValueError: Not two finite numbers, or a standard error that is negative or not finite.
    """
    estimate, exact = float(log_z_estimate), float(log_z)
    if not (math.isfinite(estimate) and math.isfinite(exact)):
        raise ValueError(f"Expected finite log_z_estimate and log_z, got {estimate} and {exact}.")
    if log_z_stderr is None:
        return Estimate(abs(estimate - exact), math.nan, 1, "a parameter: not sampled")
    stderr = float(log_z_stderr)
    if not 0 <= stderr < math.inf:
        raise ValueError(f"Expected a finite log_z_stderr >= 0, got {stderr}.")
    return Estimate(abs(estimate - exact), stderr, 1, shared=0.0)


def _law(name: str, law: Tensor) -> NDArray[np.float64]:
    if law.ndim != 1 or not len(law):
        raise ValueError(f"Expected {name} of shape (S,), got {tuple(law.shape)}.")
    p = law.detach().cpu().to(torch.float64).numpy()
    if not (np.isfinite(p).all() and (p >= 0).all() and abs(p.sum() - 1) < 1e-4):
        raise ValueError(
            f"Expected {name} to be probabilities that sum to 1, "
            f"got a minimum of {p.min():.6g} and a sum of {p.sum():.6g}."
        )
    return p


def _counts(states: Tensor, size: int) -> NDArray[np.int64]:
    if states.ndim != 1 or states.is_floating_point() or states.dtype == torch.bool:
        raise ValueError(
            f"Expected integer states of shape (N,), got {states.dtype}{list(states.shape)}."
        )
    if len(states) < 2:
        raise ValueError(f"Expected at least 2 states, got {len(states)}.")
    s = states.detach().cpu().to(torch.int64).numpy()
    if s.min() < 0 or s.max() >= size:
        raise ValueError(f"Expected states in 0..{size - 1}, got {s.min()}..{s.max()}.")
    return np.bincount(s, minlength=size)


def _empirical(states: Tensor, target: Tensor, factor: float) -> Estimate:
    p = _law("target", target)
    counts = _counts(states, len(p))
    n = int(counts.sum())
    value = float(np.abs(counts / n - p).sum())
    floor = factor * _floor(p, n)
    stderr = math.sqrt(_variance(_smoothed(counts, n * p), n * p)) / n
    note = f"a perfect sampler scores {floor:.4g} at this n"
    return Estimate(value, stderr, n, note, shared=0.0).times(factor)


def _floor(p: NDArray[np.float64], n: int) -> float:
    v = np.floor(n * p) + 1
    return float((2 * v / n * (1 - p) * stats.binom.pmf(v, n, p)).sum())


def _smoothed(counts: NDArray[np.int64], expected: NDArray[np.float64]) -> NDArray[np.float64]:
    """Posterior means for a Gamma(a, a / expected) prior, a from the counts' moments."""
    excess = float(((counts - expected) ** 2 - counts).sum())
    a = float((expected**2).sum()) / max(excess, 1e-6 * counts.sum())
    return np.where(expected > 0, (a + counts) / (a + expected) * expected, counts)


def _variance(rate: NDArray[np.float64], center: NDArray[np.float64]) -> float:
    """Variance of sum_s |n_s - c_s| at a fixed total, of Poisson n_s with means `rate`."""
    mean = _poisson_gap(rate, center)
    poisson = rate + (rate - center) ** 2 - mean**2
    # E[N f(N)] = lambda E[f(N + 1)] for a Poisson N.
    with_total = rate * (_poisson_gap(rate, center - 1) - mean)
    variance = float(poisson.sum() - with_total.sum() ** 2 / rate.sum())
    # Efron & Stein's bound: a fresh draw moves the sum by 2 at most, if the state changes.
    bound = 2 * rate.sum() * (1 - float(((rate / rate.sum()) ** 2).sum()))
    return min(max(variance, 0.0), max(bound, 0.0))


def _poisson_gap(mean: NDArray[np.float64], center: NDArray[np.float64]) -> NDArray[np.float64]:
    """E |N - c| of a Poisson N."""
    top = np.floor(center)
    below = np.where(top >= 0, special.pdtr(np.maximum(top, 0), mean), 0.0)
    below_one_less = np.where(top >= 1, special.pdtr(np.maximum(top - 1, 0), mean), 0.0)
    return mean - center + 2 * (center * below - mean * below_one_less)


class _Constants(EstimatedMetric):
    """A metric of things that exist once, the same on all processes; an update replaces them."""

    higher_is_better = False
    shares = "none"

    def add_constants(self, *names: str) -> None:
        """Adds states that hold one tensor each."""
        for name in names:
            self.add_state(name, default=[], dist_reduce_fx=None)

    def constant(self, name: str) -> Tensor:
        """Returns the tensor last given.

        Raises:
            ValueError: `update` has not been called yet.
        """
        seen = getattr(self, name)
        if not len(seen):
            raise ValueError(f"Expected at least one update with {name}, got none.")
        return seen[0]


class TotalVariation(_Constants):
    """`total_variation` of the laws last given."""

    law: list[Tensor]
    target: list[Tensor]

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.add_constants("law", "target")

    def update(self, law: Tensor, target: Tensor) -> None:
        """Takes the model's and the true probabilities, both of shape `(S,)`."""
        self.law, self.target = [law.detach().clone()], [target.detach().clone()]

    def _estimate(self) -> Estimate:
        return total_variation(self.constant("law"), self.constant("target"))


class L1Distance(TotalVariation):
    """`l1_distance` of the laws last given."""

    def _estimate(self) -> Estimate:
        return l1_distance(self.constant("law"), self.constant("target"))


class JensenShannonDivergence(TotalVariation):
    """`jensen_shannon_divergence` of the laws last given."""

    unit = "nats"

    def _estimate(self) -> Estimate:
        return jensen_shannon_divergence(self.constant("law"), self.constant("target"))


class EmpiricalTotalVariation(_Constants):
    """`empirical_total_variation` over all the batches seen, to one target."""

    states: list[Tensor]
    target: list[Tensor]

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.add_rows("states")
        self.add_constants("target")

    def update(self, states: Tensor, target: Tensor) -> None:
        """Adds state indices, shape `(N,)`; takes the true probabilities, shape `(S,)`."""
        self.append_rows(states=states)
        self.target = [target.detach().clone()]

    def _estimate(self) -> Estimate:
        return empirical_total_variation(self.rows("states"), self.constant("target"))


class EmpiricalL1Distance(EmpiricalTotalVariation):
    """`empirical_l1_distance` over all the batches seen, to one target."""

    def _estimate(self) -> Estimate:
        return empirical_l1_distance(self.rows("states"), self.constant("target"))


class LogZError(_Constants):
    """`log_z_error` of the numbers last given."""

    unit = "nats"

    log_z_estimate: list[Tensor]
    log_z: list[Tensor]
    log_z_stderr: list[Tensor]

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.add_constants("log_z_estimate", "log_z", "log_z_stderr")

    def update(
        self,
        log_z_estimate: Tensor | float,
        log_z: Tensor | float,
        log_z_stderr: Tensor | float | None = None,
    ) -> None:
        """Takes the estimated and the exact log normaliser, and the estimate's error, in nats."""
        self.log_z_estimate = [self._number(log_z_estimate)]
        self.log_z = [self._number(log_z)]
        # A state is a tensor on every process: NaN stands for None.
        self.log_z_stderr = [self._number(math.nan if log_z_stderr is None else log_z_stderr)]

    def _number(self, x: Tensor | float) -> Tensor:
        dtype = torch.float32 if self.device.type == "mps" else torch.float64
        return torch.as_tensor(x, dtype=dtype, device=self.device)

    def _estimate(self) -> Estimate:
        stderr = float(self.constant("log_z_stderr"))
        return log_z_error(
            self.constant("log_z_estimate"),
            self.constant("log_z"),
            None if math.isnan(stderr) else stderr,
        )
