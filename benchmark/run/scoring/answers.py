"""What a model answered to its probes, scored into one record."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ....metrics.features import FeatureCache
from ...contract.evidence import Evidence
from ...contract.model import Likelihood
from ...contract.probe import Probe
from ...contract.record import Record, Score
from ...contract.task import Task
from ...suites.suite import Suite
from ..keys import content as keys
from ..provenance import environment
from ..recording import SAMPLING_COSTS, TRAINING_COSTS, costs, encoded, finish, shown
from .by_metric import scores
from .copies import copy_flags
from .inputs import Inputs
from .task_files import keep_description
from .truthful import trouble, without_claim

if TYPE_CHECKING:
    from ..job import Job


@dataclass(frozen=True)
class Answer:
    """An answer to one probe.

    Attributes:
        probe: The question.
        evidence: The tensors.
        likelihood: What the model's log-probabilities claim.
        estimator: How they are computed.
        paper: What the model cites.
        cost: What the answer cost, by name.
        reason: Why a likelihood that the model claims is missing; empty where none is.
    """

    probe: Probe
    evidence: Evidence
    likelihood: Likelihood = Likelihood.NONE
    estimator: str = ""
    paper: str = ""
    cost: dict[str, Any] = field(default_factory=dict)
    reason: str = ""

    @classmethod
    def load(cls, probe: Probe, folder: Path) -> Answer:
        """Reads an answer from the folder of its stage."""
        claim = json.loads((folder / "claim.json").read_text())
        return cls(
            probe,
            Evidence.load(folder / "evidence.safetensors"),
            Likelihood(claim["likelihood"]),
            claim["estimator"],
            claim["paper"],
            json.loads((folder / "cost.json").read_text()),
            claim["reason"],
        )


@dataclass(frozen=True)
class Judged:
    """What the suite's metrics say of the answers of one model.

    Attributes:
        scores: One for each number of quality.
        flags: What a reader must know of the whole row.
        refused: Why the claim of a likelihood cannot be true; empty where nothing speaks against.
    """

    scores: tuple[Score, ...]
    flags: tuple[str, ...]
    refused: str


def judge(
    suite: Suite,
    task: Task,
    answers: Sequence[Answer],
    cache: FeatureCache | None = None,
    device: str = "cpu",
) -> Judged:
    """Scores answers; nothing is written.

    Args:
        suite: Whose metrics hold.
        task: The task with its rows.
        answers: The answers of one model, at least one.
        cache: Keeps features of the task's rows.
        device: Where metrics are computed.
    """
    found: list[Score] = []
    for answer in answers:
        inputs = Inputs(
            task, answer.probe, answer.evidence, answer.likelihood, answer.estimator, cache,
            device, answer.reason,
        )  # fmt: skip
        found += scores(suite, inputs)
    refused = trouble((a.evidence for a in answers), _claim(answers).likelihood, found)
    kept = without_claim(found, refused) if refused else found
    return Judged(tuple(kept), _flags(answers, task), refused)


def score_answers(
    job: Job,
    task: Task,
    answers: Sequence[Answer],
    trained: dict[str, Any],
    curve: str = "[]",
    *,
    submitted: bool = False,
) -> Record:
    """Scores answers and writes the record of their job.

    Args:
        job: The job.
        task: Its task with the rows.
        answers: The answers, that to the default probe of a kind among them.
        trained: What training cost, by name.
        curve: The training curve, as JSON.
        submitted: Whether the answers came from outside: nothing was trained or timed here.
    """
    code = keys.map_key(task.feature_map, task.domain.levels).get("code", "")
    cache = FeatureCache(job.root / "features", code)
    device = trained.get("device", job.device)  # a user's model may stay on the CPU
    judged = judge(job.suite, task, answers, cache, job.device)
    claim = _claim(answers)
    spent = [
        score
        for answer in answers
        if answer.evidence.samples is not None
        for score in costs(answer.cost, SAMPLING_COSTS, device, answer.probe)
    ]
    spent = [*costs(trained, TRAINING_COSTS, device), *spent]
    keep_description(task, job.root)
    return finish(
        job,
        "ok",
        environment=environment(device),
        scores=(*judged.scores, *(map(_as_submitted, spent) if submitted else spent)),
        likelihood=claim.likelihood.value,
        paper=claim.paper,
        flags=judged.flags,
        notes=_notes(answers, trained.get("notes", ())),
        log_prob={
            a.probe.name: encoded(a.evidence.log_prob)
            for a in answers
            if a.evidence.log_prob is not None and not judged.refused
        },
        rows=task.checksum,
        probes={a.probe.name: a.probe.settings for a in answers},
        files=shown(job.root, job.keys["score"], task, _joined(answers), curve),
    )


def _as_submitted(cost: Score) -> Score:
    if cost.value is None:
        return cost.model_copy(update={"reason": "only samples were given"})
    return cost.model_copy(update={"note": "as submitted"})


def _claim(answers: Sequence[Answer]) -> Answer:
    """The answer that says what the model claims: one on likelihoods, where there is one."""
    return next((a for a in answers if a.probe.kind == "likelihood"), answers[0])


def _flags(answers: Iterable[Answer], task: Task) -> tuple[str, ...]:
    found = [
        flag
        for a in answers
        if a.evidence.samples is not None
        for flag in copy_flags(a.evidence.samples, task)
    ]
    return tuple(dict.fromkeys(found))


def _notes(answers: Iterable[Answer], trained: Iterable[str]) -> tuple[str, ...]:
    failed = dict.fromkeys(f"without a likelihood: {a.reason}" for a in answers if a.reason)
    return (*trained, *failed)


def _joined(answers: Iterable[Answer]) -> Evidence:
    """The tensors of the default probes, which a page shows."""
    found: dict[str, Any] = {}
    for answer in answers:
        if not answer.probe.label:
            named = {f.name: getattr(answer.evidence, f.name) for f in fields(Evidence)}
            found |= {k: v for k, v in named.items() if v is not None}
    return Evidence(**found)
