"""Tasks x models x metrics x seeds under one budget."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from ...metrics.estimate import EstimatedMetric
from ..contract.model import Budget
from ..contract.probe import DEFAULT_PROBES, Probe
from .model_file import beside, load_model_class

PACKAGE = __name__.split(".")[0]


@dataclass(frozen=True)
class ModelSpec:
    """A model by the path of its class and its arguments, so that it can be sent to a worker.

    Attributes:
        name: Its name in tables.
        target: "package.module:Class", or "file.py:Class" for a model of the user's.
        arguments: Keyword arguments beside the domain.
    """

    name: str
    target: str
    arguments: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, name: str, model: Callable[..., Any]) -> ModelSpec:
        """Describes a class, or a `functools.partial` of one with keywords only."""
        arguments = dict(model.keywords) if isinstance(model, partial) else {}
        target = model.func if isinstance(model, partial) else model
        return cls(name, f"{target.__module__}:{target.__qualname__}", arguments)

    def load(self) -> Any:
        """Imports the class; of a user's model it may be any callable that makes one.

        Raises:
            ValueError: There is none of that name, or its import fails.
        """
        return load_model_class(self.target)

    def around(self) -> AbstractContextManager[None]:
        """The block in which a user's model runs: what it imports late lies beside its file."""
        where = self.target.rpartition(":")[0]
        if not where.endswith(".py"):
            return nullcontext()
        return beside(Path(where).resolve().parent)

    @property
    def is_users(self) -> bool:
        """Whether it is a model of the user's: it gets a process and rows of its own."""
        return not self.target.startswith(f"{PACKAGE}.baselines.")


@dataclass(frozen=True)
class Suite:
    """What is compared, and how.

    Attributes:
        name: Kebab-case name.
        summary: One sentence, with the machine and the time that it is sized for.
        tasks: Names of tasks.
        models: Name in tables to a model class, or a `partial` of one with keywords.
        metrics: Function name of a metric to its class, or a `partial` of it.
        budget: What every model may spend.
        samples: Points that every model draws; fewer where test or unseen rows are fewer.
        probes: What every trained model is asked.
        seeds: Seeds of training and sampling.
        spaces: Name of a model to its search space: argument to the values that it may take.
        chosen: Arguments chosen on val, by kind of task and model.
        chosen_in: The suite whose choices hold here too; empty: its own.
        seconds: Seconds that a cell took on the machine of `summary`, by task and model: for the
            plan and the order of work only.
    """

    name: str
    summary: str
    tasks: tuple[str, ...]
    models: Mapping[str, Callable[..., Any]]
    metrics: Mapping[str, Callable[[], EstimatedMetric]]
    budget: Budget
    samples: int
    probes: tuple[Probe, ...] = DEFAULT_PROBES
    seeds: tuple[int, ...] = (0,)
    spaces: Mapping[str, Mapping[str, tuple[Any, ...]]] = field(default_factory=dict)
    chosen: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)
    chosen_in: str = ""
    seconds: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def spec(self, model: str, kind: str) -> ModelSpec:
        """Returns the model with the arguments chosen for a kind of task."""
        spec = ModelSpec.of(model, self.models[model])
        chosen = self.chosen.get(kind, {}).get(model, {})
        return ModelSpec(model, spec.target, {**spec.arguments, **chosen})
