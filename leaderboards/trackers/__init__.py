"""Curves and scores of finished cells for experiment trackers: one callback, three services."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Protocol

from ...benchmark.contract.record import Record

# The package that each needs (the extra `track` installs all), and its class in `to_<name>.py`.
_KNOWN = {
    "tensorboard": ("tensorboard", "ToTensorBoard"),
    "mlflow": ("mlflow", "ToMLflow"),
    "wandb": ("wandb", "ToWandb"),
}
TRACKERS = tuple(_KNOWN)


class Tracker(Protocol):
    """Takes a cell when it has ended."""

    def __call__(self, record: Record) -> None:
        """Sends a record's arguments, curve and scores."""


def tracker(name: str, root: Path) -> Tracker:
    """Returns the callback of a tracker.

    Args:
        name: One of `TRACKERS`.
        root: Results folder: records' files lie in it, and so does what the tracker writes unless
            its own settings say otherwise.

    Raises:
        ValueError: There is no such tracker, or its package is not installed.
    """
    if name not in _KNOWN:
        raise ValueError(f"Expected a tracker among {', '.join(TRACKERS)}, got {name!r}.")
    package, kind = _KNOWN[name]
    try:
        import_module(package)
    except ImportError:
        raise ValueError(
            f"Expected the package {package} for --track {name}, got none; "
            "pip install 'dgmbench[track]'."
        ) from None
    found: Tracker = getattr(import_module(f".to_{name}", __name__), kind)(root)
    return found
