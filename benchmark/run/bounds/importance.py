"""The question "draws": the bound of K draws, and how far one draw alone is behind it.

Of latent models the draws are those of the encoder, of models of dequantised integers those of
the noise: the gap is then that of dequantisation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from ....metrics.likelihood.bounds import importance_bounds
from ....metrics.numerics.row_mean import row_mean
from ...contract.model import Likelihood
from ...contract.task import Task
from .question import Bound, Question

NUMBERS = 2**20  # of the draws of points at a time


@dataclass(frozen=True)
class Importance(Question):
    """K weighted draws of each row.

    Attributes:
        draws: Their number K, even.
    """

    needs: ClassVar[str] = "no draws that could be weighted"
    options: ClassVar[frozenset[str]] = frozenset({"draws"})

    draws: int | None = 1000

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.draws is None or self.draws % 2:
            raise ValueError(f"Expected an even number of draws, got {self.draws}.")

    @property
    def least(self) -> dict[str, tuple[int | None, int]]:
        return super().least | {"draws": (self.draws, 2)}

    @property
    def estimator(self) -> str:
        return f"{self.draws:,} weighted draws"

    def bound(self, model: Any, task: Task, rows: Tensor) -> Bound | None:
        """Weighs; see `Question`."""
        weigh: Callable[[Tensor, int], Tensor] | None = getattr(model, "log_weight", None)
        claims = (Likelihood.LOWER_BOUND, Likelihood.EXACT, Likelihood.ESTIMATE)
        if weigh is None or model.likelihood not in claims:
            return None
        K, block = self.draws or 1, max(1, NUMBERS // task.domain.dim)
        found = []
        try:
            with torch.no_grad():
                for part in rows.split(min(len(rows), block)):
                    found.append(importance_bounds(weigh, part, K, max(1, block // len(part))))
        except NotImplementedError:
            return None
        one, half, all_of_them = (torch.cat(sides) for sides in zip(*found, strict=True))
        gap, last = row_mean(all_of_them - one), row_mean(all_of_them - half)
        notes = [
            f"one draw alone gives {gap.value:.3g} ± {gap.stderr:.1g} nats less, half of them "
            f"{last.value:.2g} ± {last.stderr:.1g}"
        ]
        return Bound(all_of_them, model.likelihood, "arXiv:1509.00519", notes)
