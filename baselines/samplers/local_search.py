"""Points of high reward near those that a sampler found, by Langevin chains.

Sendera, Kim, Mittal & others, Improved Off-policy Training of Diffusion Samplers, NeurIPS 2024,
arXiv:2402.05098, section 4.2: chains of the Metropolis-adjusted Langevin algorithm start from ends
of paths; what they reach after a time of burning in is kept, and paths that end there are drawn
backwards to learn from.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ...metrics.likelihood.transitions import HMC
from .base import LogReward

MOVES, BURN_IN, THIN = 200, 100, 10  # of a search; every tenth state after burning in is kept
EVERY = 100  # batches of the policy between two searches
ACCEPTED = 0.574  # the best acceptance of Langevin moves in many dimensions (Roberts & Rosenthal)


@dataclass
class LocalSearch:
    """Chains that go on from points they are given, and a buffer of what they reached.

    Attributes:
        log_reward: Of points `(N, D)`, in nats.
        step: First step size of a move; it follows the acceptance.
        kept: What was reached, shape `(K, D)`, on the device of the chains; none at first.
        most: Points that are kept, the newest.
    """

    log_reward: LogReward
    step: float | Tensor
    kept: Tensor
    most: int = 16_384

    def look(self, start: Tensor) -> None:
        """Runs chains from points `(N, D)` and keeps what they reach."""
        move = HMC(step=self.step, leapfrog=1, wanted=ACCEPTED)
        z, found = start[:, None], []
        for k in range(MOVES):
            z, _ = move(z, 1.0, self._target)
            if k >= BURN_IN and k % THIN == 0:
                found.append(z[:, 0])
        self.step = move.step
        self.kept = torch.cat([self.kept, *found])[-self.most :]

    def draw(self, n: int) -> Tensor:
        """Returns n of the kept points, drawn at random."""
        return self.kept[torch.randint(len(self.kept), (n,))]

    def _target(self, z: Tensor) -> Tensor:
        return self.log_reward(z.flatten(0, 1)).view(z.shape[:2])


class Alternating:
    """A stream of paths: of the current policy, and in turn backwards from what a search found.

    Args:
        forward: Draws n paths of the policy, shape `(n, T + 1, D)`.
        backward: Draws paths that end in points `(n, D)`.
        finish: Makes a batch of paths.
        search: The search; None for paths of the policy alone.
        size: Paths of a batch.
    """

    def __init__(
        self,
        forward: Callable[[int], Tensor],
        backward: Callable[[Tensor], Tensor],
        finish: Callable[[Tensor], Any],
        search: LocalSearch | None,
        size: int,
    ) -> None:
        self.forward, self.backward, self.finish = forward, backward, finish
        self.search, self.size, self.turn = search, size, 0

    def __iter__(self) -> Alternating:
        return self

    def __next__(self) -> Any:
        turn, search = self.turn, self.search
        self.turn += 1
        if search and turn % 2:
            return self.finish(self.backward(search.draw(self.size)))
        path = self.forward(self.size)
        if search and turn % (2 * EVERY) == 0:
            search.look(path[:, -1])
        return self.finish(path)

    def state(self) -> dict[str, Tensor]:
        """Returns where the stream stands, the points of the search with it."""
        found = {"turn": torch.tensor(self.turn)}
        if self.search:
            found |= {"kept": self.search.kept, "step": torch.as_tensor(self.search.step)}
        return found

    def go_on(self, state: dict[str, Tensor]) -> None:
        """Goes on from there."""
        self.turn = int(state["turn"])
        if self.search:
            self.search.kept = state["kept"].to(self.search.kept)
            self.search.step = state["step"].to(self.search.kept)
