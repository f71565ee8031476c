"""Which draws of a search space are tried, and which go on.

Trials are halved in turns (Jamieson & Talwalkar 2016, arXiv:1502.07943): all make a short run, the
better ones a longer one, the best one a whole run, so that a model's trials cost three whole runs
per task.
"""

from __future__ import annotations

import inspect
import math
import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice, product
from typing import Any

from ...suites import recipes_of
from ...suites.spaces import effective
from ...suites.suite import ModelSpec, Suite
from ...tasks import Outline
from .trial import Trial, trial_of

# Share of a whole run that the trials of a round make, and the share of trials that go on.
ROUNDS = ((1 / 8, 1.0), (1 / 3, 3 / 8), (1.0, 1 / 8))


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
        work = [trial_of(suite, spec, o, found, device) for o in outlines for found in going]
        for trial in work:
            trial.share = share
            trial.steps = steps.get((trial.job.task.name, repr(trial.draw)), 0)
        for trial in run(work):
            steps[trial.job.task.name, repr(trial.draw)] = trial.steps
            done.append(trial)
    return done


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
