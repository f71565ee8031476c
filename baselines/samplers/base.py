"""What samplers of a reward on real vectors share: a Gaussian to start from, and the reward."""

from __future__ import annotations

import math
from collections.abc import Callable

from torch import Tensor

from ...benchmark.contract.task import Domain, TrainingTask

LogReward = Callable[[Tensor], Tensor]


def real_only(domain: Domain) -> str | None:
    """Returns why a sampler that follows gradients cannot be built for a domain, or None."""
    return None if domain.levels is None else "it moves real values along gradients of the reward"


def reward_of(task: TrainingTask) -> LogReward:
    """Returns the log-reward of a task.

    Raises:
        ValueError: It has none.
    """
    if task.log_reward is None:
        raise ValueError("Expected a task with a reward, got none.")
    return task.log_reward


def positive(name: str, value: float) -> float:
    """Returns a number above 0.

    Raises:
        ValueError: It is not.
    """
    if not value > 0:
        raise ValueError(f"Expected {name} > 0, got {value}.")
    return value


def log_normal(x: Tensor, scale: float) -> Tensor:
    """Returns log N(x; 0, scale^2 I) in nats, over the last axis."""
    D = x.shape[-1]
    square = (x / scale).square().sum(-1)
    return -0.5 * square - D * (math.log(scale) + 0.5 * math.log(2 * math.pi))
