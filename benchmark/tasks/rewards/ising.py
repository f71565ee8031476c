r"""The Ising model on a small square lattice with periodic edges, as a reward.

With spins s_i = 2 x_i - 1,

    log R(x) = J sum_{<i, j>} s_i s_j + h sum_i s_i,

over pairs of neighbours. As in Zhang et al. 2022 (Generative Flow Networks for Discrete
Probabilistic Modeling, arXiv:2202.01361) a state has some spins set and the others open, and a
move sets one. log Z is a sum over all 2^(L^2) states.
"""

from __future__ import annotations

from torch import Tensor

from ...contract.task import Card, Domain
from ..outline import Outline
from .enumerated import enumerated
from .environments import Places


class Ising:
    """The reward of a lattice.

    Args:
        side: Side L >= 3 of the lattice.
        coupling: J, between neighbours.
        field: h, on each spin.
    """

    def __init__(self, side: int, coupling: float, field: float) -> None:
        if side < 3:
            raise ValueError(f"Expected a side of 3 at least, got {side}.")
        self.side, self.coupling, self.field = side, coupling, field

    def _energy(self, spins: Tensor) -> Tensor:
        """Log R of spins -1, 0 (open) or 1, `(B, L * L)` to `(B,)`."""
        lattice = spins.float().unflatten(1, (self.side, self.side))
        bonds = lattice * (lattice.roll(1, 1) + lattice.roll(1, 2))
        return (self.coupling * bonds + self.field * lattice).sum((1, 2))

    def log_reward(self, x: Tensor) -> Tensor:
        """Returns log R(x) in nats: bits `(B, L * L)` to `(B,)`."""
        return self._energy(2 * x.float() - 1)

    def log_partial_reward(self, states: Tensor) -> Tensor:
        """Returns log R of the spins that are set: states `(N, L * L)` to `(N,)`."""
        return self._energy((2 * states - 3).where(states > 0, 0))


def ising(side: int, coupling: float = 0.4, field: float = 0.0) -> Outline:
    """Returns `ising-LxL`.

    Args:
        side: Side L of the lattice, 3 or 4.
        coupling: J; the infinite lattice is critical at 0.4407.
        field: h.
    """
    if side not in (3, 4):
        raise ValueError(f"Expected a side of 3 or 4, whose states can be listed, got {side}.")
    reward = Ising(side, coupling, field)
    domain = Domain((side**2,), levels=2, layout="bits", environment=Places(side**2))
    card = Card(
        summary=f"Spins of a {side} x {side} lattice with periodic edges, coupling {coupling:g}.",
        citation="Zhang et al. 2022, Generative Flow Networks for Discrete Probabilistic "
        "Modeling, arXiv:2202.01361",
        pitfalls="Nearly all spins point one way or the other: a sampler that knows one of the "
        "two ways has half of the mass.",
    )
    return enumerated(
        f"ising-{side}x{side}", domain, reward.log_reward, card, reward.log_partial_reward
    )
