"""What there is: tasks, models, metrics, suites; as plain objects, and as columns for people."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..contract.task import Domain
from ..names import known
from ..plugged import LOADED, origin
from ..tasks.rewards.environments import Grid, Places

if TYPE_CHECKING:
    from ..contract.model import Likelihood
    from ..tasks import Outline

Thing = dict[str, Any]

# One domain of each sort, to show how the likelihood claim depends on it.
DOMAINS = {
    "real": Domain((2,)),
    "image": Domain((1, 8, 8), levels=17),
    "binary": Domain((4,), levels=2, environment=Places(4)),
    "grid": Domain((2,), levels=8, environment=Grid(2, 8)),
}
UNSUPPORTED = "not supported"


@dataclass(frozen=True)
class Listing:
    """Things of one sort.

    Attributes:
        things: All that is known of each, as JSON takes it.
        columns: Heading to the text of a cell, for people.
        group: Key of the things whose values head groups of rows; empty for none.
        legend: What the signs in the cells mean.
    """

    things: list[Thing]
    columns: Mapping[str, Callable[[Thing], str]]
    group: str = ""
    legend: str = ""


def listing(what: str) -> Listing:
    """Returns what there is of one sort.

    Args:
        what: "tasks", "models", "metrics" or "suites".

    Raises:
        ValueError: Another word.
    """
    kinds: dict[str, Callable[[], Listing]] = {
        "tasks": _tasks,
        "models": _models,
        "metrics": _metrics,
        "suites": _suites,
    }
    return kinds[known("list", [what], kinds)[0]]()


def first_sentence(thing: Any) -> str:
    """Returns the first line of a docstring."""
    return (inspect.getdoc(thing) or "").split("\n")[0]


def _tasks() -> Listing:
    from ..tasks import TASKS  # each sort imports what it needs: metrics take a while

    return Listing(
        [{**_task(make()), "origin": origin("tasks", name)} for name, make in TASKS.items()],
        {
            "name": lambda t: t["name"] + ("" if t["available"] else " *"),
            "point": lambda t: "x".join(map(str, t["shape"])),
            "levels": lambda t: "real" if t["levels"] is None else str(t["levels"]),
            "train": lambda t: f"{t['rows'].get('train', 0):,}",
            "summary": _told,
        },
        group="kind",
        legend="Point: the shape of one; levels: integers 0..levels-1, or real numbers; train: "
        "rows. * Its data are not here: `run_all.py fetch NAME` brings them or says how.",
    )


def _told(thing: Thing) -> str:
    """The summary of a thing, and where it is from if a plugin brought it."""
    return thing["summary"] + (f" [{thing['origin']}]" if thing["origin"] else "")


def _task(outline: Outline) -> Thing:
    task, missing = outline.task, outline.missing()
    return {
        "name": task.name,
        "available": not missing,
        "missing": missing,
        "kind": task.kind,
        "version": task.version,
        "shape": list(task.domain.shape),
        "levels": task.domain.levels,
        "rows": dict(outline.sizes or {}),
        "entropy": task.entropy,
        "log_z": task.log_z,
        "modes": task.modes.count if task.modes else None,
        "feature_map": task.feature_map,
        "primary": task.primary,
        "refuses": dict(task.refuses),
        **vars(task.card),
    }


def _models() -> Listing:
    from ...baselines import MODELS
    from ..contract.model import Likelihood

    return Listing(
        [_model(name, cls) for name, cls in MODELS.items()],
        {
            "name": lambda m: m["name"],
            "family": lambda m: m["family"],
            "likelihood": lambda m: _signs(m["likelihood"], Likelihood),
            "paper": lambda m: m["paper"],
            "summary": lambda m: m["summary"],
        },
        legend=f"Likelihood on {', '.join(DOMAINS)} data, one sign where all are the same: = "
        "exact, <= lower bound, ~ estimate, u known up to a constant, - none, x not supported.",
    )


def _model(name: str, cls: type[Any]) -> Thing:
    return {
        "name": name,
        "family": cls.family,
        "likelihood": {word: _claim(cls, domain) for word, domain in DOMAINS.items()},
        "learns_from": cls.learns_from,
        "paper": cls.paper,
        "summary": first_sentence(cls),
    }


def _claim(cls: type[Any], domain: Domain) -> str:
    from ..run.users.user_model import build

    if cls.supports(domain):
        return UNSUPPORTED
    return build(cls, domain, {}).likelihood.value


def _signs(claims: Mapping[str, str], likelihood: type[Likelihood]) -> str:
    """Returns the sign of each claim, or one where all are the same."""
    other = {UNSUPPORTED: "x", "none": "-", "unnormalized": "u"}
    signs = [other.get(claim) or likelihood(claim).mark for claim in claims.values()]
    return signs[0] if len(set(signs)) == 1 else " ".join(signs)


def _metrics() -> Listing:
    from ... import metrics

    brought = {n: (c, c) for plugin in LOADED.values() for n, c in plugin.metrics.items()}
    known = {f.__name__: (c, f) for c, f in metrics.FUNCTIONS.items()}
    things = [
        {
            "name": name,
            "origin": origin("metrics", name),
            "class": cls.__name__,
            "unit": cls.unit,
            "higher_is_better": cls.higher_is_better,
            "needs": list(inspect.signature(cls.update).parameters)[1:],
            "summary": first_sentence(function),
        }
        for name, (cls, function) in {**known, **brought}.items()
    ]
    return Listing(
        things,
        {
            "name": lambda m: m["name"],
            "better": lambda m: _common(m["higher_is_better"], {True: "higher", False: "lower"}),
            "unit": lambda m: _common(m["unit"], {}),
            "summary": _told,
        },
        legend="Several: `--json` has the word for each value of the metric.",
    )


def _common(told: Any, words: Mapping[Any, str]) -> str:
    """Returns the word for a fact about a metric, or about all values of it where they agree."""
    found = set(told.values()) if isinstance(told, Mapping) else {told}
    if len(found) > 1:
        return "several"
    (fact,) = found
    return words.get(fact, str(fact or ""))


def _suites() -> Listing:
    from ..suites import SUITES

    return Listing(
        [
            {
                "name": suite.name,
                "origin": origin("suites", suite.name),
                "tasks": list(suite.tasks),
                "models": list(suite.models),
                "metrics": list(suite.metrics),
                "steps": suite.budget.steps,
                "batch_size": suite.budget.batch_size,
                "samples": suite.samples,
                "seeds": list(suite.seeds),
                "summary": suite.summary,
            }
            for suite in SUITES.values()
        ],
        {
            "name": lambda s: s["name"],
            "tasks": lambda s: str(len(s["tasks"])),
            "models": lambda s: str(len(s["models"])),
            "metrics": lambda s: str(len(s["metrics"])),
            "seeds": lambda s: str(len(s["seeds"])),
            "steps": lambda s: f"{s['steps']:,}",
            "summary": _told,
        },
    )
