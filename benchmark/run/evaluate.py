"""A model or samples measured in a notebook: no suite is run, nothing is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from ..contract.evidence import Evidence
from ..contract.model import GenerativeModel, Likelihood
from ..contract.probe import Probe
from ..contract.task import Task
from ..names import known
from ..suites import load_suite
from ..suites.suite import Suite
from ..tasks import load_task
from .plan import suite_of
from .probing import CLAIMS, claim_of, draw, likelihoods, log_probs
from .scoring.by_metric import scores
from .scoring.inputs import Inputs
from .scoring.truthful import trouble, without_claim
from .seeding import all_seeded
from .users.checks import checked_samples
from .users.user_model import UserModel

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("metric", "value", "stderr", "mark", "unit", "direction", "n", "note", "reason")


def evaluate(
    model_or_samples: Any,
    task: Task | str,
    *,
    metrics: Sequence[str] | Mapping[str, Callable[[], Any]] | None = None,
    n: int | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Returns every metric of a trained model, or of samples, on a task.

    The metrics, number of samples and probes are those of the first suite that holds the task.

    Args:
        model_or_samples: A trained model (`sample`, and `log_prob` if it has one), or points of
            the task's domain, shape `(N, *shape)`, tensor or array.
        task: The task, or its name.
        metrics: Names of metrics of the suite, or a mapping of names to metrics of
            `dgmbench.metrics`; all of the suite by default.
        n: Samples that a model draws; by default as many as in the suite, and never more than
            there are test rows.
        seed: Of sampling.

    Returns:
        One row per number, with the columns `COLUMNS`; an empty value says why in "reason".

    Raises:
        ValueError: Samples outside the domain, or an unknown metric.
        Diverged: A sample is NaN or infinite.
    """
    import pandas as pd

    task = load_task(task) if isinstance(task, str) else task
    suite = _suite_of(task)
    if isinstance(metrics, Mapping):
        suite = replace(suite, metrics=metrics)
    elif metrics is not None:
        names = known("metric", metrics, suite.metrics)
        suite = replace(suite, metrics={name: suite.metrics[name] for name in names})
    wanted = n or suite.samples
    size = wanted if task.test is None else min(wanted, len(task.test))
    answers = _answers(model_or_samples, task, size, seed)
    found = []
    for probe, evidence, claim, estimator, reason in answers:
        inputs = Inputs(task, probe, evidence, claim, estimator, reason=reason)
        found += scores(suite, inputs)
    claim = answers[-1][2]
    if why := trouble((evidence for _, evidence, *_ in answers), claim, found):
        found = without_claim(found, why)
    return pd.DataFrame([[getattr(s, name) for name in COLUMNS] for s in found], columns=COLUMNS)


def _suite_of(task: Task) -> Suite:
    """The suite that holds a task, or the first with one of its kind; of a new task quick."""
    try:
        return suite_of([task.name])
    except ValueError:  # made by hand, under a name of its own
        return load_suite("quick")


Answered = tuple[Probe, Evidence, Likelihood, str, str]


def _answers(given: Any, task: Task, n: int, seed: int) -> list[Answered]:
    """What a model says to both default probes, or what samples are."""
    ask, likelihood = Probe("samples"), Probe("likelihood")
    if not callable(getattr(given, "sample", None)):
        x = checked_samples(given, None, task.domain)
        none = Likelihood.NONE
        return [(ask, Evidence(samples=x), none, "", ""), (likelihood, Evidence(), none, "", "")]
    model = given if isinstance(given, GenerativeModel) else UserModel(given, task.domain)
    with torch.no_grad(), all_seeded(seed):
        x = draw(model, ask, n, None, task)
        own = None
        if model.likelihood is Likelihood.EXACT:
            own = log_probs(model, x, None, None)
        evidence, reason = likelihoods(likelihood, model, task)
    claim = model.likelihood
    estimator = model.estimator(None) if claim in CLAIMS else ""
    said = claim_of(model, evidence, likelihood)
    drawn = Evidence(samples=x, log_prob_samples=own)
    return [(ask, drawn, claim, estimator, ""), (likelihood, evidence, said, estimator, reason)]
