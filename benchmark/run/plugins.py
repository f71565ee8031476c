"""Tasks, metrics, suites and feature maps of the user's, from a file or an installed package.

A plugin is a Python file, or a module that an installed package names under the entry point
`dgmbench.plugins`. What it defines is found by its type: functions without arguments that are
annotated to return an `Outline`, subclasses of `EstimatedMetric` and of `FrozenMap`, and instances
of `Suite`. Its metrics are columns of every suite. A process that runs a cell loads the same
plugins before it reads its work.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

from ...metrics.estimate import EstimatedMetric
from ...metrics.features import FEATURE_MAPS
from ...metrics.features.frozen import FrozenMap
from ..names import snake
from ..plugged import LOADED, Plugin
from ..suites import SUITES, load_suite
from ..suites.model_file import load_module
from ..suites.suite import Suite
from ..tasks import TASKS, Outline

GROUP = "dgmbench.plugins"


def load_plugin(where: str) -> Plugin:
    """Imports a plugin, once, and puts what it brings beside what there is.

    Args:
        where: A Python file, or a module that can be imported.

    Raises:
        ValueError: It does not import, brings nothing, or a name of its is taken.
    """
    place = str(Path(where).resolve()) if where.endswith(".py") else where
    if place in LOADED:
        return LOADED[place]
    module = load_module(place)
    found = _found(module, Path(where).name if where.endswith(".py") else where)
    if not (found.tasks or found.metrics or found.suites or found.maps):
        raise ValueError(
            f"Expected tasks, metrics, suites or feature maps in {where}, got none: functions "
            "that return an Outline, subclasses of EstimatedMetric or FrozenMap, Suite objects."
        )
    LOADED[place] = found
    return found


def load_installed() -> None:
    """Loads the plugins of installed packages.

    Raises:
        ValueError: As `load_plugin`.
    """
    for point in metadata.entry_points(group=GROUP):
        load_plugin(point.value)


def _found(module: ModuleType, shown: str) -> Plugin:
    own = {
        name: value
        for name, value in vars(module).items()
        if getattr(value, "__module__", module.__name__) == module.__name__
    }
    makers = [f for f in own.values() if _makes_an_outline(f)]
    tasks = {maker().task.name: maker for maker in makers}
    metrics = {snake(c.__name__): c for c in own.values() if _is_a(c, EstimatedMetric)}
    maps = {c.name: c for c in own.values() if _is_a(c, FrozenMap)}
    suites = {s.name: s for s in vars(module).values() if isinstance(s, Suite)}
    suites = {name: suite for name, suite in suites.items() if SUITES.get(name) is not suite}
    columns = {name for suite in SUITES.values() for name in suite.metrics}
    for what, names, taken in (
        ("task", tasks, TASKS),
        ("metric", metrics, columns),
        ("feature map", maps, FEATURE_MAPS),
        ("suite", suites, SUITES),
    ):
        for name in names:
            if name in taken:
                raise ValueError(f"Expected a {what} of a new name in {shown}, got {name}.")
    TASKS.update(tasks)
    FEATURE_MAPS.update(maps)
    SUITES.update(suites)
    if metrics:
        for name, suite in SUITES.items():
            SUITES[name] = replace(suite, metrics={**suite.metrics, **metrics})
    load_suite.cache_clear()
    return Plugin(shown, module.__name__, (*tasks,), metrics, (*suites,), (*maps,))


def _makes_an_outline(value: Any) -> bool:
    if not inspect.isfunction(value) or inspect.signature(value).parameters:
        return False
    return value.__annotations__.get("return") in (Outline, "Outline")


def _is_a(value: Any, kind: Callable[..., Any]) -> bool:
    return inspect.isclass(value) and issubclass(value, kind)  # type: ignore[arg-type]
