"""A bound of the likelihood of finished cells: a new column without a new training run."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ....metrics.estimate import Estimate
from ....metrics.likelihood.annealing import Annealed, bdmc
from ....metrics.likelihood.schedules import geometric_schedule
from ...contract.evidence import Evidence
from ...contract.joint import Joint
from ...contract.model import Likelihood
from ...contract.probe import Probe
from ...contract.record import Record, Score, read_records, write_record
from ...contract.task import Task
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
from ..told import told
from ..training import restored
from .energy import bracket
from .joint import annealed, joint_of

CODE = ("benchmark.run.bounds.added",)
POINTS = 512  # points times chains of a batch, about
SIMULATED = 16  # points of the model's own on which the gap is measured


@dataclass(frozen=True)
class Annealing(Probe):
    """A likelihood by annealed importance sampling, with its certificate.

    Attributes:
        places: Steps of the path; those of a sampler are others.
        chains: Chains of each row that are weighted.
    """

    places: int = 1000
    chains: int = 16

    @property
    def label(self) -> str:
        """Steps, chains and rows, in words."""
        rows = f", {self.n:,} rows" if self.n else ""
        return f"AIS of {self.places:,} steps, {self.chains} chains{rows}"

    @property
    def estimator(self) -> str:
        """The number's protocol."""
        return f"AIS, {self.places:,} steps, {self.chains} chains"


@dataclass(frozen=True)
class Asked:
    """A job and what its model is asked."""

    job: Job
    question: Annealing

    @property
    def key(self) -> str:
        """Content key of the answer."""
        return keys.content_key(
            {
                "train": self.job.keys["train"],
                "question": self.question.question,
                "stage": keys.stage_code(*CODE),
            }
        )


def add_bound(
    root: Path,
    *,
    steps: int,
    chains: int,
    rows: int | None,
    models: list[str] | None = None,
    tasks: list[str] | None = None,
    workers: int | None = None,
    timeout: float = 1e8,
) -> Iterator[tuple[Record, str]]:
    """Bounds the likelihood of every finished cell of a results folder, one by one.

    Args:
        root: The results folder.
        steps: Steps T of annealing.
        chains: Chains of each row.
        rows: Test rows, a fixed random subset; None is all.
        models: Names of models; None is all.
        tasks: Names of tasks; None is all.
        workers: Worker processes; None is one per core.
        timeout: Seconds after which a cell is stopped.

    Yields:
        Each record as it is written, and why it has no bound; empty where it has.

    Raises:
        ValueError: A number that makes no sense, or a name that the folder does not hold.
    """
    _check(steps, chains, rows, workers)
    question = Annealing("likelihood", n=rows, places=steps, chains=chains)
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


def _check(steps: int, chains: int, rows: int | None, workers: int | None) -> None:
    least = {
        "steps": (steps, 1),
        "chains": (chains, 1),
        "rows": (rows, 2),
        "workers": (workers, 1),
    }
    for name, (given, wanted) in least.items():
        if given is not None and given < wanted:
            raise ValueError(f"Expected {name} of at least {wanted}, got {given}.")


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
            energy = callable(getattr(model, "unnormalised", None))
            bound = _normalised(model, rows, question) if energy else None
            bound = bound or _decoded(joint_of(model, task.val), rows, question)
    except ValueError as error:
        return told(error)
    if bound is None:
        return "it has neither a decoder, whose latents could be annealed, nor an energy"
    claim = {
        "likelihood": bound.likelihood.value,
        "paper": bound.paper,
        "estimator": question.estimator,
        "reason": "; ".join(dict.fromkeys(filter(None, bound.notes))),
    }
    keep(store, asked.key, Evidence(log_prob=bound.log_prob.cpu()), claim, {"width": bound.width})
    return ""


@dataclass(frozen=True)
class Bound:
    """What annealing says of test rows.

    Attributes:
        log_prob: In nats, shape `(M,)`.
        likelihood: What it claims.
        paper: Whose estimator it is.
        notes: What a reader must know.
        width: How far the other side of the bracket lies, in nats a row; None without one.
    """

    log_prob: Tensor
    likelihood: Likelihood
    paper: str
    notes: list[str]
    width: float | None = None


def _decoded(joint: Joint | None, rows: Tensor, question: Annealing) -> Bound | None:
    """A decoder's likelihood, with the gap of both sides on data of its own."""
    if joint is None:
        return None
    found, gap = _annealed(joint, rows, question)
    notes = [
        joint.words,
        *(one.note for one in found),
        f"on data of its own the bounds from both sides are {gap.value:.2g} ± {gap.stderr:.1g} "
        "nats apart",
    ]
    log_prob = torch.cat([one.value for one in found])
    return Bound(log_prob, Likelihood.LOWER_BOUND, "arXiv:1611.04273", notes)


def _normalised(model: Any, rows: Tensor, question: Annealing) -> Bound:
    """An energy model's likelihood by the lower log Z; the bracket tells of the upper one."""
    energy = model.unnormalised()
    with torch.no_grad():
        found = bracket(energy, question.places, question.chains)
        log_f = model.log_prob(rows).double()
        if model.likelihood is Likelihood.EXACT:
            log_f = log_f + float(model.log_normaliser)
    notes = [energy.words, found.note]
    width = found.high - found.low
    return Bound(log_f - found.low, Likelihood.ESTIMATE, "arXiv:1412.8566", notes, width)


def _annealed(joint: Joint, rows: Tensor, question: Annealing) -> tuple[list[Annealed], Estimate]:
    """AIS of test rows, block by block, and the gap of both bounds on data of the model's own."""
    steps, chains = question.places, question.chains
    found = [
        annealed(joint, joint.seen(part), steps, chains)
        for part in rows.split(max(1, POINTS // chains))
    ]
    both = bdmc(
        joint.sample_prior,
        joint.log_prior,
        joint.simulate,
        joint.log_conditional,
        points=SIMULATED,
        chains=chains,
        betas=geometric_schedule(steps),
    )
    return found, both.gap


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
