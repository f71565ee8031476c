"""What there is: tasks, models, metrics, suites, as lists of plain objects."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from .. import metrics
from ..baselines import MODELS
from .foreign import build
from .names import known
from .suites import SUITES
from .task import Domain
from .tasks import TASKS, load_task

# One domain of each sort, to show how the likelihood claim depends on it.
DOMAINS = {
    "real": Domain((2,)),
    "image": Domain((1, 8, 8), levels=17),
    "binary": Domain((4,), levels=2),
    "grid": Domain((2,), levels=8),
}


def listing(what: str) -> list[dict[str, Any]]:
    """Returns one object for each thing.

    Args:
        what: "tasks", "models", "metrics" or "suites".

    Raises:
        ValueError: Another word.
    """
    kinds: dict[str, Callable[[], list[dict[str, Any]]]] = {
        "tasks": _tasks,
        "models": _models,
        "metrics": _metrics,
        "suites": _suites,
    }
    return kinds[known("list", [what], kinds)[0]]()


def first_sentence(thing: Any) -> str:
    """Returns the first line of a docstring."""
    return (inspect.getdoc(thing) or "").split("\n")[0]


def _models() -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "family": cls.family,
            "likelihood": {word: _claim(cls, domain) for word, domain in DOMAINS.items()},
            "learns_from": cls.learns_from,
            "paper": cls.paper,
            "summary": first_sentence(cls),
        }
        for name, cls in MODELS.items()
    ]


def _claim(cls: type[Any], domain: Domain) -> str:
    if cls.supports(domain):
        return "not supported"
    return build(cls, domain, {}).likelihood.value


def _tasks() -> list[dict[str, Any]]:
    rows = []
    for name in TASKS:
        try:
            rows.append(_task(name))
        except ValueError as error:
            rows.append({"name": name, "available": False, "summary": str(error)})
    columns = dict.fromkeys(column for row in rows for column in row)
    return [{column: row.get(column, "") for column in columns} for row in rows]


def _task(name: str) -> dict[str, Any]:
    task = load_task(name)
    return {
        "name": name,
        "available": True,
        "kind": task.kind,
        "version": task.version,
        "shape": list(task.domain.shape),
        "levels": task.domain.levels,
        "train": 0 if task.train is None else len(task.train),
        "entropy": task.entropy,
        "primary": task.primary,
        "licence": task.card.licence,
        "summary": task.card.summary,
    }


def _metrics() -> list[dict[str, Any]]:
    return [
        {
            "name": function.__name__,
            "class": cls.__name__,
            "unit": cls.unit,
            "higher_is_better": cls.higher_is_better,
            "needs": list(inspect.signature(cls.update).parameters)[1:],
            "summary": first_sentence(function),
        }
        for cls, function in metrics.FUNCTIONS.items()
    ]


def _suites() -> list[dict[str, Any]]:
    return [
        {
            "name": suite.name,
            "tasks": list(suite.tasks),
            "models": list(suite.models),
            "metrics": list(suite.metrics),
            "steps": suite.budget.steps,
            "batch_size": suite.budget.batch_size,
            "samples": suite.samples,
            "seeds": list(suite.seeds),
            "summary": suite.summary,
        }
        for suite in SUITES.values()
    ]
