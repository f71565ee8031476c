"""Tasks x models x metrics x seeds under one budget."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from statistics import median
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
class Recipe:
    """How a model is trained on tasks of a kind: what was chosen on validation data.

    Attributes:
        arguments: Keyword arguments of the model.
        steps: Training steps; None for those of the suite's budget.
        batch_size: Rows of a batch; None for those of the suite's budget.
        converged: Whether its validation loss had stopped to fall at these steps; None where
            nobody looked.
        own: Whether the user asked for this budget, so that it was not chosen for the suite.
        searched: Whether its arguments won a search, and are not the defaults for want of one.
        steps_on: Steps on the tasks, by name, whose steps cost so little that the compute class
            has time for more than half as many again.
    """

    arguments: Mapping[str, Any] = field(default_factory=dict)
    steps: int | None = None
    batch_size: int | None = None
    converged: bool | None = None
    own: bool = False
    searched: bool = False
    steps_on: Mapping[str, int] = field(default_factory=dict)


NO_RECIPE = Recipe()


@dataclass(frozen=True)
class Suite:
    """What is compared, and how.

    Attributes:
        name: Kebab-case name.
        summary: One sentence, with the machine and the time that it is sized for.
        tasks: Names of tasks.
        models: Name in tables to a model class, or a `partial` of one with keywords.
        metrics: Function name of a metric to its class, or a `partial` of it.
        budget: What every model may spend whose recipe does not say otherwise.
        core_minutes: The compute class: minutes of training per cell on one core of the reference
            machine, by which the steps of recipes are set; 0 where all make the same steps.
        samples: Points that every model draws; fewer where test or unseen rows are fewer.
        probes: What every trained model is asked.
        seeds: Seeds of training and sampling.
        spaces: Name of a model to its search space: argument to the values that it may take.
        recipes: Recipes, by kind of task and model.
        chosen_in: The suite whose recipes hold here too; empty: its own.
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
    core_minutes: float = 0.0
    recipes: Mapping[str, Mapping[str, Recipe]] = field(default_factory=dict)
    chosen_in: str = ""
    seconds: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def spec(self, model: str, kind: str) -> ModelSpec:
        """Returns the model with the arguments of its recipe for a kind of task."""
        spec = ModelSpec.of(model, self.models[model])
        arguments = self.recipes.get(kind, {}).get(model, NO_RECIPE).arguments
        return ModelSpec(model, spec.target, {**spec.arguments, **arguments})

    def budget_of(self, model: str, kind: str, task: str = "") -> Budget:
        """Returns what a model may spend on a task of a kind: what its recipe says.

        A model without a recipe may spend the median of those that have one: of their steps, and
        of their batch sizes.
        """
        recipes = self.recipes.get(kind, {})
        chosen = [recipe for recipe in recipes.values() if not recipe.own]
        ours = [recipes[model]] if model in recipes else chosen
        steps = [n for r in ours if (n := r.steps_on.get(task, r.steps))]
        sizes = [r.batch_size for r in ours if r.batch_size]
        return replace(
            self.budget,
            steps=int(median(steps)) if steps else self.budget.steps,
            batch_size=int(median(sizes)) if sizes else self.budget.batch_size,
        )
