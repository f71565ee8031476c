"""Samples without a model, scored as a row beside the models of a suite."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from ...contract.evidence import Evidence
from ...contract.model import Likelihood
from ...contract.probe import Probe
from ...contract.record import Record, read_records
from ...suites.suite import ModelSpec, Suite
from ...tasks import Outline
from ..job import Job
from ..keys.stage_keys import score_key
from ..scoring.answers import Answer, score_answers
from ..scoring.subset import fixed_subset
from ..store import Store


def score_samples(
    x: Tensor,
    name: str,
    outline: Outline,
    suite: Suite,
    root: Path,
    log_prob: Tensor | None = None,
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
    if not re.fullmatch(r"\w[\w.-]{0,99}", name):
        raise ValueError(
            f"Expected a name of up to 100 letters, digits, '.', '-' and '_', got {name[:120]}."
        )
    if name in suite.models:
        raise ValueError(f"Expected a name of your own, got {name}, a model of the suite.")
    if any(r.model == name and r.model_path for r in read_records(store.root)):
        raise ValueError(
            f"Expected a name that no model in {root} has, got {name}; choose another with --name."
        )
    chosen = x[fixed_subset(len(x), n)].contiguous()
    told = b"" if log_prob is None else log_prob.numpy().tobytes()
    digest = hashlib.sha256(chosen.numpy().tobytes() + told).hexdigest()
    job = replace(job, keys={"samples": digest, "score": score_key(job, digest)})
    answers = [
        Answer(question, Evidence(samples=chosen)),
        # Without one, so that likelihoods say why they are empty.
        Answer(
            Probe("likelihood"),
            Evidence(log_prob=log_prob),
            Likelihood.NONE if log_prob is None else Likelihood.ESTIMATE,
            "" if log_prob is None else "as submitted",
        ),
    ]
    return score_answers(job, outline.load(), answers)
