"""The question "ode": a flow's likelihood by an adaptive solver at two tolerances."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from ....metrics.likelihood.ode import LOOSER, Integrated, ode_log_likelihood
from ...contract.flow import ProbabilityFlow
from ...contract.model import Likelihood
from ...contract.task import Task
from .question import Bound, Question

NUMBERS = 2**19  # coordinates of the points that are integrated at once


@dataclass(frozen=True)
class Integration(Question):
    """A flow's integral of the divergence.

    Attributes:
        tolerance: Of the solver, relative and absolute.
    """

    needs: ClassVar[str] = "no flow along an ordinary differential equation"
    options: ClassVar[frozenset[str]] = frozenset({"tolerance"})

    tolerance: float = 1e-5

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1e-7 <= self.tolerance <= 1e-2:
            raise ValueError(
                f"Expected a tolerance between 1e-7 and 0.01, got {self.tolerance:g}."
            )

    @property
    def estimator(self) -> str:
        return f"Dormand-Prince at {self.tolerance:g}"

    def bound(self, model: Any, task: Task, rows: Tensor) -> Bound | None:
        """Integrates; see `Question`."""
        offered = getattr(model, "probability_flow", None)
        flow: ProbabilityFlow | None = offered() if callable(offered) else None
        if flow is None or model.likelihood is Likelihood.NONE:
            return None
        found = []
        with torch.no_grad():
            for part in rows.split(max(1, NUMBERS // task.domain.dim**2)):
                y, owed = flow.seen(part)
                points = y.flatten(1)
                integral = ode_log_likelihood(
                    flow.field(points),
                    points,
                    flow.log_base,
                    start=flow.data,
                    end=flow.noise,
                    tolerance=self.tolerance,
                )
                found.append((integral.value + owed, integral.looser + owed, integral.evaluations))
        value, looser, evaluations = zip(*found, strict=True)
        whole = Integrated(torch.cat(value), torch.cat(looser), max(evaluations))
        apart = whole.discretisation
        trace = "exact" if flow.exact else "Hutchinson's"
        notes = [
            f"at a tolerance {LOOSER:g} times looser it differs by {apart.value:.2g} ± "
            f"{apart.stderr:.1g} nats; {whole.evaluations} evaluations, {trace} trace"
            + (", one draw of dequantisation" if task.domain.levels else "")
        ]
        return Bound(whole.value, Likelihood.ESTIMATE, "arXiv:1806.07366", notes)
