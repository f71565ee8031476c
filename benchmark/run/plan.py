"""Plans a suite and runs what is not done."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import torch

from ..contract.record import Record, read_records, write_task
from ..names import known
from ..suites import load_suite
from ..suites.suite import Cell, ModelSpec, Suite
from ..tasks import load_task
from .cell import all_keys, finish, forget_phase, run_cell
from .store import Store
from .task_files import describe_task
from .workers import Lost, keep_freed_memory, run_local

# Cells with these records need not be run again.
SETTLED = {"ok", "not admitted"}


@dataclass(frozen=True)
class Plan:
    """What a run will do.

    Attributes:
        suite: The suite.
        root: The results folder.
        cells: Every cell that was asked for.
        todo: Those that are not done, the longest first.
        device: "cpu" or "cuda".
        workers: Number of worker processes.
        timeout: Seconds after which a cell is stopped.
        seconds: Estimated wall-clock seconds of `todo`.
    """

    suite: Suite
    root: Path
    cells: list[Cell]
    todo: list[Cell]
    device: str
    workers: int
    timeout: float
    seconds: float


@dataclass(frozen=True)
class Outcome:
    """What a run did.

    Attributes:
        counts: Number of cells by status.
    """

    counts: dict[str, int]

    @property
    def failures(self) -> int:
        """Cells that ended neither well nor as not admitted."""
        return sum(count for status, count in self.counts.items() if status not in SETTLED)


def make_plan(
    suite_name: str,
    *,
    out: Path,
    tasks: list[str] | None = None,
    models: list[str] | None = None,
    user_models: list[str] | None = None,
    seeds: int | None = None,
    device: str = "auto",
    workers: int | None = None,
    timeout: float | None = None,
) -> Plan:
    """Returns the cells of a suite and which of them are left to do.

    Args:
        suite_name: Name of the suite.
        out: Folder above the suite's own.
        tasks: Names; all by default.
        models: Names; all by default.
        user_models: "file.py:Class" of models to put beside the baselines.
        seeds: How many seeds, from 0; the suite's own by default.
        device: "auto", "cpu" or "cuda".
        workers: Worker processes; by default one a core on the CPU.
        timeout: Seconds after which a cell is stopped; the suite's own by default.

    Raises:
        ValueError: An unknown name, a model file that is not right, no such device, an unwritable
            folder.
    """
    suite = load_suite(suite_name)
    device = choose_device(device)
    if seeds is not None and seeds < 1:
        raise ValueError(f"Expected at least one seed, got {seeds}.")
    if workers is not None and workers < 1:
        raise ValueError(f"Expected at least one worker, got {workers}.")
    root = out / suite.name
    users = [user_spec(path) for path in user_models or []]
    names = known("model", models, suite.models) if models else list(suite.models)
    chosen_seeds = suite.seeds if seeds is None else tuple(range(seeds))
    cells = []
    for task in known("task", tasks, suite.tasks) if tasks else suite.tasks:
        kind = load_task(task).kind
        specs = [*(suite.spec(name, kind) for name in names), *users]
        cells += [
            Cell(suite.name, task, spec, seed, device, root)
            for spec in specs
            for seed in chosen_seeds
        ]
    for user in users:
        user.load()
    Store(root)
    todo = sorted(_undone(cells, suite, root), key=lambda c: -_seconds(suite, c))
    count = workers or default_workers(device)
    seconds = sum(_seconds(suite, c) for c in todo) / max(1, min(count, len(todo) or 1))
    limit = timeout or suite.budget.timeout
    return Plan(suite, root, cells, todo, device, count, limit, seconds)


def user_spec(path: str) -> ModelSpec:
    """Returns the spec of "file.py:Class"; its name in tables is the class's.

    Raises:
        ValueError: Not of that form.
    """
    file, _, name = path.rpartition(":")
    if not file.endswith(".py") or not name:
        raise ValueError(f"Expected a model as file.py:Class, got {path}.")
    return ModelSpec(name, f"{Path(file).resolve()}:{name}")


def choose_device(device: str) -> str:
    """Returns "cpu" or "cuda".

    Raises:
        ValueError: Another word, or CUDA where there is none.
    """
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device not in ("cpu", "cuda"):
        raise ValueError(f"Expected device auto, cpu or cuda, got {device}.")
    if device == "cuda" and not torch.cuda.is_available():
        raise ValueError("Expected a CUDA device, got none; run with --device cpu.")
    return device


def cores() -> int:
    """Number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def default_workers(device: str) -> int:
    """One worker a core on the CPU; at most four share a GPU."""
    return min(4, cores()) if device == "cuda" else cores()


def _undone(cells: list[Cell], suite: Suite, root: Path) -> list[Cell]:
    settled = {(r.cell, r.keys.get("score")) for r in read_records(root) if r.status in SETTLED}
    return [
        cell
        for cell in cells
        if (
            (cell.task, cell.model.name, cell.seed),
            all_keys(cell, suite, load_task(cell.task))["score"],
        )
        not in settled
    ]


def _seconds(suite: Suite, cell: Cell) -> float:
    """Estimated seconds of a cell: the suite's own table, else the median of its task."""
    table = suite.seconds.get(cell.task, {})
    return table.get(cell.model.name, median(table.values()) if table else 10.0)


def prepare_worker(threads: int) -> None:
    """Sets up a worker."""
    torch.set_num_threads(threads)
    keep_freed_memory()


def execute(plan: Plan, watch: Callable[[Cell, Record], None]) -> Outcome:
    """Runs what is left to do.

    Args:
        plan: What to do.
        watch: Called with each cell as it ends.

    Raises:
        KeyboardInterrupt: The user stopped it; what had ended is on disk.
    """
    for name in dict.fromkeys(cell.task for cell in plan.cells):
        write_task(describe_task(load_task(name), plan.root), plan.root)
    if plan.todo:
        results = run_local(
            run_cell,
            plan.todo,
            workers=min(plan.workers, len(plan.todo)),
            timeout=plan.timeout,
            initializer=prepare_worker,
            arguments=(max(1, cores() // plan.workers),),
        )
        for cell, result in results:
            watch(cell, _buried(cell, result) if isinstance(result, Lost) else result)
    asked = {(cell.task, cell.model.name, cell.seed) for cell in plan.cells}
    counts: dict[str, int] = {}
    for record in read_records(plan.root):
        if record.cell in asked:
            counts[record.status] = counts.get(record.status, 0) + 1
    return Outcome(counts)


def _buried(cell: Cell, lost: Lost[Cell]) -> Record:
    """Writes the record of a cell whose worker did not come back."""
    return finish(cell, lost.status, forget_phase(cell), lost.reason)  # type: ignore[arg-type]
