"""Which plugins are loaded, and what they brought. Nothing here imports torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Plugin:
    """What a plugin brings.

    Attributes:
        origin: The file's or module's name, for lists.
        module: The name under which it was imported.
        tasks: Names of its tasks.
        metrics: Name to class of its metrics.
        suites: Names of its suites.
        maps: Names of its feature maps.
    """

    origin: str
    module: str
    tasks: tuple[str, ...]
    metrics: dict[str, Any]
    suites: tuple[str, ...]
    maps: tuple[str, ...]


LOADED: dict[str, Plugin] = {}  # by the file's path or the module's name


def origin(what: str, name: str) -> str:
    """Returns where a thing is from; empty where it is the package's own.

    Args:
        what: "tasks", "metrics", "suites" or "maps".
        name: Its name.
    """
    return next((p.origin for p in LOADED.values() if name in getattr(p, what)), "")
