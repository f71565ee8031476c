"""Fixed random subsets of rows: the same for every model, never the first of a file."""

from __future__ import annotations

import torch
from torch import Tensor

from ...contract.probe import Probe


def fixed_subset(total: int, n: int) -> Tensor:
    """Returns min(n, total) of the indices 0..total-1, chosen with a fixed seed, int64.

    Where all are wanted they come in their own order. A file is often sorted by writer, class or
    difficulty, so that its first rows are not like the rest (MNIST's test file is such a one).
    """
    if n >= total:
        return torch.arange(total)
    return torch.randperm(total, generator=torch.Generator().manual_seed(0))[:n]


def judged(rows: Tensor, question: Probe) -> Tensor:
    """Returns the rows whose likelihood a probe asks for: all, or a fixed random subset."""
    return rows if question.n is None else rows[fixed_subset(len(rows), question.n)]
