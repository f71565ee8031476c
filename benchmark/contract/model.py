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

    `fit` runs with gradients, `sample` and `log_prob` without. Rows that a model is handed are on
    the CPU in `fit`, and on the model's `device` in `log_prob`.

    Attributes:
        family: "latent", "adversarial", "flow", "autoregressive", "diffusion", "transport",
            "energy", "moment", "gflownet", "sampler", "classical", "control", or "user".
        paper: arXiv id or citation.
        learns_from: What `fit` needs of the task: "samples" or "reward"; the controls of this
            package learn from the whole "task".
        likelihood: The claim of `log_prob`; an instance may set its own, by its domain.
        conditional: Whether it takes a context; else conditional tasks do not admit it.
        samplers: Names that `sample` takes as `sampler`; a model with steps names one at least.
        probe_arguments: Arguments of the constructor that only `sample` and `log_prob` read: to
            change them needs no new training.
        is_floor: Whether it is so simple that a model behind it has learnt nothing: tables say so.
        network: Name of the attribute whose evaluations are counted per sample; "" for none.
    """

    family: ClassVar[str] = "user"
    paper: ClassVar[str] = ""
    learns_from: ClassVar[str] = "samples"
    likelihood: Likelihood = Likelihood.NONE
    conditional: ClassVar[bool] = False
    samplers: ClassVar[tuple[str, ...]] = ()
    probe_arguments: ClassVar[frozenset[str]] = frozenset()
    is_floor: ClassVar[bool] = False
    network: ClassVar[str] = ""
    domain: Domain

    @classmethod
    def supports(cls, domain: Domain) -> str | None:
        """Returns None, or the reason why the model cannot be built for `domain`."""
        return None

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return torch.device("cpu")

    @abstractmethod
    def fit(self, task: TrainingTask, budget: Budget) -> None:
        """Trains on what the task shows.

        Raises:
            Diverged: The loss became NaN or infinite.
        """

    @abstractmethod
    def sample(
        self,
        n: int,
        *,
        context: Tensor | None = None,
        sampler: str | None = None,
        steps: int | None = None,
    ) -> Tensor:
        """Draws n points of the domain.

        Args:
            n: Number of points.
            context: What each is conditioned on, shape `(n, *context)`, on conditional tasks.
            sampler: Name of the sampler where the model has several; None is its own default.
            steps: Steps of an iterative sampler; None is its own default.

        Returns:
            Shape `(n, *shape)`; float32 on real-valued domains, integers on discrete ones.
        """

    def log_prob(
        self, x: Tensor, context: Tensor | None = None, *, draws: int | None = None
    ) -> Tensor:
        """Returns log p(x), or what `likelihood` says of it.

        Args:
            x: Points of the domain, shape `(B, *shape)`.
            context: What each is conditioned on, shape `(B, *context)`, on conditional tasks.
            draws: Draws K of a bound or an estimate; None is the model's own default.

        Returns:
            In nats, shape `(B,)`.

        Raises:
            NotImplementedError: The model claims no likelihood.
        """
        raise NotImplementedError(f"{type(self).__name__} has no likelihood.")

    def estimator(self, draws: int | None = None) -> str:
        """Says how `log_prob` is computed ("exact", "IWAE-64"): a part of its number's protocol.

        Args:
            draws: As in `log_prob`.
        """
        return "exact" if self.likelihood is Likelihood.EXACT else ""

    def proposals(self, n: int) -> tuple[Tensor, Tensor]:
        """Draws n points with what importance weights against a reward need.

        log R(x) - log q is an importance weight: R(x) / q has the mean Z. Models of an EXACT
        likelihood need not write it, nor `log_proposal`: their q is p(x).

        Args:
            n: Number of points.

        Returns:
            Points of the domain, shape `(n, *shape)`, and log q in nats, shape `(n,)`: of a
            sampler that goes through other variables, log of its density over all of them less
            that of a law of the others given x.

        Raises:
            NotImplementedError: The model has no weights.
        """
        raise NotImplementedError

    def log_proposal(self, x: Tensor) -> Tensor:
        """Returns log q of given points, the other variables drawn by their law given x.

        Over points drawn from R / Z, the mean of log R(x) - log q is at least log Z.

        Args:
            x: Points of the domain, shape `(B, *shape)`.

        Returns:
            In nats, shape `(B,)`.

        Raises:
            NotImplementedError: The model has no such law.
        """
        raise NotImplementedError

    def log_z(self) -> float | None:
        """Returns the model's estimate of the reward's log normaliser in nats, if it has one."""
        return None


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Runs a block from a fixed random state and gives the caller's state back.

    Args:
        seed: Seed of torch's generators: on the CPU, and on the current CUDA device where CUDA is
            in use.
    """
    used = torch.cuda.is_available() and torch.cuda.is_initialized()
    with torch.random.fork_rng(devices=[torch.cuda.current_device()] if used else []):
        torch.manual_seed(seed)
        yield
