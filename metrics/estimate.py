"""What a metric returns, and how its class behaves.

A metric is a pure function of tensors that returns an `Estimate` (or a dict of them), and a
`torchmetrics.Metric` of the same name whose `compute()` is the plain value and whose `estimate()`
is the `Estimate`. The names of the arguments of `update` are the data contract: whoever holds
tensors of those names can compute the metric.

The seeds of one model are measured on the same test rows, against the same reference and train,
each with samples of its own. Of the variance of a number T,

    stderr^2 = own^2 + shared^2,    shared^2 = Var E[T | shared rows],

so that a mean over k seeds has the variance own^2 / k + shared^2, and what training adds to own.
What samples and reference do only together (the cross term of a U-statistic) is drawn anew with
the samples: it is in own. `EstimatedMetric.shares` says what is shared:

    "all"        means over test rows: NLL, bits/dim, KL to truth, Fisher divergence. The draws of
                 a bound cannot be told apart from its rows. And every metric that does not say.
    "none"       numbers of samples alone: reverse KL, inception score, Vendi score, pairwise
                 diversity, modes, empirical total variation and L1; of samples at fixed train:
                 authenticity; of draws of its own: the p-value of MMD, log Z. Exact laws have no
                 error bar.
    "reference"  two samples, each with its part: Frechet, kernel, energy, Wasserstein distances,
                 MMD, Sinkhorn, PRDC, NDB, C_T, FLD, nearest-neighbour ratio (the last three
                 at fixed train). C2ST gives an upper bound on it.
"""

from __future__ import annotations

import functools
import math
from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities.data import dim_zero_cat

# List states that hold points of one domain.
POINTS = {"samples", "reference", "train_rows"}


@dataclass(frozen=True)
class Estimate:
    """A Monte Carlo estimate of one number.

    Attributes:
        value: The estimate, in the metric's unit.
        stderr: Standard deviation of the estimator over fresh samples and fresh reference at this
            n, around its expectation at this n (bias is told in `note`); NaN where none is known.
            A metric that holds something fixed, or whose error is another, says so.
        n: Number of points that the estimate rests on (the samples where there are two sides).
        note: What a reader must know, such as a bias that is not small; empty when there is
            nothing.
        shared: The part of `stderr` that comes from rows that the seeds of a model share (see the
            module), at most `stderr`. Not said, or not a number: all of it.
    """

    value: float
    stderr: float
    n: int
    note: str = ""
    shared: float = math.inf

    def __post_init__(self) -> None:
        if not self.shared <= self.stderr:
            object.__setattr__(self, "shared", self.stderr)

    def __float__(self) -> float:
        return self.value

    def times(self, factor: float) -> Estimate:
        """Returns the estimate in another unit, `factor` > 0 of which make one of this."""
        value, stderr, shared = (factor * x for x in (self.value, self.stderr, self.shared))
        return Estimate(value, stderr, self.n, self.note, shared)


def share_estimate(share: float, variance: float, n: int, shared: float = math.inf) -> Estimate:
    """Returns the estimate of a share of n points; an error bar of 0 gets its reason.

    Args:
        share: Share of the points that something holds for.
        variance: Variance of the share.
        n: Number of points.
        shared: The part of the variance that the seeds of a model share; not said, all of it.
    """
    note = "" if variance > 0 else f"all points alike: an error below 1/{n}, not none"
    return Estimate(share, math.sqrt(variance), n, note, math.sqrt(shared))


class EstimatedMetric(Metric):
    """A metric with an error bar: subclasses write `update` and `_estimate`.

    Attributes:
        unit: Unit of the value ("nats", "bits/dim", "" for a pure number); a dict where `estimate`
            returns one.
        higher_is_better: True, False, or None where neither end is good; a dict likewise.
        shares: What of the error bar the seeds of a model share, "all", "none" or "reference" (see
            the module); a dict likewise.
    """

    full_state_update = False
    is_differentiable = False
    higher_is_better: Any = None
    unit: ClassVar[str | dict[str, str]] = ""
    shares: ClassVar[str | dict[str, str]] = "all"

    def add_rows(self, *names: str) -> None:
        """Adds list states that are concatenated over batches and over processes."""
        for name in names:
            self.add_state(name, default=[], dist_reduce_fx="cat")

    def append_rows(self, **batches: Tensor) -> None:
        """Adds a batch to each of the named list states; an empty one adds nothing.

        What is kept is a copy: the caller may use its buffer again.

        Raises:
            ValueError: A point of the batch has not the shape of those before, or points of two
                sides have not one shape; nothing of the batch is kept.
        """
        filled = {name: batch for name, batch in batches.items() if len(batch)}
        shapes = {name: tuple(batch.shape[1:]) for name, batch in filled.items()}
        for name in self._defaults:
            seen = getattr(self, name)
            if isinstance(seen, list) and seen and (name in filled or name in POINTS):
                before = tuple(seen[0].shape[1:])
                for other, shape in shapes.items():
                    alike = other == name or {other, name} <= POINTS
                    if alike and shape != before:
                        raise ValueError(f"Expected {other} of event shape {before}, got {shape}.")
        points = {name: shape for name, shape in shapes.items() if name in POINTS}
        if len(set(points.values())) > 1:
            told = " and ".join(f"{shape} in {name}" for name, shape in points.items())
            raise ValueError(f"Expected points of one event shape, got {told}.")
        for name, batch in filled.items():
            getattr(self, name).append(batch.detach().clone())

    def rows(self, name: str) -> Tensor:
        """Returns all rows of a list state, shape `(N, ...)`.

        Raises:
            ValueError: `update` has not been called yet.
        """
        seen = getattr(self, name)
        if isinstance(seen, list) and not seen:
            raise ValueError(f"Expected at least one update with {name}, got none.")
        return dim_zero_cat(seen)

    def forward(self, *args: Any, **kwargs: Any) -> Tensor | dict[str, Tensor]:
        """Adds a batch and returns the value of the batch alone; NaN where it has too few rows."""
        self.update(*args, **kwargs)  # what is wrong with the batch is raised here
        kept, count = self._copy_state_dict(), self._update_count
        self.reset()
        self._to_sync = self.dist_sync_on_step
        try:
            self.update(*args, **kwargs)
            return self.compute()
        except ValueError:
            lone = self._scalar(Estimate(math.nan, math.nan, 0))
            return dict.fromkeys(self.unit, lone) if isinstance(self.unit, dict) else lone
        finally:
            for name, state in kept.items():
                setattr(self, name, state)
            self._update_count, self._computed = count, None
            self._to_sync = self.sync_on_compute

    @contextmanager
    def sync_context(
        self, *args: Any, should_unsync: bool = True, **kwargs: Any
    ) -> Iterator[None]:
        """As in torchmetrics, and the state comes back where the block raises, too."""
        self.sync(*args, **kwargs)
        try:
            yield
        finally:
            self.unsync(should_unsync=self._is_synced and should_unsync)

    def _wrap_update(self, update: Callable[..., None]) -> Callable[..., None]:
        wrapped = super()._wrap_update(update)

        @functools.wraps(update)
        def of_tensors(*args: Any, **kwargs: Any) -> None:
            wrapped(*map(self._tensor, args), **{k: self._tensor(v) for k, v in kwargs.items()})

        return of_tensors

    def _tensor(self, value: Any) -> Any:
        """An array as a tensor on the metric's device; everything else as it is."""
        return torch.from_numpy(value).to(self.device) if isinstance(value, np.ndarray) else value

    def _sync_dist(self, *args: Any, **kwargs: Any) -> None:
        # A process that has seen no rows must gather empty ones of the others' shape and type.
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            self._shape_empty_rows()
        super()._sync_dist(*args, **kwargs)

    def _shape_empty_rows(self) -> None:
        seen = {
            name: (state[0].shape[1:], state[0].dtype)
            for name, state in ((name, getattr(self, name)) for name in self._defaults)
            if isinstance(state, list) and state
        }
        everywhere: list[Any] = [None] * torch.distributed.get_world_size(self.process_group)
        torch.distributed.all_gather_object(everywhere, seen, group=self.process_group)
        for name, (shape, dtype) in {k: v for one in everywhere for k, v in one.items()}.items():
            if name not in seen:
                setattr(self, name, [torch.empty(0, *shape, dtype=dtype, device=self.device)])

    @abstractmethod
    def _estimate(self) -> Estimate | dict[str, Estimate]:
        """Returns the estimate from the (synchronised) state."""

    def estimate(self) -> Estimate | dict[str, Estimate]:
        """Returns value, standard error, n and note over all the batches and processes seen."""
        with self.sync_context(dist_sync_fn=self.dist_sync_fn):
            return self._estimate()

    def compute(self) -> Tensor | dict[str, Tensor]:
        """Returns the plain value, a float64 scalar on the metric's device, or a dict of them."""
        result = self._estimate()
        if isinstance(result, dict):
            return {name: self._scalar(estimate) for name, estimate in result.items()}
        return self._scalar(result)

    def _scalar(self, estimate: Estimate) -> Tensor:
        # MPS has no float64.
        dtype = torch.float32 if self.device.type == "mps" else torch.float64
        return torch.tensor(estimate.value, dtype=dtype, device=self.device)


class TwoSampleMetric(EstimatedMetric):
    """A metric of `samples` against `reference` that keeps all rows of both."""

    shares = "reference"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.add_rows("samples", "reference")

    def update(self, samples: Tensor, reference: Tensor) -> None:
        """Adds points of shapes `(B, *shape)` and `(C, *shape)`; one side may be empty."""
        self.append_rows(samples=samples, reference=reference)

    def both(self) -> tuple[Tensor, Tensor]:
        """Returns all samples `(N, *shape)` and all of the reference `(M, *shape)`."""
        return self.rows("samples"), self.rows("reference")
