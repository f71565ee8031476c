"""A trial: one draw of a model's arguments, trained and judged on val; test is not touched."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from ....baselines.training import READINGS
from ...contract.evidence import Evidence
from ...contract.model import Budget, Diverged, Likelihood
from ...contract.probe import Probe
from ...contract.task import Task
from ...suites import choices_path
from ...suites.suite import ModelSpec, Suite
from ...tasks import Outline
from ..cost import Clock
from ..job import Job
from ..pace import pace
from ..probing import draw, likelihoods
from ..scoring.by_metric import metric_scores, reads
from ..scoring.inputs import Inputs
from ..seeding import all_seeded, derived_seed
from ..training import made

# Trials see a seed of their own, so that the choice is not fitted to the seeds of the table.
TRIAL_SEED = 9_001
# What a step takes is the difference of two runs that read val as often. It must be some seconds,
# and a clear share of what the shorter one took, for what comes once (an EBM's log Z) varies.
LEAST, CLEAR, MOST_TIMED = 1.0, 0.25, 50_000
VAL_TIMED = 64  # rows of val: readings are no part of a step, and of all rows take minutes
# Of few rows of val: log p of all of them can cost more than the training of a short trial.
LIKELIHOOD = Probe("likelihood", n=512)
FELL = 0.01  # of the range of validation losses: less in the last fifth of a run is convergence


@dataclass
class Trial:
    """One draw of a model's arguments on one task, and how it went.

    Attributes:
        job: Model, task and suite; the suite's budget is that of a whole run.
        share: Of a whole run that it made.
        steps: Steps of a whole run; 0 until they are known.
        value: The task's primary metric on val; None where it failed.
        stderr: Its standard error.
        nll: Mean negative log-likelihood of val in nats; None without one.
        seconds: Of training, of one core.
        converged: Whether the validation loss had stopped to fall.
        reason: Why it failed.
    """

    job: Job
    share: float = 1.0
    steps: int = 0
    value: float | None = None
    stderr: float = 0.0
    nll: float | None = None
    seconds: float = 0.0
    converged: bool | None = None
    reason: str = ""

    @property
    def draw(self) -> dict[str, Any]:
        """The arguments that were drawn, with the batch size."""
        return {**self.job.model.arguments, "batch_size": self.job.suite.budget.batch_size}

    def told(self) -> dict[str, Any]:
        """Returns what is kept of it."""
        names = ("steps", "value", "stderr", "nll", "converged", "reason")
        return {
            "task": self.job.task.name,
            "arguments": self.draw,
            "share": round(self.share, 3),
            "seconds": round(self.seconds, 1),
            **{name: getattr(self, name) for name in names},
        }


def trial_of(
    suite: Suite, spec: ModelSpec, outline: Outline, found: Mapping[str, Any], device: str
) -> Trial:
    """Returns the trial of a draw of arguments and of the batch size."""
    arguments = {**spec.arguments, **found}
    size = arguments.pop("batch_size", suite.budget.batch_size)
    budget = Budget(suite.budget.steps, size, suite.budget.timeout)
    plain = replace(suite, budget=budget, recipes={})
    drawn = ModelSpec(spec.name, spec.target, arguments)
    return Trial(Job(plain, outline, drawn, TRIAL_SEED, device, choices_path(suite.name).parent))


def run_trial(trial: Trial) -> Trial:
    """Trains and judges one draw on val; a failure is kept as its reason."""
    task = on_val(trial.job.outline.load())
    try:
        if not trial.steps:
            trial.steps = whole_run(trial.job, task)
        _judge(trial, task)
    except (Diverged, ValueError, RuntimeError, ArithmeticError) as error:
        trial.reason = f"{type(error).__name__}: {error}"  # a bad draw is a result
    return trial


def whole_run(job: Job, task: Task) -> int:
    """Returns the steps of a whole run: as many as the compute class has time for.

    On a CPU in seconds of the reference machine, however quick this one is (`pace`).
    """
    suite = job.suite
    if not suite.core_minutes:
        return suite.budget.steps
    seconds = 60 * suite.core_minutes
    if job.device == "cpu":
        seconds /= pace()
    steps = READINGS
    first = _timed(job, task, steps)
    while True:
        more = 3 * steps
        spent = _timed(job, task, more) - first
        if spent >= max(LEAST, CLEAR * first) or more > MOST_TIMED:
            each = max(spent, LEAST) / (more - READINGS)
            return two_digits(seconds / each)
        steps = more


def _timed(job: Job, task: Task, steps: int) -> float:
    """Core seconds of a run of so many steps."""
    shown = task.for_training()
    if shown.val is not None and not shown.context:
        shown = replace(shown, val=shown.val[:VAL_TIMED])
    with all_seeded(TRIAL_SEED):
        model = made(job)
        clock = Clock(job.device)
        model.fit(shown, replace(job.suite.budget, steps=steps))
        return clock.core_seconds()


def two_digits(steps: float) -> int:
    """Returns the number rounded to two digits, for a recipe that is read."""
    place = 10 ** max(int(math.log10(max(steps, 1))) - 1, 0)
    return max(1, round(steps / place) * place)


def on_val(task: Task) -> Task:
    """Returns the task as a trial sees it: test stands aside, val takes its place."""
    return replace(task, test=task.val, holdout=None)


def _judge(trial: Trial, task: Task) -> None:
    job = trial.job
    budget = replace(job.suite.budget, steps=max(1, round(trial.share * trial.steps)))
    with all_seeded(derived_seed(TRIAL_SEED, "tuning", task.name, job.model.target)):
        model = made(job)
        clock = Clock(job.device)
        model.fit(task.for_training(), budget)
        trial.seconds = clock.core_seconds()
    trial.converged = converged(getattr(model, "curve", []))
    seed = derived_seed(TRIAL_SEED, "sampling", task.name, job.model.target)
    with all_seeded(seed), torch.no_grad():
        n = min(job.samples(Probe("samples")), len(task.test))  # type: ignore[arg-type]
        samples = Probe("samples")
        seen = {"samples": Evidence(samples=draw(model, samples, n, None, task))}
        if model.likelihood is not Likelihood.NONE and "nll" in job.suite.metrics:
            seen["likelihood"], _ = likelihoods(LIKELIHOOD, model, task)
    for name in dict.fromkeys((task.primary, "nll")):
        question = samples if reads(job.suite.metrics[name], samples) else LIKELIHOOD
        if question.kind not in seen or name in task.refuses:
            continue
        inputs = Inputs(task, question, seen[question.kind], model.likelihood, device=job.device)
        found = metric_scores(name, job.suite.metrics[name], inputs)[0]
        if name == task.primary:
            trial.value, trial.stderr = found.value, found.stderr or 0.0
            trial.reason = "" if found.value is not None else found.reason or "no value"
        if name == "nll":
            trial.nll = found.value


def converged(curve: Sequence[tuple[int, str, float]]) -> bool | None:
    """Says whether the validation loss stood still in the last fifth; None where there is none."""
    losses = [value for _, name, value in curve if name == "val"]
    if len(losses) < 10:
        return None
    late = len(losses) - max(2, len(losses) // 5)
    return min(losses[:late]) - min(losses) <= FELL * (max(losses) - min(losses))
