"""A user's model, which needs only `fit`, `sample` and, if it has one, `log_prob`."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..contract.model import Budget, GenerativeModel, Likelihood
from ..contract.task import Domain, TrainingTask


def build(cls: type[Any], domain: Domain, arguments: dict[str, Any]) -> GenerativeModel:
    """Returns an instance of `cls` that keeps the contract of `GenerativeModel`.

    Args:
        cls: A `GenerativeModel`, or any class with `fit(task, budget)` and `sample(n)`.
        domain: Given to the constructor if it takes a positional argument.
        arguments: Keyword arguments of the constructor.

    Raises:
        ValueError: The class lacks `fit` or `sample`.
    """
    if issubclass(cls, GenerativeModel):
        return cls(domain, **arguments)  # type: ignore[call-arg]
    for method in ("fit", "sample"):
        if not callable(getattr(cls, method, None)):
            raise ValueError(f"Expected {cls.__name__} to have a method {method}, got none.")
    takes = [
        p
        for p in inspect.signature(cls).parameters.values()
        if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD, p.VAR_POSITIONAL)
    ]
    return ForeignModel(cls(domain, **arguments) if takes else cls(**arguments), domain)


class ForeignModel(GenerativeModel):
    """Gives a user's object the contract's types; NumPy arrays become tensors.

    Args:
        inner: The user's object.
        domain: What one point is.
    """

    def __init__(self, inner: Any, domain: Domain) -> None:
        self.inner, self.domain = inner, domain
        claimed = getattr(inner, "likelihood", None)
        # An undeclared likelihood is shown as an estimate: nobody vouches for more.
        default = Likelihood.ESTIMATE if hasattr(inner, "log_prob") else Likelihood.NONE
        self.likelihood = default if claimed is None else Likelihood(claimed)
        self.paper = getattr(inner, "paper", "")  # type: ignore[misc]

    def fit(self, task: TrainingTask, budget: Budget) -> None:
        self.inner.fit(task, budget)

    def sample(self, n: int, *, sampler: str | None = None, steps: int | None = None) -> Tensor:
        given = {"sampler": sampler, "steps": steps}
        x = _tensor(self.inner.sample(n, **{k: v for k, v in given.items() if v is not None}))
        return x.long() if self.domain.levels is not None else x.float()

    def log_prob(self, x: Tensor) -> Tensor:
        return _tensor(self.inner.log_prob(x))

    def state_dict(self) -> dict[str, Tensor] | None:
        """The user's state, or None if the object has none."""
        state = getattr(self.inner, "state_dict", None)
        return state() if callable(state) else None

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Hands the state back to the user's object."""
        self.inner.load_state_dict(state)

    def parameters(self) -> list[Tensor]:
        """The user's parameters, if it has some."""
        parameters = getattr(self.inner, "parameters", None)
        return list(parameters()) if callable(parameters) else []

    @property
    def curve(self) -> list[tuple[int, str, float]]:
        """The user's training curve, if it keeps one."""
        return list(getattr(self.inner, "curve", []))


def _tensor(x: Any) -> Tensor:
    if not isinstance(x, Tensor | np.ndarray):
        raise ValueError(f"Expected a tensor or an array from the model, got {type(x).__name__}.")
    return x.detach() if isinstance(x, Tensor) else torch.from_numpy(np.ascontiguousarray(x))
