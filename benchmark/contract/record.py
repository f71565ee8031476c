"""What one cell of a comparison leaves on disk: a JSON file that tells where each number is from.

Nothing here imports torch, so that reports render without it.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from .files import set_aside, tell, write_atomically

Status = Literal[
    "ok", "not admitted", "failed", "diverged", "timed out", "out of memory", "killed"
]
# Whether a model is admitted to a task is a property of both; everything else is tried again.
SETTLED: tuple[Status, ...] = ("ok", "not admitted")
Phase = Literal["", "train", "probe", "score"]


# In a curve: modes that training came upon, by the number of states whose reward it asked for.
MODES = "modes found"
MOST = 500  # characters of a reason or a note


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")


def clipped(text: str, most: int = MOST) -> str:
    """Returns the text on one line, printable and in UTF-8, of `most` characters at most."""
    head = text[: 4 * most].encode("utf-8", "replace").decode()
    line = " ".join("".join(c if c.isprintable() else " " for c in head).split())
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"


# What others wrote into a record stands in pages and tables: short, without control characters.
Text = Annotated[
    str, BeforeValidator(lambda text: clipped(text) if isinstance(text, str) else text)
]


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
            reference, training rows): it does not average out over seeds. None is not known: all
            of it counts as shared.
        n: Points that it rests on.
        unit: "nats", "bits/dim", "" for a pure number, ...
        direction: "lower" or "higher" is better; "" where neither is.
        mark: "=", "<=" or "~" before a likelihood's number, else "".
        probe: Name of the probe whose answer it rests on, a key of `Record.probes`; empty where it
            rests on none.
        estimator: How a likelihood is computed ("exact", "IWAE-64"); empty on other numbers.
        protocol: Everything that must be equal for two numbers to share a column.
        bracket: Bounds of the number from both sides, in `unit`, where they were computed; each in
            expectation, and with the standard error of the value.
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
    probe: str = ""
    estimator: str = ""
    protocol: str = ""
    bracket: tuple[float, float] | None = None
    note: Text = ""
    reason: Text = ""


class Provenance(_Frozen):
    """Where and with what a cell ran.

    Attributes:
        commit: Commit of the sources; empty where they are no checkout.
        dirty: Whether the sources differ from that commit.
        dgmbench: Version of the package.
        python: Version of Python.
        torch: Version of torch; likewise `numpy`, `scikit_learn`, `cuda` and `cudnn`, the last
            two empty on a machine without.
        platform: System and machine.
        hardware: Processor and cores, the GPU before them.
        device: "cpu" or "cuda".
        threads: Threads of torch in the cell's process.
        tf32: Whether products of float32 matrices may be rounded to TF32.
    """

    commit: str = ""
    dirty: bool = False
    dgmbench: str = ""
    python: str = ""
    torch: str = ""
    numpy: str = ""
    scikit_learn: str = ""
    cuda: str = ""
    cudnn: str = ""
    platform: str = ""
    hardware: str = ""
    device: str = ""
    threads: int = 0
    tf32: bool = False


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
        is_floor: Whether the model is so simple that whoever is behind it has learnt nothing.
        keys: Content keys of the stages: "train", one for each probe, "score".
        budget: What it was allowed: "steps" and "batch_size".
        probes: What it was asked, by the probe's name: the fields of its `Probe` that are not as
            in the default one of its kind.
        rows: SHA-256 of the rows of the task.
        status: "ok", or what befell the cell.
        phase: The stage in which it befell; empty when ok.
        reason: One sentence; empty when ok.
        scores: Metrics, costs among them.
        flags: What a reader must know of the whole row, such as samples that are copies.
        notes: What of a user's model was not used, and why; it costs the row nothing.
        log_prob: By the name of the probe, what the model says of a fixed subset of the test
            rows (2,048 at most, see `fixed_subset`), in nats: float32, little-endian, base64.
        files: What a page shows: "curve" (JSON rows [step, player, loss]), "samples" (.npy).
        environment: Where and with what it ran.
        created: When the record was written, UTC.
        stored: Whether it came with the package and was not run here.
        tier: Of a submission what was checked of it: "self-reported", "re-scored", "re-trained".
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
    is_floor: bool = False
    keys: dict[str, str] = Field(default_factory=dict)
    budget: dict[str, int] = Field(default_factory=dict)
    probes: dict[str, dict[str, Any]] = Field(default_factory=dict)
    rows: str = ""
    status: Status = "ok"
    phase: Phase = ""
    reason: Text = ""
    scores: tuple[Score, ...] = ()
    flags: tuple[str, ...] = ()
    notes: tuple[Text, ...] = ()
    log_prob: dict[str, str] = Field(default_factory=dict)
    files: dict[str, File] = Field(default_factory=dict)
    environment: Provenance = Provenance()
    created: datetime
    stored: bool = False
    tier: Literal["", "self-reported", "re-scored", "re-trained"] = ""

    @property
    def cell(self) -> tuple[str, str, int]:
        """Task, model and seed."""
        return self.task, self.model, self.seed

    @property
    def settled(self) -> bool:
        """Whether the cell need not be run again while its keys are the same."""
        return self.status in SETTLED

    def row_log_probs(self, probe: str = "likelihood") -> NDArray[np.float32]:
        """Returns what `log_prob` keeps of a probe, in nats, shape `(min(M, 2048),)`.

        Two records of one task with the same `rows` keep the same test rows, in the same order:
        their models are compared row by row.

        Raises:
            ValueError: The record keeps none for that probe.
        """
        if probe not in self.log_prob:
            kept = ", ".join(self.log_prob) or "none"
            raise ValueError(
                f"Expected log p of the test rows for {probe!r}, got that of: {kept}."
            )
        return np.frombuffer(base64.b64decode(self.log_prob[probe]), "<f4").astype(np.float32)


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
        rows: SHA-256 of its rows.
        files: "data" (.npz): `density` (H, W) over `extent` (x0, x1, y0, y1) on a plane; `law`
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
    rows: str = ""
    files: dict[str, File] = Field(default_factory=dict)


def cell_name(task: str, model: str, seed: int) -> str:
    """Returns a file name for a cell."""
    return safe_name(f"{task}--{model}--s{seed}")


def safe_name(text: str) -> str:
    """Returns a file name for a text: the text itself where that is short and plain.

    Other ones (addresses with slashes, names of 300 letters) are cut and told apart by a hash.
    """
    safe = re.sub(r"[^\w.+-]", "-", text, flags=re.ASCII)
    if safe == text and len(safe) <= 120 and not safe.startswith("."):
        return safe
    return f"{safe[:100].lstrip('.')}--{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def record_path(root: Path, cell: tuple[str, str, int], key: str) -> Path:
    """Returns the file of a cell's record; a new key makes a new file beside the old one."""
    return root / "records" / f"{cell_name(*cell)}--{key[:12]}.json"


def write_record(record: Record, root: Path) -> Path:
    """Writes a record under `root/records`."""
    path = record_path(root, record.cell, record.keys.get("score", "none"))
    _write(path, record)
    return path


def write_task(task: TaskRecord, root: Path) -> None:
    """Writes a task's description under `root/tasks`."""
    _write(_task_path(root, task.name), task)


def _task_path(root: Path, name: str) -> Path:
    return root / "tasks" / f"{safe_name(name)}.json"


def _write(path: Path, content: BaseModel) -> None:
    """Writes JSON whose first line is the SHA-256 of the lines below it."""
    body = content.model_dump_json(indent=1).encode().removeprefix(b"{\n")
    write_atomically(path, _HEAD % hashlib.sha256(body).hexdigest().encode() + body)


_HEAD = b'{"sha256": "%s",\n'
_Kind = TypeVar("_Kind", bound=BaseModel)


def _read(path: Path, kind: type[_Kind], root: Path) -> _Kind | None:
    """Returns what a file holds; what is damaged is set aside, what is of another kind told."""
    if not path.is_file():
        tell(f"{path} is no file and is left out.")
        return None
    try:
        head, _, body = path.read_bytes().partition(b"\n")
    except OSError as error:
        tell(f"{path} cannot be read ({error.strerror}) and is left out.")
        return None
    if head + b"\n" != _HEAD % hashlib.sha256(body).hexdigest().encode():
        set_aside(path, root, "is damaged: its content is not the one that was written")
        return None
    try:
        return kind.model_validate_json(b"{\n" + body)
    except ValidationError:
        tell(f"{path} is of another version of dgmbench, or of another kind, and is left out.")
        return None


def read_record(root: Path, cell: tuple[str, str, int], key: str) -> Record | None:
    """Returns the record of a cell with that key, or None where there is no sound one."""
    path = record_path(root, cell, key)
    return _read(path, Record, root) if path.exists() else None


def read_all(root: Path) -> Iterator[Record]:
    """Yields every sound record under `root/records`, the older of two of one cell included.

    A damaged one is set aside and told in a sentence on stderr; the others are read.
    """
    for path in sorted((root / "records").glob("*.json")):
        record = _read(path, Record, root)
        if record is not None:
            yield record


def read_records(root: Path) -> list[Record]:
    """Returns the newest record of each cell (task, model, seed), sorted by task, model, seed."""
    newest: dict[tuple[str, str, int], Record] = {}
    for record in read_all(root):
        seen = newest.get(record.cell)
        if seen is None or seen.created <= record.created:
            newest[record.cell] = record
    return [newest[cell] for cell in sorted(newest)]


def read_task(root: Path, name: str) -> TaskRecord | None:
    """Returns the description of one task, or None where there is no sound one."""
    path = _task_path(root, name)
    return _read(path, TaskRecord, root) if path.exists() else None


def read_tasks(root: Path) -> dict[str, TaskRecord]:
    """Returns the tasks described under `root/tasks`, by name; damaged ones as in `read_all`."""
    found = (_read(path, TaskRecord, root) for path in sorted((root / "tasks").glob("*.json")))
    return {task.name: task for task in found if task is not None}
