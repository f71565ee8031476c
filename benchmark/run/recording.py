"""From what a job came to, to its record and the small files that a page shows."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..contract.evidence import Evidence
from ..contract.probe import Probe
from ..contract.record import File, Phase, Record, Score, Status, clipped, write_record
from ..contract.task import Task
from .provenance import environment
from .scoring.inputs import log_prob_rows

if TYPE_CHECKING:
    from .job import Job

# Samples that a page shows: a grid of images, a cloud of points.
SHOWN_IMAGES, SHOWN_POINTS = 64, 2048
MEASURED = {
    "parameters": "trainable, or the numbers kept where none is trained by gradient",
    "training_core_seconds": "processor time of all threads, whatever else the machine does",
    "training_flops": "counted by torch on one step of each phase, times the steps",
    "nfe": "rows that the network evaluates per sample",
    "flops_per_sample": "counted by torch",
    "peak_memory": "tensors on the GPU, or resident set with libraries, in training",
    "memory_growth": "resident set beyond that before training",
}
TRAINING_COSTS: tuple[tuple[str, str, str, str], ...] = (
    ("parameters", "", "", "the object has no parameters()"),
    ("training_seconds", "seconds", "lower", ""),
    ("training_core_seconds", "seconds", "lower", "not counted on a GPU"),
    ("training_examples", "", "", "not counted"),
    ("training_flops", "", "lower", "not counted"),
    ("peak_memory", "bytes", "lower", ""),
    ("memory_growth", "bytes", "lower", "not measured on this device"),
)
SAMPLING_COSTS: tuple[tuple[str, str, str, str], ...] = (
    ("samples_per_second", "1/second", "higher", ""),
    ("nfe", "", "lower", "not counted"),
    ("flops_per_sample", "", "lower", "not counted"),
)


def costs(
    found: dict[str, Any],
    kinds: Iterable[tuple[str, str, str, str]],
    device: str,
    probe: Probe | None = None,
) -> list[Score]:
    """Returns costs as scores; a cost that is not known says why.

    Args:
        found: Cost by name; None or absent where it is not known.
        kinds: Name, unit, better direction, and the reason where there is none.
        device: "cpu" or "cuda".
        probe: The probe that they are the costs of, if it is one's.
    """
    return [
        Score(
            metric=name,
            value=found.get(name),
            unit=unit,
            direction=direction,  # type: ignore[arg-type]
            probe=probe.name if probe else "",
            protocol="; ".join(
                filter(None, (_protocol(name, device), probe.label if probe else ""))
            ),
            reason=(found.get(f"{name}_reason") or reason) if found.get(name) is None else "",
        )
        for name, unit, direction, reason in kinds
    ]


def _protocol(name: str, device: str) -> str:
    return f"on {device}, {MEASURED.get(name, 'one process')}"


def shown(root: Path, key: str, task: Task, evidence: Evidence, curve: str) -> dict[str, File]:
    """Writes the small files that a page shows, and returns them by name."""
    folder = root / "files" / key[:24]
    folder.mkdir(parents=True, exist_ok=True)
    names = {"curve": "curve.json"}
    (folder / "curve.json").write_text(curve)
    n = SHOWN_IMAGES if task.domain.is_image else SHOWN_POINTS
    if evidence.samples is not None:
        np.save(folder / "samples.npy", evidence.samples[:n].numpy())
        names["samples"] = "samples.npy"
    if evidence.law is not None:
        np.save(folder / "law.npy", task.domain.on_grid(evidence.law).numpy())
        names["law"] = "law.npy"
    return {name: File.of(folder / file, root) for name, file in names.items()}


def encoded(log_prob: Any) -> str:
    """Returns log p of the fixed subset of test rows as a record keeps it; see `Record`."""
    return base64.b64encode(log_prob_rows(log_prob).numpy().astype("<f4").tobytes()).decode()


def finish(
    job: Job, status: Status, phase: Phase = "", reason: str = "", **further: Any
) -> Record:
    """Writes and returns the record of a job.

    Args:
        job: The job.
        status: How it ended.
        phase: The stage in which it failed; empty when ok.
        reason: Why; cut to one line.
        further: Other fields of the record.
    """
    cls: Any = job.model.load() if job.model.target else None  # samples come without a model
    record = Record(
        suite=job.suite.name,
        task=job.task.name,
        task_version=job.task.version,
        model=job.model.name,
        family="user" if job.model.is_users else cls.family,
        seed=job.seed,
        model_path=job.model.target,
        arguments={k: _plain(v) for k, v in job.model.arguments.items()},
        learns_from=_word(getattr(cls, "learns_from", ""), "samples"),
        is_floor=getattr(cls, "is_floor", False) is True,
        keys=dict(job.keys),
        budget={"steps": job.budget.steps, "batch_size": job.budget.batch_size},
        status=status,
        phase=phase,
        reason=clipped(reason),
        created=datetime.now(UTC),
        **{
            "environment": environment(job.device),
            "paper": _word(getattr(cls, "paper", "")),
            **further,
        },
    )
    write_record(record, job.root)
    forget_phase(job)
    return record


def _word(value: Any, default: str = "") -> str:
    """A class attribute as text; anything else (None, a property) counts as not said."""
    return clipped(value) if isinstance(value, str) and value else default


def _plain(value: Any) -> Any:
    """An argument as JSON holds it."""
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value if isinstance(value, int | float | str | bool | type(None)) else repr(value)


def note_phase(job: Job, phase: Phase) -> Phase:
    """Leaves word on disk of the stage that a job is in, so that a killed one can be recorded."""
    folder = job.root / "running"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / job.file_name).write_text(phase)
    return phase


def forget_phase(job: Job) -> Phase:
    """Takes that word away and returns it; "train" where there was none."""
    path = job.root / "running" / job.file_name
    try:
        phase = path.read_text()
    except OSError:
        phase = ""
    path.unlink(missing_ok=True)
    return phase if phase in ("train", "probe", "score") else "train"  # type: ignore[return-value]
