"""Plans a suite and runs what is not done."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from ..contract.record import Record, read_records
from ..names import known
from ..suites import SUITES, load_suite
from ..suites.suite import Suite
from ..tasks import outline_of
from .job import Job, make_jobs
from .processes.workers import cores, visible_gpus
from .store import Store
from .users.specs import AS_IT_IS, Variant, with_users

_GUESS = 1e3  # seconds of a job that nobody knows: it starts among the first


@dataclass(frozen=True)
class Plan:
    """What a run will do.

    Attributes:
        suite: The suite.
        root: The results folder, absolute.
        jobs: Every job that was asked for.
        todo: Those that are not done, the longest first.
        records: The newest record of every cell in the folder.
        device: "cpu" or "cuda".
        workers: Number of worker processes.
        timeout: Seconds after which a job is stopped.
        seconds: Estimated wall-clock seconds of what is known of `todo`.
        unknown: Models of `todo` of which nobody knows how long they take.
    """

    suite: Suite
    root: Path
    jobs: list[Job]
    todo: list[Job]
    records: dict[tuple[str, str, int], Record]
    device: str
    workers: int
    timeout: float
    seconds: float
    unknown: tuple[str, ...] = ()


def make_plan(
    suite_name: str | None,
    *,
    out: Path,
    tasks: list[str] | None = None,
    models: list[str] | None = None,
    user_models: list[str] | None = None,
    variant: Variant = AS_IT_IS,
    seeds: int | None = None,
    device: str = "auto",
    workers: int | None = None,
    timeout: float | None = None,
) -> Plan:
    """Returns the jobs of a suite and which of them are left to do.

    Args:
        suite_name: Name of the suite; None is the one that holds the tasks (`suite_of`).
        out: Folder above the suite's own.
        tasks: Names, of the suite or not, and addresses; all of the suite by default.
        models: Names; all by default; ["none"] for the user's alone.
        user_models: "file.py:Class" of models to put beside the baselines, or names of baselines.
        variant: Arguments, name and budget of those.
        seeds: How many seeds, from 0; the suite's own by default.
        device: "auto", "cpu" or "cuda".
        workers: Worker processes; by default one per core on the CPU.
        timeout: Seconds after which a job is stopped; the suite's own by default.

    Raises:
        ValueError: An unknown name, a model file that is not right, no such device, an unwritable
            folder, or a number that makes no sense.
    """
    suite, device = suite_of(tasks or (), suite_name), choose_device(device)
    _check_counts(seeds, workers, timeout)
    store = Store((out / suite.name).absolute())
    chosen = _models(models, suite, bool(user_models))
    suite = replace(suite, tasks=tuple(_tasks(tasks, suite)))
    suite, variants, users = with_users(suite, user_models or [], variant)
    jobs = make_jobs(
        suite,
        [outline_of(name) for name in suite.tasks],
        [*chosen, *variants],
        users,
        suite.seeds if seeds is None else range(seeds),
        device,
        store.root,
    )
    records = {record.cell: record for record in read_records(store.root)}
    todo = sorted(_undone(jobs, records), key=lambda job: -(_seconds(job) or _GUESS))
    unknown = dict.fromkeys(job.model.name for job in todo if _seconds(job) is None)
    count = workers or default_workers(device)
    seconds = sum(_seconds(job) or 0.0 for job in todo) / max(1, min(count, len(todo) or 1))
    limit = suite.budget.timeout if timeout is None else timeout
    return Plan(suite, store.root, jobs, todo, records, device, count, limit, seconds, (*unknown,))


def _check_counts(seeds: int | None, workers: int | None, timeout: float | None) -> None:
    if seeds is not None and seeds < 1:
        raise ValueError(f"Expected at least one seed, got {seeds}.")
    if workers is not None and workers < 1:
        raise ValueError(f"Expected at least one worker, got {workers}.")
    if timeout is not None and not 0 < timeout < 1e9:  # NaN is neither
        raise ValueError(f"Expected a timeout of some seconds, got {timeout:g}.")


def _chosen(what: str, given: list[str] | None, names: Iterable[str]) -> list[str]:
    """Returns the names that the user gave, each once, or all."""
    names = list(names)
    if given is None:
        return names
    if not given:
        raise ValueError(
            f"Expected the name of a {what}, got none; leave the option away for all."
        )
    return list(dict.fromkeys(known(what, given, names)))


def _tasks(given: list[str] | None, suite: Suite) -> list[str]:
    """Returns the tasks that are run: those of the suite, or those that the user gave."""
    if not given:
        return _chosen("task", given, suite.tasks)
    for name in given:
        outline_of(name)
    return list(dict.fromkeys(given))


def _models(given: list[str] | None, suite: Suite, has_users: bool) -> list[str]:
    """Returns the suite's models that take part."""
    if given != ["none"]:
        return _chosen("model", given, suite.models)
    if not has_users:
        raise ValueError("Expected a --model of yours beside --models none, got none.")
    return []


def suite_of(tasks: Iterable[str], given: str | None = None) -> Suite:
    """Returns the suite that the user names, else the first one that holds the tasks.

    Where none does, it is the first one with a task of the same kind as the first task, whose
    metrics mean something there; without tasks it is quick.

    Raises:
        ValueError: There is no suite, or no task, of that name.
    """
    if given is not None:
        return load_suite(given)
    tasks = list(tasks)
    for name, suite in SUITES.items():
        if set(tasks) <= set(suite.tasks):
            return load_suite(name)
    kind = outline_of(tasks[0]).task.kind
    for name, suite in SUITES.items():
        theirs = [outline_of(task).task for task in suite.tasks]
        alike = len({task.domain.layout for task in theirs}) == 1
        if alike and kind in {task.kind for task in theirs}:
            return load_suite(name)
    return load_suite("quick")


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


def default_workers(device: str) -> int:
    """One worker per core; at most four share a GPU."""
    return min(4 * len(visible_gpus()), cores()) if device == "cuda" else cores()


def _undone(jobs: list[Job], records: dict[tuple[str, str, int], Record]) -> list[Job]:
    def done(job: Job) -> bool:
        record = records.get(job.cell)
        if record is None or not record.settled:
            return False
        return record.keys.get("score") == job.keys["score"]

    return [job for job in jobs if not done(job)]


def _seconds(job: Job) -> float | None:
    """Seconds of a job by the suite's own table; None where it does not know the model."""
    known = job.suite.seconds.get(job.task.name, {})
    return 0.0 if job.refusal else known.get(job.model.name)
