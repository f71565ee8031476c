"""The exact law of a reward over points that can all be listed."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from ...contract.task import Card, Domain, Task
from ..densities.law import drawn
from ..outline import Outline
from ..refusals import enumerable


class Enumerated:
    """p = R / Z over the points of a domain, by a sum over all of them.

    Args:
        domain: At most 2^16 points.
        log_reward: log R(x) in nats, `(B, *shape)` to `(B,)`.
    """

    def __init__(self, domain: Domain, log_reward: Callable[[Tensor], Tensor]) -> None:
        self.domain, self.log_reward = domain, log_reward

    def _log_rewards(self) -> Tensor:
        return self.log_reward(self.domain.states()).double()

    def moments(self) -> tuple[float, float]:
        """Returns log Z and the entropy, in nats."""
        log_r = self._log_rewards()
        log_z = log_r.logsumexp(0)
        return float(log_z), float(log_z - ((log_r - log_z).exp() * log_r).sum())

    def draw(self, n: int) -> Tensor:
        """Returns n exact draws, int64 `(n, *shape)`, from torch's current random state."""
        below = self._log_rewards().softmax(0).cumsum(0)
        row = torch.searchsorted(below, torch.rand(n, dtype=torch.double) * below[-1])
        return self.domain.states()[row.clamp(max=len(below) - 1)]


class Reward:
    """log R(x); -inf for what cannot be built, whatever a formula says there.

    Args:
        domain: What one point is.
        log_reward: log R(x) in nats of points that can be built.
    """

    def __init__(self, domain: Domain, log_reward: Callable[[Tensor], Tensor]) -> None:
        self.domain, self.log_reward = domain, log_reward

    def __call__(self, x: Tensor) -> Tensor:
        log_r = self.log_reward(x)
        environment = self.domain.environment
        if environment is None or environment.is_full:
            return log_r
        return log_r.where(environment.admits(x.flatten(1)), -math.inf)


class Density:
    """log p(x) = log R(x) - log Z.

    Args:
        log_reward: log R(x) in nats.
        log_z: Its normaliser, in nats.
    """

    def __init__(self, log_reward: Callable[[Tensor], Tensor], log_z: float) -> None:
        self.log_reward, self.log_z = log_reward, log_z

    def __call__(self, x: Tensor) -> Tensor:
        return self.log_reward(x) - self.log_z


def enumerated(
    name: str,
    domain: Domain,
    log_reward: Callable[[Tensor], Tensor],
    card: Card,
    log_partial_reward: Callable[[Tensor], Tensor] | None = None,
    kind: str = "bits",
) -> Outline:
    """Returns the task of a reward over points that can all be listed.

    Args:
        name: Kebab-case name.
        domain: At most 2^16 points, with an environment.
        log_reward: log R(x) in nats of points that can be built.
        card: Where it comes from.
        log_partial_reward: What states on the way are worth; see `Task`.
        kind: The kind by which recipes are chosen.
    """
    law = Enumerated(domain, log_reward)
    log_z, entropy = law.moments()
    reward = Reward(domain, log_reward)
    task = Task(
        name=name,
        version=1,
        domain=domain,
        kind=kind,
        draw=law.draw,
        log_density=Density(reward, log_z),
        log_reward=reward,
        log_partial_reward=log_partial_reward,
        log_z=log_z,
        entropy=entropy,
        primary="empirical_total_variation",
        refuses=enumerable(int(domain.num_states)),
        card=card,
    )
    return drawn(task, law.draw)
