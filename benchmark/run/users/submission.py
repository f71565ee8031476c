"""Samples without a model, scored as a row beside the models of a suite."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

from torch import Tensor

from ...contract.evidence import Evidence
from ...contract.model import Likelihood
from ...contract.probe import Probe
from ...contract.record import Record, read_records
from ...suites.suite import ModelSpec, Suite
from ...tasks import Outline
from ..job import Job
from ..keys.content import content_key
from ..keys.stage_keys import score_key
from ..probing import keep
from ..scoring.answers import Answer, score_answers
from ..scoring.subset import fixed_subset
from ..store import Store
from .specs import checked_name


@dataclass(frozen=True)
class Spent:
    """What samples cost whoever drew them, as they say; None where they do not.

    Attributes:
        parameters: Of the model.
        seconds: Of training.
        nfe: Network evaluations a sample.
    """

    parameters: int | None = None
    seconds: float | None = None
    nfe: float | None = None

    def __post_init__(self) -> None:
        for name in ("parameters", "seconds", "nfe"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < 1e18:  # NaN is neither
                raise ValueError(f"Expected {name} of 0 or more, got {value:g}.")


NOT_SAID = Spent()


def score_samples(
    x: Tensor,
    name: str,
    outline: Outline,
    suite: Suite,
    root: Path,
    log_prob: Tensor | None = None,
    spent: Spent = NOT_SAID,
) -> Record:
    """Scores samples beside the models of a suite and writes their record.

    Args:
        x: Points of the task's domain, shape `(N, *shape)`.
        name: Name of the row.
        outline: The task.
        suite: Whose metrics and number of samples hold.
        root: The suite's results folder.
        log_prob: What the model says of the test rows, in nats, `(M,)`: shown as an estimate, for
            nobody vouches for more.
        spent: What the samples cost.

    Raises:
        ValueError: Too few samples, or a name that a model of the suite has.
    """
    question = Probe("samples")
    store = Store(root)
    job = Job(suite, outline, ModelSpec(name, ""), 0, "cpu", store.root, (question,))
    n = job.samples(question)
    if len(x) < n:
        raise ValueError(
            f"Expected at least {n} samples for {job.task.name}, at which every row is compared, "
            f"got {len(x)}."
        )
    checked_name(name, "choose another with --name")
    if name in suite.models:
        raise ValueError(f"Expected a name of your own, got {name}, a model of the suite.")
    if any(r.model == name and r.model_path for r in read_records(store.root)):
        raise ValueError(
            f"Expected a name that no model in {root} has, got {name}; choose another with --name."
        )
    chosen = x[fixed_subset(len(x), n)].contiguous()
    told = b"" if log_prob is None else log_prob.numpy().tobytes()
    digest = hashlib.sha256(chosen.numpy().tobytes() + told).hexdigest()
    score = score_key(job, [digest, vars(spent)])
    likelihood = content_key({"likelihood of": digest})
    job = replace(job, keys={"samples": digest, "likelihood": likelihood, "score": score})
    answers = [
        Answer(question, Evidence(samples=chosen), cost={"nfe": spent.nfe}),
        # Without one, so that likelihoods say why they are empty.
        Answer(
            Probe("likelihood"),
            Evidence(log_prob=log_prob),
            Likelihood.NONE if log_prob is None else Likelihood.ESTIMATE,
            "" if log_prob is None else "as submitted",
        ),
    ]
    for answer in answers:  # a new metric asks them again
        claim = {"likelihood": answer.likelihood.value, "estimator": answer.estimator}
        claim |= {"paper": "", "reason": ""}
        keep(store, job.keys[answer.probe.name], answer.evidence, claim, answer.cost)
    given = {"parameters": spent.parameters, "training_seconds": spent.seconds}
    return score_answers(job, outline.load(), answers, given, submitted=True)
