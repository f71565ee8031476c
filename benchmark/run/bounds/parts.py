"""The question "parts": what a variational bound is the sum of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from ....metrics.numerics.row_mean import row_mean
from ...contract.task import Task
from .question import Bound, Question


@dataclass(frozen=True)
class Parts(Question):
    """Parts by the step of a diffusion, or reconstruction and divergence."""

    needs: ClassVar[str] = "no variational bound in parts"
    options: ClassVar[frozenset[str]] = frozenset({"draws"})

    @property
    def least(self) -> dict[str, tuple[int | None, int]]:
        return super().least | {"draws": (self.draws, 1)}

    @property
    def estimator(self) -> str:
        drawn = f" of {self.draws:,} draws" if self.draws else ""
        return f"parts of its bound{drawn}"

    def bound(self, model: Any, task: Task, rows: Tensor) -> Bound | None:
        """Adds up; see `Question`."""
        offered = getattr(model, "bound_parts", None)
        if not callable(offered):
            return None
        try:
            with torch.no_grad():
                found: dict[str, Tensor] = offered(rows, self.draws)
        except NotImplementedError:
            return None
        means = {name: row_mean(part) for name, part in found.items()}
        told = ", ".join(f"{name} {m.value:.4g} ± {m.stderr:.1g}" for name, m in means.items())
        total = torch.stack(list(found.values())).double().sum(0)
        return Bound(-total, model.likelihood, model.paper, [f"nats by part: {told}"])
