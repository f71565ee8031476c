"""A known law: exact density, exact sampler, exact entropy; and the task that is made of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping

from torch import Tensor

from ..model import seeded
from ..task import Card, Domain, Modes, Task
from .refusals import KNOWN_LAW
from .split import Rows

# Rows and seed of each split of a task that has a sampler. The seeds are far from those that a
# user would choose, so that no fresh draw repeats them by accident.
TRAIN, VAL, TEST = (10_000, 811_000_001), (2_000, 811_000_002), (4_096, 811_000_003)


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


def split_rows(draw: Callable[[int], Tensor]) -> Rows:
    """Returns train, val and test rows (10,000, 2,000 and 4,096), always the same ones."""

    def fixed(n: int, seed: int) -> Tensor:
        with seeded(seed):
            return draw(n)

    return {"train": fixed(*TRAIN), "val": fixed(*VAL), "test": fixed(*TEST)}


def law_task(
    name: str,
    law: Law,
    card: Card,
    *,
    modes: Modes | None = None,
    refuses: Mapping[str, str] | None = None,
) -> Task:
    """Returns the task of learning a known law from fixed draws of it.

    Args:
        name: Kebab-case name.
        law: What is to be learnt.
        card: Where it comes from.
        modes: The modes, where it has some.
        refuses: Metrics that mean nothing here, beside those that no real-valued task admits.
    """
    return Task(
        name=name,
        version=1,
        domain=Domain((law.dim,)),
        kind="plane" if law.dim == 2 else "vector",
        draw=law.sample,
        log_density=law.log_prob,
        entropy=law.entropy(),
        modes=modes,
        primary="mmd",
        refuses={**KNOWN_LAW, **(refuses or {})},
        card=card,
        **split_rows(law.sample),
    )
