r"""The normaliser of an energy model from both sides, by annealed importance sampling.

Salakhutdinov & Murray, On the quantitative analysis of deep belief networks, ICML 2008, for the
forward chains; Burda, Grosse & Salakhutdinov, AISTATS 2015, arXiv:1412.8566, for why one side is
not enough: forward chains underestimate Z in expectation, so a likelihood computed from them is
too good. Reverse chains start at states of the model and overestimate Z. Exact states are not to
be had: the forward chains' ends are drawn anew by their weights and moved on, so the upper end is
a bound only as far as these chains have mixed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ....metrics.likelihood.annealing import Annealed, ais
from ....metrics.likelihood.schedules import sigmoid_schedule
from ...contract.energy import Energy

MIXED = 0.2  # moves of the reverse chains before they are weighted, as a share of the path


@dataclass(frozen=True)
class Bracket:
    """log Z of an energy model in nats, from both sides.

    Attributes:
        lower: Forward chains.
        upper: Reverse chains.
    """

    lower: Annealed
    upper: Annealed

    @property
    def low(self) -> float:
        """Log Z of the forward chains."""
        return float(self.lower.value[0])

    @property
    def high(self) -> float:
        """Log Z of the reverse chains; not below the other, whatever the noise."""
        return max(float(self.upper.value[0]), self.low)

    @property
    def note(self) -> str:
        """Both sides, their standard errors, and what else a reader must know."""
        errors = [float(side.stderr[0]) for side in (self.lower, self.upper)]
        sides = f"log Z between {self.low:.2f} ± {errors[0]:.2f} and {self.high:.2f}"
        told = [f"{sides} ± {errors[1]:.2f} nats", self.lower.note, self.upper.note]
        return "; ".join(dict.fromkeys(filter(None, told)))


def bracket(energy: Energy, steps: int, chains: int) -> Bracket:
    """Returns log Z from both sides.

    Args:
        energy: The model's density without its normaliser.
        steps: Steps T of annealing.
        chains: Chains C of each side that are weighted.

    Raises:
        ValueError: See `metrics.likelihood.annealing.ais`.
    """
    kernel, betas = energy.transition(), sigmoid_schedule(steps)
    start = energy.draw_base(chains + kernel.pilots).unsqueeze(1)
    forward = ais(energy.log_base, energy.log_f, start, betas, kernel)
    if forward.points is None:
        raise ValueError("Expected the chains' states, got none.")
    share = forward.log_weight[:, 0].softmax(0)
    chosen = share.multinomial(chains + kernel.pilots, replacement=True)
    states = forward.points[chosen]
    for _ in range(max(1, math.ceil(MIXED * steps))):
        states = kernel(states, 1.0, energy.log_f)[0]
    reverse = ais(energy.log_base, energy.log_f, states.detach(), betas, kernel, reverse=True)
    return Bracket(forward, reverse)
