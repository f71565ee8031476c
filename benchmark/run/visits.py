"""Which modes of a task a model comes upon in training, against how many states it asks about."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ..contract.record import MODES
from ..contract.task import Modes, Task, TrainingTask


class Visits:
    """A reward that counts the points it is asked about, and notes when each mode came first.

    Args:
        log_reward: log R(x) in nats, `(B, *shape)` to `(B,)`.
        modes: The task's modes; the model does not see them.
    """

    def __init__(self, log_reward: Callable[[Tensor], Tensor], modes: Modes) -> None:
        self.log_reward, self.modes = log_reward, modes
        self.asked = 0
        self.first: dict[int, int] = {}

    def __call__(self, x: Tensor) -> Tensor:
        """Maps points `(B, *shape)` to log R in nats `(B,)`."""
        self.asked += len(x)
        if len(self.first) < self.modes.count:
            with torch.no_grad():
                for mode in self.modes.assign(x.detach()).unique().tolist():
                    if mode >= 0:
                        self.first.setdefault(int(mode), self.asked)
        return self.log_reward(x)

    def curve(self) -> list[tuple[int, str, float]]:
        """Returns rows (points asked about, "modes found", modes): a step where one is found."""
        times = sorted(self.first.values())
        steps = {at: place + 1 for place, at in enumerate(times)}
        rows = [(0, 0), *steps.items(), (self.asked, len(times))]
        return [(at, MODES, float(found)) for at, found in dict(rows).items()]

    def state(self) -> dict[str, Any]:
        """Returns what was seen, as JSON holds it."""
        return {"asked": self.asked, "first": {str(k): v for k, v in self.first.items()}}

    def go_on(self, state: Mapping[str, Any]) -> None:
        """Goes on from there."""
        self.asked = int(state["asked"])
        self.first = {int(k): int(v) for k, v in state["first"].items()}


def watched(task: Any, outline: Task, learns_from: str) -> tuple[Any, Visits | None]:
    """Returns what a model may see with its reward watched, where the task's modes are known.

    Args:
        task: What the model may see.
        outline: The task, with its modes.
        learns_from: What the model learns from; only "reward" is watched.
    """
    if learns_from != "reward" or outline.modes is None or not isinstance(task, TrainingTask):
        return task, None
    if task.log_reward is None:
        return task, None
    visits = Visits(task.log_reward, outline.modes)
    return replace(task, log_reward=visits), visits
