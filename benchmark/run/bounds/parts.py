"""The question "parts": what a variational bound is the sum of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from ...contract.task import Task
from .question import Bound, Question


@dataclass(frozen=True)
class Parts(Question):
    """Parts by the step of a diffusion, or reconstruction and divergence.

    Attributes:
        parts: Tells its answer from that of the bound alone.
    """

    needs: ClassVar[str] = "no variational bound in parts"
    options: ClassVar[frozenset[str]] = frozenset({"draws"})

    parts: bool = True

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
        told = ", ".join(
            f"{name} {float(part.mean()):.4g} ± {float(part.std()) / len(part) ** 0.5:.1g}"
            for name, part in found.items()
        )
        total = torch.stack(list(found.values())).double().sum(0)
        return Bound(-total, model.likelihood, model.paper, [f"nats by part: {told}"])
