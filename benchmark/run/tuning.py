"""Fair play: recipes are chosen once per kind of task, by as many trials for every model.

A trial trains a model with arguments drawn at random from its space and judges it on val, on up
to three tasks of the kind; test is not touched. Trials are halved in turns (Jamieson & Talwalkar
2016, arXiv:1502.07943): all make a short run, the better ones a longer one, the best one a whole
run, so that a model's trials cost three whole runs per task. Where a suite names a compute class,
the steps of a trial follow from the processor seconds that a step takes. Spaces, trials and
winners are kept in a file beside the suite; what was chosen before is a trial like another.
"""

from __future__ import annotations

import inspect
import json
import math
import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice, product
from typing import Any

import torch

from ...baselines.training import READINGS
from ..contract.evidence import Evidence
from ..contract.files import write_atomically
from ..contract.model import Budget, Diverged, Likelihood
from ..contract.probe import Probe
from ..contract.task import Task
from ..names import known
from ..suites import SUITES, choices_path, read_choices, recipes_of
from ..suites.panels import effective
from ..suites.suite import ModelSpec, Suite
from ..tasks import Outline, outline_of
from .cost import Clock
from .job import Job, refused
from .plan import choose_device
from .probing import draw, likelihoods
from .processes.workers import Lost, cores, run_local
from .scoring.by_metric import metric_scores, reads
from .scoring.inputs import Inputs
from .seeding import all_seeded, derived_seed
from .training import made

# Trials see a seed of their own, so that the choice is not fitted to the seeds of the table.
TRIAL_SEED = 9_001
MOST_TASKS = 3
# Share of a whole run that the trials of a round make, and the share of trials that go on.
ROUNDS = ((1 / 8, 1.0), (1 / 3, 3 / 8), (1.0, 1 / 8))
# What a step takes is the difference of two runs that read val as often. It must be some seconds,
# and a clear share of what the shorter one took, for what comes once (an EBM's log Z) varies.
LEAST, CLEAR, MOST_TIMED = 1.0, 0.25, 50_000
FELL = 0.01  # of the range of validation losses: less in the last fifth of a run is convergence


def draws(
    space: Mapping[str, tuple[Any, ...]],
    trials: int,
    seed: int,
    defaults: Mapping[str, Any] | None = None,
    chosen: Mapping[str, Any] | None = None,
) -> list[dict[str, Any]]:
    """Returns the defaults (an empty dict), the last choice and distinct random draws.

    Args:
        space: Argument to the values that it may take.
        trials: Number of trials, the defaults counted.
        seed: Seed of the draws.
        defaults: What the arguments are by default, so that no draw repeats them.
        chosen: What was chosen before, if anything.
    """
    usual = {name: (defaults or {}).get(name) for name in space}
    found: list[dict[str, Any]] = [{}]
    seen = [usual]
    if chosen and trials > 1 and {**usual, **chosen} not in seen:
        found.append(dict(chosen))
        seen.append({**usual, **chosen})
    points = [dict(zip(space, values, strict=True)) for values in product(*space.values())]
    random.Random(seed).shuffle(points)
    new = (point for point in points if point not in seen)
    return [*found, *islice(new, trials - len(found))]


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
    """Returns the steps of a whole run: as many as the compute class has time for."""
    suite = job.suite
    if not suite.core_minutes:
        return suite.budget.steps
    steps = READINGS
    first = _timed(job, task, steps)
    while True:
        more = 3 * steps
        spent = _timed(job, task, more) - first
        if spent >= max(LEAST, CLEAR * first) or more > MOST_TIMED:
            each = max(spent, LEAST) / (more - READINGS)
            return two_digits(60 * suite.core_minutes / each)
        steps = more


def _timed(job: Job, task: Task, steps: int) -> float:
    """Core seconds of a run of so many steps."""
    with all_seeded(TRIAL_SEED):
        model = made(job)
        clock = Clock(job.device)
        model.fit(task.for_training(), replace(job.suite.budget, steps=steps))
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
            seen["likelihood"], _ = likelihoods(Probe("likelihood"), model, task)
    for name in dict.fromkeys((task.primary, "nll")):
        question = Probe("samples" if reads(job.suite.metrics[name], samples) else "likelihood")
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


def ranked(trials: Sequence[Trial]) -> list[Trial]:
    """Returns the trials of one task, the best first.

    Those within two standard errors of the best are ordered by validation likelihood. Every
    primary metric is a distance: lower is better.
    """
    scored = [t for t in trials if t.value is not None and math.isfinite(t.value)]
    rest = [t for t in trials if t not in scored]
    if not scored:
        return rest
    best = min(scored, key=lambda t: t.value or 0.0)

    def close(t: Trial) -> bool:
        gap = (t.value or 0.0) - (best.value or 0.0)
        return gap <= 2 * math.hypot(t.stderr, best.stderr)

    tied = sorted(
        (t for t in scored if close(t)),
        key=lambda t: (math.inf if t.nll is None else t.nll, t.value),
    )
    behind = sorted((t for t in scored if not close(t)), key=lambda t: t.value or 0.0)
    return [*tied, *behind, *rest]


def survivors(trials: Sequence[Trial], count: int) -> list[dict[str, Any]]:
    """Returns the draws with the lowest sum of ranks over the tasks, the best first."""
    sums: dict[str, int] = defaultdict(int)
    draws_by_name: dict[str, dict[str, Any]] = {}
    by_task: dict[str, list[Trial]] = defaultdict(list)
    for trial in trials:
        by_task[trial.job.task.name].append(trial)
    for group in by_task.values():
        for rank, trial in enumerate(ranked(group)):
            name = repr(trial.draw)
            sums[name] += rank
            draws_by_name[name] = trial.draw
    order = sorted(sums, key=lambda name: sums[name])
    return [draws_by_name[name] for name in order[:count]]


def tune(
    suite_name: str,
    *,
    trials: int = 8,
    models: list[str] | None = None,
    tasks: list[str] | None = None,
    workers: int | None = None,
    device: str = "auto",
    again: bool = False,
) -> None:
    """Chooses recipes for the models of a suite and writes them beside it.

    Args:
        suite_name: Name of the suite.
        trials: Random trials a model and kind of task, the defaults counted; 16 at most.
        models: Names; by default all that have a space.
        tasks: Names; by default the first three of each kind.
        workers: Worker processes; one per core by default.
        device: "auto", "cpu" or "cuda".
        again: Repeat what has been tried; otherwise models are left out that have trials of as
            many draws from the same space.

    Raises:
        ValueError: An unknown name, a suite that takes over the choices of another, or more than
            16 trials.
    """
    if not 1 <= trials <= 16:
        raise ValueError(f"Expected 1 to 16 trials, the same for every model, got {trials}.")
    suite = SUITES[known("suite", [suite_name], SUITES)[0]]
    if suite.chosen_in:
        raise ValueError(
            f"Expected a suite with choices of its own, got {suite_name}; tune {suite.chosen_in}."
        )
    chosen_tasks = known("task", tasks, suite.tasks) if tasks else list(suite.tasks)
    chosen_models = known("model", models, suite.spaces) if models else list(suite.spaces)
    by_kind: dict[str, list[Outline]] = defaultdict(list)
    for name in chosen_tasks:
        outline = outline_of(name)
        by_kind[outline.task.kind].append(outline)
    where = choose_device(device)

    def run(work: list[Trial]) -> Iterator[Trial]:
        return _run(work, min(workers or cores(), max(1, len(work))), suite.budget.timeout)

    for kind, outlines in by_kind.items():
        for model in chosen_models:
            spec = ModelSpec.of(model, suite.models[model])
            admitted = [o for o in outlines[:MOST_TASKS] if not refused(spec, o.task)]
            if admitted and (again or not _tried(suite, kind, model, trials)):
                rows = halving(suite, spec, admitted, trials, where, run)
                _write(suite, kind, model, rows, trials)


def halving(
    suite: Suite,
    spec: ModelSpec,
    outlines: Sequence[Outline],
    trials: int,
    device: str,
    run: Callable[[list[Trial]], Iterator[Trial]],
) -> list[Trial]:
    """Returns all trials of a model on the tasks of a kind, those of whole runs last."""
    signature = inspect.signature(spec.load()).parameters
    defaults = {k: p.default for k, p in signature.items()} | dict(spec.arguments)
    defaults["batch_size"] = suite.budget.batch_size
    task = outlines[0].task
    before = recipes_of(suite.name).get(task.kind, {}).get(spec.name)
    chosen = None if before is None else {**before.arguments, "batch_size": before.batch_size}
    space = effective(suite.spaces[spec.name], task.domain)
    going = draws(space, trials, 0, defaults, chosen)
    done: list[Trial] = []
    steps: dict[tuple[str, str], int] = {}
    for share, kept in ROUNDS:
        if done:
            latest = [t for t in done if t.share == done[-1].share]
            going = survivors(latest, max(1, round(kept * trials)))
        work = [_trial(suite, spec, o, found, device) for o in outlines for found in going]
        for trial in work:
            trial.share = share
            trial.steps = steps.get((trial.job.task.name, repr(trial.draw)), 0)
        for trial in run(work):
            steps[trial.job.task.name, repr(trial.draw)] = trial.steps
            done.append(trial)
    return done


def _trial(
    suite: Suite, spec: ModelSpec, outline: Outline, found: Mapping[str, Any], device: str
) -> Trial:
    arguments = {**spec.arguments, **found}
    size = arguments.pop("batch_size", suite.budget.batch_size)
    budget = Budget(suite.budget.steps, size, suite.budget.timeout)
    plain = replace(suite, budget=budget, recipes={})
    drawn = ModelSpec(spec.name, spec.target, arguments)
    return Trial(Job(plain, outline, drawn, TRIAL_SEED, device, choices_path(suite.name).parent))


def _run(work: list[Trial], workers: int, timeout: float) -> Iterator[Trial]:
    results = run_local(run_trial, iter(work), workers=workers, timeout=timeout, threads=1)
    for count, (trial, result) in enumerate(results, 1):
        if isinstance(result, Lost):
            trial.reason = result.reason
        else:
            trial = result
        told = f"{trial.value} in {trial.seconds:.1f} s {trial.reason}"
        name = f"{trial.job.task.name} {trial.job.model.name}"
        print(f"[{count}/{len(work)}] {trial.share:.2f} of {name} {told}", flush=True)
        yield trial


def _listed(space: Mapping[str, tuple[Any, ...]]) -> Any:
    """A search space as JSON holds it."""
    return json.loads(json.dumps(space))


def _tried(suite: Suite, kind: str, model: str, trials: int) -> bool:
    """Whether as many draws from today's space have been tried, so that a cut tune goes on."""
    choices = read_choices(suite.name)
    space = _listed(suite.spaces[model])
    return (
        bool(choices.get("trials", {}).get(kind, {}).get(model))
        and choices.get("spaces", {}).get(model) == space
        and choices.get("trials_at_most") == trials
    )


def _write(suite: Suite, kind: str, model: str, trials: list[Trial], most: int) -> None:
    """Merges the recipe of a model and its trials into the file beside the suite."""
    choices = read_choices(suite.name)
    last = [t for t in trials if t.share == trials[-1].share]
    whole = [t for t in last if t.value is not None]
    recipe: dict[str, Any] = {"arguments": {}}
    if whole:
        # The tasks of a kind share a recipe; the slowest sets its steps.
        winner = min(whole, key=lambda t: t.steps)
        known_ends = [t.converged for t in whole if t.converged is not None]
        recipe = {
            "arguments": dict(winner.job.model.arguments),
            "steps": winner.steps,
            "batch_size": winner.job.suite.budget.batch_size,
            "converged": all(known_ends) if known_ends else None,
        }
    choices.setdefault("recipes", {}).setdefault(kind, {})[model] = recipe
    choices.setdefault("trials", {}).setdefault(kind, {})[model] = [t.told() for t in trials]
    space = _listed(suite.spaces[model])
    choices.setdefault("spaces", {})[model] = space
    choices["trials_at_most"] = most
    write_atomically(
        choices_path(suite.name), (json.dumps(choices, indent=1, sort_keys=True) + "\n").encode()
    )
