"""Fair play: arguments are chosen once per kind of task, by as many trials for every model.

A trial trains a model with arguments drawn at random from its space and scores it on val, by the
primary metric of the task; test is not touched. The space, the winner and every trial are kept in
a file beside the suite.
"""

from __future__ import annotations

import inspect
import json
import math
import random
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import torch

from ..contract.evidence import Evidence
from ..contract.files import write_atomically
from ..contract.model import Diverged
from ..contract.probe import Probe
from ..contract.task import Task
from ..names import known
from ..suites import SUITES, choices_path, read_choices
from ..suites.suite import ModelSpec, Suite
from ..tasks import outline_of
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


def draws(
    space: Mapping[str, tuple[Any, ...]],
    trials: int,
    seed: int,
    defaults: Mapping[str, Any] | None = None,
) -> list[dict[str, Any]]:
    """Returns the defaults (an empty dict) and distinct random draws, `trials` at most.

    Args:
        space: Argument to the values that it may take.
        trials: Number of trials, the defaults counted.
        seed: Seed of the draws.
        defaults: What the arguments are by default, so that no draw repeats them.
    """
    size = math.prod(len(values) for values in space.values())
    chooser = random.Random(seed)
    found: list[dict[str, Any]] = [{}]
    usual = {name: (defaults or {}).get(name) for name in space}
    inside = all(usual[name] in values for name, values in space.items())
    seen = {repr(usual)} if inside else set()
    while len(found) < trials and len(seen) < size:
        draw = {name: chooser.choice(values) for name, values in space.items()}
        if repr(draw) not in seen:
            seen.add(repr(draw))
            found.append(draw)
    return found


def run_trial(trial: Job) -> dict[str, Any]:
    """Trains and scores one draw on val.

    Returns:
        `arguments`, `seconds`, `value` (None where it failed) and `reason`.
    """
    task = on_val(trial.outline.load())
    start, value, reason = time.perf_counter(), None, ""
    try:
        value = _value(trial, task)
    except (Diverged, ValueError, RuntimeError, ArithmeticError) as error:
        reason = f"{type(error).__name__}: {error}"  # kept with the trial: a bad draw is a result
    return {
        "arguments": dict(trial.model.arguments),
        "value": value,
        "seconds": round(time.perf_counter() - start, 2),
        "reason": reason,
    }


def on_val(task: Task) -> Task:
    """Returns the task as a trial sees it: test stands aside, val takes its place."""
    return replace(task, test=task.val, holdout=None)


def _value(trial: Job, task: Task) -> float | None:
    metric = trial.suite.metrics[task.primary]
    question = Probe("samples" if reads(metric, Probe("samples")) else "likelihood")
    with all_seeded(derived_seed(TRIAL_SEED, "tuning", task.name, trial.model.target)):
        model = made(trial)
        model.fit(task.for_training(), trial.budget)
    seed = derived_seed(TRIAL_SEED, "sampling", task.name, trial.model.target)
    with all_seeded(seed), torch.no_grad():
        if question.kind == "samples":
            n = min(trial.samples(question), 10**9 if task.test is None else len(task.test))
            evidence = Evidence(samples=draw(model, question, n, None, task))
        else:
            evidence = likelihoods(question, model, task)
    inputs = Inputs(task, question, evidence, model.likelihood, device=trial.device)
    found = metric_scores(task.primary, metric, inputs)[0]
    if found.value is None and found.reason:
        raise ValueError(found.reason)
    return found.value


def tune(
    suite_name: str,
    *,
    trials: int = 16,
    models: list[str] | None = None,
    tasks: list[str] | None = None,
    workers: int | None = None,
    device: str = "auto",
) -> None:
    """Chooses arguments for the models of a suite and writes them beside it.

    Args:
        suite_name: Name of the suite.
        trials: Random trials a model and kind of task, the defaults counted; 16 at most.
        models: Names; by default all that have a space.
        tasks: Names; by default the first task of each kind.
        workers: Worker processes; one per core by default.
        device: "auto", "cpu" or "cuda".

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
    outlines = {name: outline_of(name) for name in suite.tasks}
    firsts = {outline.task.kind: name for name, outline in reversed(outlines.items())}
    chosen_tasks = known("task", tasks, suite.tasks) if tasks else list(firsts.values())
    chosen_models = known("model", models, suite.spaces) if models else list(suite.spaces)
    work = [
        trial
        for name in chosen_tasks
        for trial in _trials(suite, name, chosen_models, trials, choose_device(device))
    ]
    results = run_local(
        run_trial,
        iter(work),
        workers=min(workers or cores(), max(1, len(work))),
        timeout=suite.budget.timeout,
        threads=1,
    )
    done: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for count, (trial, result) in enumerate(results, 1):
        row = _lost(result) if isinstance(result, Lost) else result
        done.setdefault((trial.task.kind, trial.model.name), []).append(row)
        told = f"{row['value']} in {row['seconds']} s {row['reason']}"
        print(f"[{count}/{len(work)}] {trial.task.name} {trial.model.name} {told}", flush=True)
    _write(suite, done, trials)


def _lost(result: Lost[Job]) -> dict[str, Any]:
    arguments = dict(result.work.model.arguments)
    return {"arguments": arguments, "value": None, "seconds": None, "reason": result.reason}


def _trials(
    suite: Suite, task_name: str, models: list[str], trials: int, device: str
) -> Iterator[Job]:
    """Yields the trials of a task: the draws of every model that it admits."""
    outline, root = outline_of(task_name), choices_path(suite.name).parent
    for name in models:
        spec = ModelSpec.of(name, suite.models[name])
        if refused(spec, outline.task):
            continue
        signature = inspect.signature(spec.load()).parameters
        defaults = {k: p.default for k, p in signature.items()} | dict(spec.arguments)
        for found in draws(suite.spaces[name], trials, 0, defaults):
            drawn = ModelSpec(name, spec.target, {**spec.arguments, **found})
            yield Job(suite, outline, drawn, TRIAL_SEED, device, root)


def _write(suite: Suite, done: dict[tuple[str, str], list[dict[str, Any]]], trials: int) -> None:
    """Merges winners and trials into the file beside the suite."""
    choices = read_choices(suite.name)
    for (kind, model), rows in done.items():
        scored = [row for row in rows if row["value"] is not None and math.isfinite(row["value"])]
        # Every primary metric is a distance: lower is better.
        best: dict[str, Any] = min(scored, key=lambda row: row["value"], default={"arguments": {}})
        choices.setdefault("chosen", {}).setdefault(kind, {})[model] = best["arguments"]
        choices.setdefault("trials", {}).setdefault(kind, {})[model] = rows
    choices["spaces"] = {m: {k: list(v) for k, v in s.items()} for m, s in suite.spaces.items()}
    choices["trials_at_most"] = trials
    write_atomically(
        choices_path(suite.name), (json.dumps(choices, indent=1, sort_keys=True) + "\n").encode()
    )
