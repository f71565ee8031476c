"""Batches of trajectories: of the current policy, and backward from points seen before."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from .trajectories import Trajectories


class Episodes:
    """Batches for ever; a share of each is replayed from the best points so far.

    A replayed trajectory is drawn anew, backward from its point by P_B, as Shen et al. 2023
    (arXiv:2305.07170) do, so the buffer holds points and no trajectories.

    Args:
        play: Plays n episodes of the behaviour policy.
        replay: Draws an episode backward from each state `(N, W)`.
        size: Trajectories of a batch.
        share: Share of them that is replayed.
        capacity: Points that are kept: those of highest reward, each once.
    """

    def __init__(
        self,
        play: Callable[[int], Trajectories],
        replay: Callable[[Tensor], Trajectories],
        size: int,
        share: float,
        capacity: int,
    ) -> None:
        self.play, self.replay = play, replay
        self.replayed = round(size * share) if capacity else 0
        self.size, self.capacity = size, capacity
        self.kept: Tensor | None = None
        self.log_reward = torch.empty(0)

    def __iter__(self) -> Episodes:
        return self

    def __next__(self) -> Trajectories:
        if not self.replayed:
            return self.play(self.size)
        fresh = self.play(self.size if self.kept is None else self.size - self.replayed)
        batch = fresh if self.kept is None else _joined(fresh, self._drawn(self.kept))
        self._keep(fresh)
        return batch

    def _drawn(self, kept: Tensor) -> Trajectories:
        chosen = torch.randint(len(kept), (self.replayed,), device=kept.device)
        return self.replay(kept[chosen])

    def _keep(self, fresh: Trajectories) -> None:
        ends, log_reward = fresh.states[:, -1], fresh.log_reward
        if self.kept is not None:
            ends = torch.cat([self.kept, ends])
            log_reward = torch.cat([self.log_reward, log_reward])
        ends, inverse = ends.unique(dim=0, return_inverse=True)
        worth = log_reward.new_empty(len(ends)).scatter_(0, inverse, log_reward)
        best = worth.argsort(descending=True, stable=True)[: self.capacity]
        self.kept, self.log_reward = ends[best], worth[best]

    def state(self) -> dict[str, Tensor]:
        """Returns the points that are kept."""
        return {} if self.kept is None else {"kept": self.kept, "log_reward": self.log_reward}

    def go_on(self, state: dict[str, Tensor]) -> None:
        """Goes on from there."""
        if state:
            self.kept, self.log_reward = state["kept"], state["log_reward"]


def _joined(a: Trajectories, b: Trajectories) -> Trajectories:
    return Trajectories(*(torch.cat([x, y]) for x, y in zip(_parts(a), _parts(b), strict=True)))


def _parts(t: Trajectories) -> tuple[Tensor, ...]:
    return t.states, t.actions, t.log_reward, t.log_partial
