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
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch

from ..contract.model import Diverged, GenerativeModel
from ..contract.record import write_atomically
from ..names import known
from ..suites import SUITES, choices_path, load_suite, read_choices
from ..suites.suite import Cell, ModelSpec, Suite
from ..tasks import load_task
from .cell import admitted
from .plan import cores, prepare_worker
from .scoring import Inputs, scores
from .stages import PROBE_SEED, all_seeded, examine, sample_size
from .user_model import build
from .workers import Lost, run_local

# Trials see a seed of their own, so that the choice is not fitted to the seeds of the table.
TRIAL_SEED = 9_001


@dataclass(frozen=True)
class Trial:
    """One draw from the space of a model.

    Attributes:
        suite: Name of the suite.
        task: Name of the task.
        model: The model with the arguments of the draw.
    """

    suite: str
    task: str
    model: ModelSpec


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


def run_trial(trial: Trial) -> dict[str, Any]:
    """Trains and scores one draw on val.

    Returns:
        `arguments`, `seconds`, `value` (None where it failed) and `reason`.
    """
    suite, task = load_suite(trial.suite), load_task(trial.task)
    # Test stands aside: val takes its place, for the likelihood and the distances alike.
    task = replace(task, test=task.val, holdout=None)
    start, value, reason = time.perf_counter(), None, ""
    try:
        with all_seeded(TRIAL_SEED):
            model: GenerativeModel = build(
                trial.model.load(), task.domain, dict(trial.model.arguments)
            )
            model.fit(task.for_training(), suite.budget)
        with all_seeded(PROBE_SEED + TRIAL_SEED), torch.no_grad():
            samples = model.sample(sample_size(suite, task))
            evidence = examine(model, task, task.domain.check("samples", samples).cpu())
        only = replace(suite, metrics={task.primary: suite.metrics[task.primary]})
        value = scores(only, Inputs(task, evidence, model.likelihood))[0].value
    except (Diverged, ValueError, RuntimeError, ArithmeticError) as error:
        reason = f"{type(error).__name__}: {error}"  # kept with the trial: a bad draw is a result
    return {
        "arguments": dict(trial.model.arguments),
        "value": value,
        "seconds": round(time.perf_counter() - start, 2),
        "reason": reason,
    }


def tune(
    suite_name: str,
    *,
    trials: int = 16,
    models: list[str] | None = None,
    tasks: list[str] | None = None,
    workers: int | None = None,
) -> None:
    """Chooses arguments for the models of a suite and writes them beside it.

    Args:
        suite_name: Name of the suite.
        trials: Random trials a model and kind of task, the defaults counted; 16 at most.
        models: Names; by default all that have a space.
        tasks: Names; by default the first task of each kind.
        workers: Worker processes; one a core by default.

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
    firsts = {load_task(t).kind: t for t in reversed(suite.tasks)}
    chosen_tasks = known("task", tasks, suite.tasks) if tasks else list(firsts.values())
    chosen_models = known("model", models, suite.spaces) if models else list(suite.spaces)
    work = _trials(suite, chosen_tasks, chosen_models, trials)
    results = run_local(
        run_trial,
        work,
        workers=workers or cores(),
        timeout=suite.budget.timeout,
        initializer=prepare_worker,
        arguments=(1,),
    )
    done: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for count, (trial, result) in enumerate(results, 1):
        row = _lost(result) if isinstance(result, Lost) else result
        done.setdefault((load_task(trial.task).kind, trial.model.name), []).append(row)
        told = f"{row['value']} in {row['seconds']} s {row['reason']}"
        print(f"[{count}/{len(work)}] {trial.task} {trial.model.name} {told}", flush=True)
    _write(suite, done, trials)


def _lost(result: Lost[Trial]) -> dict[str, Any]:
    arguments = dict(result.work.model.arguments)
    return {"arguments": arguments, "value": None, "seconds": None, "reason": result.reason}


def _trials(suite: Suite, tasks: list[str], models: list[str], trials: int) -> list[Trial]:
    work = []
    for task_name in tasks:
        task = load_task(task_name)
        for name in models:
            spec = ModelSpec.of(name, suite.models[name])
            cell = Cell(suite.name, task_name, spec, 0, "cpu", choices_path(suite.name).parent)
            if admitted(cell, task):
                continue
            signature = inspect.signature(spec.load()).parameters
            defaults = {k: p.default for k, p in signature.items()} | dict(spec.arguments)
            for draw in draws(suite.spaces[name], trials, 0, defaults):
                arguments = {**spec.arguments, **draw}
                work.append(Trial(suite.name, task_name, ModelSpec(name, spec.target, arguments)))
    return work


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
