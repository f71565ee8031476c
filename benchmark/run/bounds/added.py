"""A bound of the likelihood of finished cells: a new column without a new training run."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ...contract.evidence import Evidence
from ...contract.probe import Probe
from ...contract.record import Record, Score, read_records, write_record
from ...contract.task import Task
from ...contract.told import told
from ...names import known
from ...suites import load_suite
from ...tasks import outline_of
from ..job import Job, make_jobs
from ..keys import content as keys
from ..probing import keep
from ..processes.workers import Lost, cores, run_local
from ..scoring.answers import Answer
from ..scoring.by_metric import scores
from ..scoring.inputs import Inputs
from ..scoring.subset import judged
from ..seeding import all_seeded, derived_seed
from ..store import Store
from ..training import restored
from .question import Question

CODE = ("benchmark.run.bounds.added",)


@dataclass(frozen=True)
class Asked:
    """A job and what its model is asked."""

    job: Job
    question: Question

    @property
    def key(self) -> str:
        """Content key of the answer."""
        return keys.content_key(
            {
                "train": self.job.keys["train"],
                "question": self.question.question,
                "stage": keys.stage_code(*CODE, type(self.question).__module__.partition(".")[2]),
            }
        )


def add_bound(
    root: Path,
    question: Question,
    *,
    models: list[str] | None = None,
    tasks: list[str] | None = None,
    workers: int | None = None,
    timeout: float = 1e8,
) -> Iterator[tuple[Record, str]]:
    """Bounds the likelihood of every finished cell of a results folder, one by one.

    Args:
        root: The results folder.
        question: What every model is asked.
        models: Names of models; None is all.
        tasks: Names of tasks; None is all.
        workers: Worker processes; None is one per core.
        timeout: Seconds after which a cell is stopped.

    Yields:
        Each record as it is written, and why it has no bound; empty where it has.

    Raises:
        ValueError: No worker, or a name that the folder does not hold.
    """
    if workers is not None and workers < 1:
        raise ValueError(f"Expected workers of at least 1, got {workers}.")
    records = read_records(root)
    known("model", models or (), {record.model for record in records})
    known("task", tasks or (), {record.task for record in records})
    wanted = {}
    for record in records:
        out = (models and record.model not in models) or (tasks and record.task not in tasks)
        if record.status != "ok" or record.family == "control" or out:
            continue
        job = _job(record, root)
        if record.model not in load_suite(record.suite).models:
            yield record, "only models of its suite are asked"
        elif job is None:
            yield record, "its model is not stored, or was trained by other code"
        else:
            wanted[Asked(job, question).key] = Asked(job, question), record
    count = workers or cores()
    pieces = (asked for asked, _ in wanted.values())
    for asked, result in run_local(
        bounded,
        pieces,
        workers=count,
        timeout=timeout,
        threads=max(1, cores() // count),
        log=lambda asked: root / "logs" / f"{asked.job.file_name}--bound.txt",
    ):
        record = wanted[asked.key][1]
        why = result.reason if isinstance(result, Lost) else result
        yield (record, why) if why else (_scored(asked, record, root), "")


def _job(record: Record, root: Path) -> Job | None:
    """The job of a record, where its trained model is that of today's code."""
    try:
        suite, outline = load_suite(record.suite), outline_of(record.task)
        (job,) = make_jobs(suite, [outline], [record.model], [], [record.seed], "cpu", root)
    except (ValueError, KeyError):
        return None
    same = record.keys.get("train") == job.keys["train"]
    return job if same and Store(root).done("train", job.keys["train"]) else None


def bounded(asked: Asked) -> str:
    """Asks a stored model and writes its answer; returns why there is none, or ""."""
    job, question = asked.job, asked.question
    store = Store(job.root)
    if store.done("probe", asked.key):
        return ""
    model = restored(job, store)
    if model is None:
        return "its model takes no stored weights"
    task = job.outline.load()
    if task.test is None:
        return "the task has no test rows"
    rows = judged(task.test, question).to(model.device)
    rows = rows.long() if task.domain.levels is not None else rows
    try:
        with all_seeded(derived_seed(job.seed, "likelihood", job.task.name, job.model.target)):
            bound = question.bound(model, task, rows)
    except ValueError as error:
        return told(error)
    if bound is None:
        return f"it has {question.needs}"
    claim = {
        "likelihood": bound.likelihood.value,
        "paper": bound.paper,
        "estimator": question.estimator,
        "reason": "; ".join(dict.fromkeys(filter(None, bound.notes))),
    }
    keep(store, asked.key, Evidence(log_prob=bound.log_prob.cpu()), claim, {"width": bound.width})
    return ""


def _scored(asked: Asked, record: Record, root: Path) -> Record:
    """The record with the bound beside its other scores, written."""
    folder = Store(root).open("probe", asked.key)
    if folder is None:
        raise ValueError(f"Expected the bound of {asked.job}, got none; ask again.")
    answer, question = Answer.load(Probe("likelihood"), folder), asked.question
    inputs = Inputs(
        asked.job.outline.load(), question, answer.evidence, answer.likelihood, answer.estimator
    )
    width = json.loads((folder / "cost.json").read_text()).get("width")
    noted = [
        score.model_copy(
            update={
                "note": _joined(score.note, answer.reason),
                "bracket": _bracket(score, width, asked.job.task),
            }
        )
        for score in scores(asked.job.suite, inputs)
        if score.value is not None
    ]
    kept = [s for s in record.scores if s.probe != question.name]
    changed = record.model_copy(update={"scores": (*kept, *noted)})
    write_record(changed, root)
    return changed


def _bracket(score: Score, width: float | None, task: Task) -> tuple[float, float] | None:
    """Both sides of a number that grows with log Z, in its own unit."""
    if width is None or score.value is None:
        return None
    per_bit = task.domain.dim * math.log(2) if score.unit == "bits/dim" else 1.0
    return score.value, score.value + width / per_bit


def _joined(*notes: str) -> str:
    return "; ".join(filter(None, notes))
