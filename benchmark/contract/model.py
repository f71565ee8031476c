"""The contract of a generative model: `fit`, `sample`, `log_prob`, and the likelihood claim."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar

import torch
from torch import Tensor

from .task import Domain, TrainingTask


class Likelihood(Enum):
    """What `log_prob` says of log p(x). The value is the word; `mark` stands before the NLL."""

    EXACT = "exact"
    LOWER_BOUND = "lower bound"
    ESTIMATE = "estimate"
    UNNORMALIZED = "unnormalized"
    NONE = "none"

    @property
    def mark(self) -> str:
        """The sign before the NLL: "=" exact, "<=" at most what is printed, "~" an estimate."""
        return {"exact": "=", "lower bound": "<=", "estimate": "~"}.get(self.value, "")


@dataclass(frozen=True)
class Budget:
    """What every model of a suite may spend on training.

    Attributes:
        steps: Optimiser steps of each player.
        batch_size: Rows (or rollouts) a step.
        timeout: Seconds after which a cell is stopped; a safety net, never a budget.
    """

    steps: int
    batch_size: int = 128
    timeout: float = 600.0


class Diverged(RuntimeError):
    """A loss or a sample became NaN or infinite."""


class GenerativeModel(ABC):
    """A model built from the domain alone.

    Attributes:
        family: "latent", "adversarial", "flow", "autoregressive", "diffusion", "transport",
            "energy", "moment", "gflownet", "classical", "control", or "user".
        paper: arXiv id or citation.
        learns_from: "samples" or "reward": what `fit` needs of the task.
        likelihood: The claim of `log_prob`; an instance may set its own, by its domain.
    """

    family: ClassVar[str] = "user"
    paper: ClassVar[str] = ""
    learns_from: ClassVar[str] = "samples"
    likelihood: Likelihood = Likelihood.NONE
    domain: Domain

    @classmethod
    def supports(cls, domain: Domain) -> str | None:
        """Returns None, or the reason why the model cannot be built for `domain`."""
        return None

    @abstractmethod
    def fit(self, task: TrainingTask, budget: Budget) -> None:
        """Trains on what the task shows.

        Raises:
            Diverged: The loss became NaN or infinite.
        """

    @abstractmethod
    def sample(self, n: int, *, sampler: str | None = None, steps: int | None = None) -> Tensor:
        """Draws n points of the domain.

        Args:
            n: Number of points.
            sampler: Name of the sampler where the model has several; None is its own default.
            steps: Steps of an iterative sampler; None is its own default.

        Returns:
            Shape `(n, *shape)`; float32 on real-valued domains, int64 on discrete ones.
        """

    def log_prob(self, x: Tensor) -> Tensor:
        """Returns log p(x), or what `likelihood` says of it.

        Args:
            x: Points of the domain, shape `(B, *shape)`.

        Returns:
            In nats, shape `(B,)`.

        Raises:
            NotImplementedError: The model claims no likelihood.
        """
        raise NotImplementedError(f"{type(self).__name__} has no likelihood.")

    def log_z(self) -> float | None:
        """Returns the model's estimate of the reward's log normaliser in nats, if it has one."""
        return None


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Runs a block from a fixed random state and gives the caller's state back.

    Args:
        seed: Seed of torch's generators, on the CPU and on every CUDA device.
    """
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_available() else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield
