"""Fair play: recipes are chosen once per kind of task, by as many trials for every model.

A trial trains a model with arguments drawn at random from its space and judges it on val, on three
tasks of the kind or those that are named; test is not touched. Where a suite names a compute
class, the steps of a trial follow from the processor seconds that a step takes. Spaces, trials and
winners are kept in a file beside the suite; what was chosen before is a trial like another.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from ...contract.files import write_atomically
from ...names import known
from ...suites import STEPS_FROM, SUITES, choices_path, read_choices, recipes_of
from ...suites.suite import ModelSpec, Recipe, Suite
from ...tasks import Outline, outline_of
from ..job import refused
from ..plan import choose_device
from ..processes.workers import Lost, cores, run_local
from .halving import halving
from .trial import Trial, on_val, run_trial, trial_of, whole_run

MOST_TASKS = 3
# Times the steps of the slowest task: where the class has time for more, more are made.
CHEAPER = 1.5


def tune(
    suite_name: str,
    *,
    trials: int = 8,
    models: list[str] | None = None,
    tasks: list[str] | None = None,
    workers: int | None = None,
    device: str = "auto",
    again: bool = False,
    steps_only: bool = False,
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
        steps_only: Make no trials: keep the arguments of each recipe, take those that were chosen
            for the kind in `STEPS_FROM` where there is none, and measure how many steps the
            compute class has time for.

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
            asked = outlines if tasks else outlines[:MOST_TASKS]
            admitted = [o for o in asked if not refused(spec, o.task)]
            if admitted and steps_only:
                _keep(suite, kind, model, timed(suite, spec, admitted, where))
            elif admitted and (again or not _tried(suite, kind, model, trials)):
                rows = halving(suite, spec, admitted, trials, where, run)
                _write(suite, kind, model, rows, trials)


def timed(suite: Suite, spec: ModelSpec, outlines: Sequence[Outline], device: str) -> Recipe:
    """Returns a model's recipe with the steps that its tasks have time for; no trials."""
    kind = outlines[0].task.kind
    recipes = [recipes_of(name).get(kind, {}) for name in (suite.name, STEPS_FROM)]
    before = next((found[spec.name] for found in recipes if spec.name in found), Recipe())
    chosen = dict(before.arguments)
    if before.batch_size:
        chosen["batch_size"] = before.batch_size
    trials = [trial_of(suite, spec, outline, chosen, device) for outline in outlines]
    with _one_thread():
        found = {t.job.task.name: whole_run(t.job, on_val(t.job.outline.load())) for t in trials}
    steps, steps_on = shared_steps(found)
    print(f"{kind} {spec.name}: {steps} steps {steps_on or ''}", flush=True)
    size = trials[0].job.suite.budget.batch_size
    return Recipe(dict(before.arguments), steps, size, steps_on=steps_on)


def shared_steps(found: Mapping[str, int]) -> tuple[int, dict[str, int]]:
    """Returns the steps of the slowest task, which others share, and those of much cheaper ones.

    Args:
        found: Steps that the compute class has time for, by task.
    """
    least = min(found.values())
    return least, {task: steps for task, steps in found.items() if steps > CHEAPER * least}


@contextmanager
def _one_thread() -> Iterator[None]:
    """As in a worker: threads that wait for each other beside other work spoil a measure."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


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
        # The slowest task sets the steps of all but much cheaper ones.
        winner = min(whole, key=lambda t: t.steps)
        _, steps_on = shared_steps({t.job.task.name: t.steps for t in whole})
        known_ends = [t.converged for t in whole if t.converged is not None]
        recipe = {
            "arguments": dict(winner.job.model.arguments),
            "steps": winner.steps,
            "batch_size": winner.job.suite.budget.batch_size,
            "converged": all(known_ends) if known_ends else None,
            **({"steps_on": steps_on} if steps_on else {}),
        }
    choices.setdefault("recipes", {}).setdefault(kind, {})[model] = recipe
    choices.setdefault("trials", {}).setdefault(kind, {})[model] = [t.told() for t in trials]
    space = _listed(suite.spaces[model])
    choices.setdefault("spaces", {})[model] = space
    choices["trials_at_most"] = most
    _store(suite, choices)


def _keep(suite: Suite, kind: str, model: str, recipe: Recipe) -> None:
    """Merges a recipe without trials into the file beside the suite."""
    choices = read_choices(suite.name)
    told = {"arguments": recipe.arguments, "batch_size": recipe.batch_size, "steps": recipe.steps}
    if recipe.steps_on:
        told["steps_on"] = recipe.steps_on
    choices.setdefault("recipes", {}).setdefault(kind, {})[model] = told
    _store(suite, choices)


def _store(suite: Suite, choices: Mapping[str, Any]) -> None:
    write_atomically(
        choices_path(suite.name), (json.dumps(choices, indent=1, sort_keys=True) + "\n").encode()
    )


def _listed(space: Mapping[str, tuple[Any, ...]]) -> Any:
    """A search space as JSON holds it."""
    return json.loads(json.dumps(space))
