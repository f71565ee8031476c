"""Tasks x models x metrics x seeds under one budget."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any

from ...metrics.estimate import EstimatedMetric
from ..contract.model import Budget
from ..contract.probe import DEFAULT_PROBES, Probe

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

    def load(self) -> type[Any]:
        """Imports the class.

        Raises:
            ValueError: The file is missing, cannot be imported, or has no such class.
        """
        where, _, name = self.target.rpartition(":")
        module = _load_file(where) if where.endswith(".py") else importlib.import_module(where)
        found = getattr(module, name, None)
        if not inspect.isclass(found):
            classes = [n for n, c in vars(module).items() if inspect.isclass(c)]
            raise ValueError(f"Expected a class {name} in {where}, got {', '.join(classes)}.")
        return found

    @property
    def is_users(self) -> bool:
        """Whether it is a model of the user's: it gets a process and rows of its own."""
        return not self.target.startswith(f"{PACKAGE}.baselines.")

    def fingerprint(self) -> dict[str, Any]:
        """What a trained model depends on: class path, its source file's hash, arguments."""
        source = Path(inspect.getfile(self.load()))
        # The same file in another folder is the same model.
        where, _, name = self.target.rpartition(":")
        target = f"{Path(where).name}:{name}" if where.endswith(".py") else self.target
        return {
            "target": target,
            "source": hashlib.sha256(source.read_bytes()).hexdigest(),
            "arguments": dict(self.arguments),
        }


@cache
def _load_file(path: str) -> Any:
    """Imports a Python file by its path."""
    file = Path(path)
    if not file.is_file():
        raise ValueError(f"Expected a Python file with a model, got {path}, which is not there.")
    name = f"user_model_{file.stem}_{hashlib.sha256(str(file.resolve()).encode()).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ValueError(f"Expected a Python file with a model, got {path}.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever a user's file raises is told in one sentence
        raise ValueError(
            f"Expected {path} to import, got {type(error).__name__}: {error}."
        ) from error
    return module


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
