r"""Independent marginals: what is known without any dependence between coordinates.

    log p(x) = sum_d log p_d(x_d)

On levels p_d is the frequency in the training rows, with a little of the uniform law mixed in. On
real values it is a histogram whose B bins hold as many rows each: flat between the quantiles of
level 1/B to 1 - 1/B, and beyond them a falling exponential whose mean is that of the rows there; a
value that repeats has a narrow bin of its own. How much is mixed in, or B, is chosen on validation
rows.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ...benchmark.contract.task import Domain
from .counted import Counted, one_hot_counts

PSEUDO_COUNTS = (1e-3, 1e-2, 1e-1, 1.0, 10.0)  # rows of the uniform law
BINS = (2, 4, 8, 16, 32, 64, 128, 256)
# A bin is no narrower than this share of the standard deviation: where values repeat, it has no
# width, and the likelihood no maximum.
NARROWEST = 1e-3


class Histogram(Counted):
    """Independent coordinates, each with the law of its own values: a floor of every table.

    Args:
        domain: What one point is.
    """

    paper = "independent marginals"

    log_table: Tensor
    edges: Tensor
    tails: Tensor

    def __init__(self, domain: Domain) -> None:
        super().__init__(domain)
        D, K = domain.dim, domain.levels or 1
        self.register_buffer("log_table", torch.zeros(D, K, dtype=torch.double))
        self.register_buffer("edges", torch.zeros(D, 1, dtype=torch.double))
        self.register_buffer("tails", torch.ones(D, 2, dtype=torch.double))

    def count(self, train: Tensor, val: Tensor) -> None:
        """Counts levels or finds quantiles, and chooses the smoothing or the bins on val."""
        trials = [
            *(self._levels(train) if self.domain.levels else self._quantiles(train.double()))
        ]
        best = max(trials, key=lambda trial: self._judged(trial, val))
        self._take(best)

    def _judged(self, trial: tuple[Tensor, ...], val: Tensor) -> float:
        self._take(trial)
        return self.judge(val)

    def _take(self, trial: tuple[Tensor, ...]) -> None:
        self.log_table, self.edges, self.tails = trial

    def _levels(self, train: Tensor) -> list[tuple[Tensor, ...]]:
        K = self.domain.levels or 1
        counts = one_hot_counts(train, K)
        tables = [((counts + a / K) / (len(train) + a)).log() for a in PSEUDO_COUNTS]
        return [(table, self.edges, self.tails) for table in tables]

    def _quantiles(self, train: Tensor) -> list[tuple[Tensor, ...]]:
        ordered = train.sort(0).values.T.contiguous()  # (D, N)
        least = NARROWEST * train.std(0, unbiased=False).clamp_min(1e-6)
        return [self._histogram(ordered, least, B) for B in BINS if 2 * B <= len(train)]

    def _histogram(self, ordered: Tensor, least: Tensor, B: int) -> tuple[Tensor, ...]:
        """The inner edges `(D, B - 1)` and the mean excess beyond the outer ones `(D, 2)`."""
        n = ordered.shape[1]
        places = torch.arange(1, B, device=ordered.device) * n // B
        edges = _apart((ordered[:, places - 1] + ordered[:, places]) / 2, least[:, None])
        below = (edges[:, :1] - ordered).clamp_min(0)
        above = (ordered - edges[:, -1:]).clamp_min(0)
        tails = torch.stack([_mean_of_positive(v) for v in (below, above)], 1)
        k = torch.searchsorted(edges, ordered)
        mass = torch.zeros(len(edges), B).to(edges).scatter_add_(1, k, torch.ones_like(ordered))
        mass += 0.5  # a bin that no row of train is in may hold one of test
        mass[:, 1:-1] *= edges.diff(dim=1) > 0
        log_mass = (mass / mass.sum(1, keepdim=True)).log()
        return log_mass, edges, torch.maximum(tails, least[:, None])

    def log_law(self, x: Tensor) -> Tensor:
        if self.domain.levels:
            return self.log_table.gather(1, x.long().mT).sum(0)
        y = x.double().mT.contiguous()  # (D, N)
        k = torch.searchsorted(self.edges, y)
        log_mass = self.log_table.gather(1, k)
        width = self.edges.diff(dim=1)
        if width.shape[1]:
            middle = (k - 1).clamp(0, width.shape[1] - 1)
            flat = -width.gather(1, middle).log()
        else:
            flat = torch.zeros_like(y)
        low, high = self._tail(self.edges[:, :1] - y, 0), self._tail(y - self.edges[:, -1:], 1)
        last = self.edges.shape[1]
        log_density = torch.where(k == 0, low, torch.where(k == last, high, flat))
        return (log_mass + log_density).sum(0)

    def _tail(self, excess: Tensor, side: int) -> Tensor:
        mean = self.tails[:, side : side + 1]
        return -excess / mean - mean.log()

    def draw(self, n: int, sampler: str | None = None, steps: int | None = None) -> Tensor:
        k = self.log_table.exp().multinomial(n, replacement=True)  # (D, n)
        if self.domain.levels:
            return k.T.reshape(n, *self.domain.shape)
        u = torch.rand(k.shape, device=self.device, dtype=torch.double)
        inner = self.edges.shape[1] - 1
        start = self.edges.gather(1, (k - 1).clamp(0, inner))
        end = self.edges.gather(1, k.clamp(0, inner))
        excess = -(-u).log1p() * torch.where(k == 0, -self.tails[:, :1], self.tails[:, 1:])
        outside = (k == 0) | (k > inner)
        y = torch.where(outside, end + excess, start + u * (end - start))
        return y.T.float().reshape(n, *self.domain.shape)


def _apart(edges: Tensor, least: Tensor) -> Tensor:
    """Makes of equal edges, where values repeat, a bin of the least width around them."""
    again = functional.pad(edges[:, 1:] == edges[:, :-1], (1, 1))
    first, later = again[:, 1:] & ~again[:, :-1], again[:, :-1]
    return (edges + least / 2 * (later.double() - first.double())).cummax(1).values


def _mean_of_positive(values: Tensor) -> Tensor:
    """Returns the mean of the positive entries of each row."""
    return values.sum(1) / (values > 0).sum(1).clamp_min(1)
