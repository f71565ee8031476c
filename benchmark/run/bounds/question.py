"""A question to a stored model about its likelihood, and what comes of it."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar

from torch import Tensor

from ...contract.model import Likelihood
from ...contract.probe import Probe
from ...contract.task import Task


@dataclass(frozen=True)
class Bound:
    """What a question says of test rows.

    Attributes:
        log_prob: In nats, shape `(M,)`.
        likelihood: What it claims.
        paper: Whose estimator it is.
        notes: What a reader must know.
        width: How far the other side of the bracket lies, in nats a row; None without one.
    """

    log_prob: Tensor
    likelihood: Likelihood
    paper: str
    notes: list[str] = field(default_factory=list)
    width: float | None = None


@dataclass(frozen=True)
class Question(Probe):
    """One way to tell a likelihood anew.

    Attributes:
        needs: What a model must offer, for the sentence about one that does not.
        options: Options of the command that belong to it.
    """

    needs: ClassVar[str]
    options: ClassVar[frozenset[str]] = frozenset()

    def __post_init__(self) -> None:
        for name, (given, least) in self.least.items():
            if given is not None and given < least:
                raise ValueError(f"Expected {name} of at least {least}, got {given}.")

    @property
    def least(self) -> dict[str, tuple[int | None, int]]:
        """By the name of an option, its number and the least that makes sense."""
        return {"rows": (self.n, 2)}

    @property
    @abstractmethod
    def estimator(self) -> str:
        """The number's protocol."""

    @abstractmethod
    def bound(self, model: Any, task: Task, rows: Tensor) -> Bound | None:
        """Asks a trained model; None where it does not offer what is needed.

        Args:
            model: The model.
            task: Its task.
            rows: Test rows of the domain, on the model's device, shape `(M, *shape)`.

        Raises:
            ValueError: What it offers cannot be used, with the reason.
        """

    @property
    def label(self) -> str:
        """Estimator and rows, in words."""
        return f"{self.estimator}, {self.n:,} rows" if self.n else self.estimator
