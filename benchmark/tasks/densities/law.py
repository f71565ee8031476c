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


def drawn(task: Task, draw: Callable[[int], Tensor]) -> Outline:
    """Returns the outline of a task whose rows are draws, always the same ones.

    Args:
        task: The task without rows.
        draw: Exact sampler: n to `(n, *shape)`, from torch's current random state.
    """

    def fixed(split: str) -> Tensor:
        with seeded(SEEDS[split]):
            return draw(SIZES[split])

    def rows() -> Loaded:
        return Loaded({"train": fixed("train"), "val": fixed("val"), "test": fixed("test")})

    return Outline(task, SIZES, rows)


def law_task(
    name: str,
    law: Law,
    card: Card,
    *,
    modes: Modes | None = None,
    refuses: Mapping[str, str] | None = None,
) -> Outline:
    """Returns the task of learning a known law from fixed draws of it.

    Args:
        name: Kebab-case name.
        law: What is to be learnt.
        card: Where it comes from.
        modes: The modes, where it has some.
        refuses: Metrics that mean nothing here, beside those that no real-valued task admits.
    """
    task = Task(
        name=name,
        version=2,  # 1 had 10,000 training rows
        domain=Domain((law.dim,)),
        kind="plane" if law.dim == 2 else "vector",
        draw=law.sample,
        log_density=law.log_prob,
        entropy=law.entropy(),
        modes=modes,
        primary="mmd",
        refuses={**KNOWN_LAW, **(refuses or {})},
        card=card,
    )
    return drawn(task, law.sample)
