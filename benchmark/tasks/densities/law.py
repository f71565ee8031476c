"""A known law: exact density, exact sampler, exact entropy; and the task that is made of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping

from torch import Tensor

from ...contract.model import seeded
from ...contract.task import Card, Domain, Modes, Task
from ..outline import Loaded, Outline
from ..refusals import KNOWN_LAW

# Of a task that has a sampler. The seeds are far from those that a user would choose, so that no
# fresh draw repeats them by accident.
SIZES = {"train": 50_000, "val": 2_000, "test": 4_096}
SEEDS = {"train": 811_000_001, "val": 811_000_002, "test": 811_000_003}


class Law(ABC):
    """A distribution over real vectors that is known exactly.

    Attributes:
        dim: Number D of coordinates.
    """

    dim: int

    @abstractmethod
    def sample(self, n: int) -> Tensor:
        """Returns n exact draws, float32, shape `(n, D)`, from torch's current random state."""

    @abstractmethod
    def log_prob(self, x: Tensor) -> Tensor:
        """Returns log p(x) in nats: `(B, D)` to `(B,)`, on the device and in the dtype of `x`."""

    @abstractmethod
    def entropy(self) -> float | None:
        """Returns the entropy in nats, right to 1e-4, or None where nobody can say."""


def drawn(task: Task, draw: Callable[[int], Tensor], test: int = SIZES["test"]) -> Outline:
    """Returns the outline of a task whose rows are draws, always the same ones.

    Args:
        task: The task without rows.
        draw: Exact sampler: n to `(n, *shape)`, from torch's current random state.
        test: Number of test rows, and so of samples that a suite may compare with them.
    """
    sizes = {**SIZES, "test": test}

    def fixed(split: str) -> Tensor:
        with seeded(SEEDS[split]):
            return draw(sizes[split])

    def rows() -> Loaded:
        return Loaded({"train": fixed("train"), "val": fixed("val"), "test": fixed("test")})

    return Outline(task, sizes, rows)


def law_task(
    name: str,
    law: Law,
    card: Card,
    *,
    modes: Modes | None = None,
    refuses: Mapping[str, str] | None = None,
    log_reward: Callable[[Tensor], Tensor] | None = None,
    log_z: float | None = None,
    kind: str = "",
) -> Outline:
    """Returns the task of learning a known law from fixed draws of it.

    Args:
        name: Kebab-case name.
        law: What is to be learnt.
        card: Where it comes from.
        modes: The modes, where it has some.
        refuses: Metrics that mean nothing here, beside those that no real-valued task admits.
        log_reward: log R(x) in nats, on tasks that are also learnt from a reward.
        log_z: log of its normaliser.
        kind: The kind by which recipes are chosen; "plane" or "vector" where left out.
    """
    reasons = {**KNOWN_LAW, **(refuses or {})}
    if log_reward is not None:
        del reasons["log_z_error"]
    task = Task(
        name=name,
        version=2,  # 1 had 10,000 training rows
        domain=Domain((law.dim,)),
        kind=kind or ("plane" if law.dim == 2 else "vector"),
        draw=law.sample,
        log_density=law.log_prob,
        log_reward=log_reward,
        log_z=log_z,
        entropy=law.entropy(),
        modes=modes,
        primary="mmd",
        refuses=reasons,
        card=card,
    )
    return drawn(task, law.sample)
