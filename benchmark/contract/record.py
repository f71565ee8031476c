"""What one cell of a comparison leaves on disk: a JSON file that tells where each number is from.

Nothing here imports torch, so that reports render without it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

Status = Literal[
    "ok", "not admitted", "failed", "diverged", "timed out", "out of memory", "killed"
]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")


class File(_Frozen):
    """A small file that a page shows, relative to the results folder, and its SHA-256."""

    path: str
    sha256: str

    @classmethod
    def of(cls, path: Path, root: Path) -> File:
        """Describes `path`, which lies under `root`."""
        return cls(
            path=path.relative_to(root).as_posix(),
            sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        )


class Score(_Frozen):
    """One metric of one cell.

    Attributes:
        metric: The metric's function name.
        value: The number, in `unit`; None where the cell is empty.
        stderr: Its standard error; None where none is known.
        shared: The part of `stderr` that comes from what the seeds of a model share (test rows,
            reference, training rows): it does not average out over seeds. None: all of it may.
        n: Points that it rests on.
        unit: "nats", "bits/dim", "" for a pure number, ...
        direction: "lower" or "higher" is better; "" where neither is.
        mark: "=", "<=" or "~" before a likelihood's number, else "".
        protocol: Everything that must be equal for two numbers to share a column.
        note: What a reader must know of this number.
        reason: Why the cell is empty.
    """

    metric: str
    value: float | None = None
    stderr: float | None = None
    shared: float | None = None
    n: int | None = None
    unit: str = ""
    direction: Literal["lower", "higher", ""] = ""
    mark: str = ""
    protocol: str = ""
    note: str = ""
    reason: str = ""


class Environment(_Frozen):
    """Where and with what a cell ran."""

    commit: str = ""
    dirty: bool = False
    dgmbench: str = ""
    python: str = ""
    torch: str = ""
    platform: str = ""
    hardware: str = ""
    device: str = ""


class Record(_Frozen):
    """One cell: a model on a task with a seed.

    Attributes:
        suite: Name of the suite.
        task: Name of the task.
        task_version: Its version.
        model: Name of the model in tables.
        family: Its family ("latent", ..., "control", "user").
        seed: Seed of training and sampling.
        model_path: Class path of the model.
        arguments: Its arguments.
        paper: arXiv id or citation.
        likelihood: The claim's word ("exact", "lower bound", "estimate", "unnormalized", "none").
        learns_from: "samples" or "reward".
        keys: Content keys of the stages "train", "probe" and "score".
        status: "ok", or what befell the cell.
        phase: The stage in which it befell; empty when ok.
        reason: One sentence; empty when ok.
        scores: Metrics, costs among them.
        files: What a page shows: "curve" (JSON rows [step, player, loss]), "samples" (.npy).
        environment: Where and with what it ran.
        created: When the record was written, UTC.
    """

    suite: str
    task: str
    task_version: int
    model: str
    family: str
    seed: int
    model_path: str = ""
    arguments: dict[str, Any] = Field(default_factory=dict)
    paper: str = ""
    likelihood: str = "none"
    learns_from: str = "samples"
    keys: dict[str, str] = Field(default_factory=dict)
    status: Status = "ok"
    phase: Literal["", "train", "probe", "score"] = ""
    reason: str = ""
    scores: tuple[Score, ...] = ()
    files: dict[str, File] = Field(default_factory=dict)
    environment: Environment = Environment()
    created: datetime

    @property
    def cell(self) -> tuple[str, str, int]:
        """Task, model and seed."""
        return self.task, self.model, self.seed


class TaskRecord(_Frozen):
    """What a page needs to know of a task.

    Attributes:
        name: Name of the task.
        version: Its version.
        kind: Its kind ("plane", "image", "grid", ...).
        shape: Event shape.
        levels: Number of levels; None for real values.
        entropy: Exact entropy in nats, if known.
        log_z: Exact log normaliser of the reward in nats, if there is one.
        primary: The metric that chooses hyper-parameters on val.
        counts: Rows of train, val, test and holdout.
        card: Summary, source, licence, citation, pitfalls.
        files: "truth" (.npz): `density` (H, W) over `extent` (x0, x1, y0, y1) on a plane; `law`
            (S,) on an enumerable domain; always `rows` (n, *shape), a few test rows.
    """

    name: str
    version: int
    kind: str
    shape: tuple[int, ...]
    levels: int | None = None
    entropy: float | None = None
    log_z: float | None = None
    primary: str = ""
    counts: dict[str, int] = Field(default_factory=dict)
    card: dict[str, str] = Field(default_factory=dict)
    files: dict[str, File] = Field(default_factory=dict)


def write_atomically(path: Path, content: bytes) -> None:
    """Writes to a temporary name beside `path` and renames: nothing half-written is ever read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_bytes(content)
    temporary.replace(path)


def write_record(record: Record, root: Path) -> Path:
    """Writes a record under `root/records`; a new key makes a new file beside the old one."""
    key = record.keys.get("score", "none")[:12]
    path = root / "records" / f"{record.task}--{record.model}--s{record.seed}--{key}.json"
    write_atomically(path, record.model_dump_json(indent=1).encode())
    return path


def write_task(task: TaskRecord, root: Path) -> None:
    """Writes a task's description under `root/tasks`."""
    write_atomically(root / "tasks" / f"{task.name}.json", task.model_dump_json(indent=1).encode())


def read_all(root: Path) -> Iterator[Record]:
    """Yields every record under `root/records`, the older of two of one cell included.

    Raises:
        ValueError: A file is not a record.
    """
    for path in sorted((root / "records").glob("*.json")):
        try:
            yield Record.model_validate_json(path.read_bytes())
        except ValidationError as error:
            raise ValueError(f"Expected a record in {path}, got: {error}") from None


def read_records(root: Path) -> list[Record]:
    """Returns the newest record of each cell (task, model, seed), sorted by task, model, seed."""
    newest: dict[tuple[str, str, int], Record] = {}
    for record in read_all(root):
        seen = newest.get(record.cell)
        if seen is None or seen.created <= record.created:
            newest[record.cell] = record
    return [newest[cell] for cell in sorted(newest)]


def read_tasks(root: Path) -> dict[str, TaskRecord]:
    """Returns the tasks described under `root/tasks`, by name."""
    tasks = [
        TaskRecord.model_validate_json(path.read_bytes())
        for path in sorted((root / "tasks").glob("*.json"))
    ]
    return {task.name: task for task in tasks}
