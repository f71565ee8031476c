"""The question "ais": the likelihood by annealed importance sampling, with its certificate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from ...contract.joint import Joint
from ...contract.model import Likelihood
from ...contract.task import Task
from .energy import bracket
from .joint import annealed, joint_of, simulated
from .question import Bound, Question

POINTS = 512  # points times chains of a batch, about
SIMULATED = 16  # points of the model's own on which the gap is measured


@dataclass(frozen=True)
class Annealing(Question):
    """A decoder's latents or an energy's points, annealed.

    Attributes:
        places: Steps of the path; those of a sampler are others.
        chains: Chains of each row that are weighted.
    """

    needs: ClassVar[str] = "neither a decoder, whose latents could be annealed, nor an energy"
    options: ClassVar[frozenset[str]] = frozenset({"steps", "chains"})

    places: int = 1000
    chains: int = 16

    @property
    def least(self) -> dict[str, tuple[int | None, int]]:
        return super().least | {"steps": (self.places, 1), "chains": (self.chains, 1)}

    @property
    def estimator(self) -> str:
        return f"AIS, {self.places:,} steps, {self.chains} chains"

    def bound(self, model: Any, task: Task, rows: Tensor) -> Bound | None:
        """Anneals; see `Question`."""
        if callable(getattr(model, "unnormalised", None)):
            return self._normalised(model, rows)
        joint = joint_of(model, task.val)
        return None if joint is None else self._decoded(joint, rows)

    def _decoded(self, joint: Joint, rows: Tensor) -> Bound:
        """A decoder's likelihood, with the gap of both sides on data of its own."""
        found = [
            annealed(joint, joint.seen(part), self.places, self.chains)
            for part in rows.split(max(1, POINTS // self.chains))
        ]
        gap = simulated(joint, SIMULATED, self.places, self.chains).gap
        notes = [
            joint.words,
            *(one.note for one in found),
            "on data of its own the bounds from both sides are "
            f"{gap.value:.2g} ± {gap.stderr:.1g} nats apart",
        ]
        log_prob = torch.cat([one.value for one in found])
        return Bound(log_prob, Likelihood.LOWER_BOUND, "arXiv:1611.04273", notes)

    def _normalised(self, model: Any, rows: Tensor) -> Bound:
        """An energy model's likelihood by the lower log Z; the bracket tells of the upper one."""
        energy = model.unnormalised()
        with torch.no_grad():
            found = bracket(energy, self.places, self.chains)
            log_f = model.log_prob(rows).double()
            if model.likelihood is Likelihood.EXACT:
                log_f = log_f + float(model.log_normaliser)
        notes = [energy.words, found.note]
        width = found.high - found.low
        return Bound(log_f - found.low, Likelihood.ESTIMATE, "arXiv:1412.8566", notes, width)
