"""dgmbench: every family of deep generative model, one harness, an error bar on every number.

What a library user needs is here, imported when it is first used:

    load_task      a task with its rows, by name
    load_model     a baseline by name, or a class of one's own, built for a task
    evaluate       a trained model, or samples, in numbers with error bars: a DataFrame
    check_model    whether a model of one's own holds the contract, on tiny data
    run            a suite, from training to records
    read_records   the records of a results folder
    boards         the tables of records, one per task

Metrics are in `dgmbench.metrics`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .benchmark.contract.record import read_records
    from .benchmark.run.evaluate import evaluate
    from .benchmark.run.library import load_model, run
    from .benchmark.run.users.check import check_model
    from .benchmark.tasks import load_task
    from .leaderboards.tables.board import boards

__version__ = "0.1.0"

# Where each name lives; imported when asked for, so that `--help` starts at once.
_HOMES = {
    "evaluate": "benchmark.run.evaluate",
    "check_model": "benchmark.run.users.check",
    "load_task": "benchmark.tasks",
    "load_model": "benchmark.run.library",
    "run": "benchmark.run.library",
    "read_records": "benchmark.contract.record",
    "boards": "leaderboards.tables.board",
}
__all__ = ["boards", "check_model", "evaluate", "load_model", "load_task", "read_records", "run"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
