"""From the answers of a model to scores; what raises leaves its reason in its own place."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ....metrics.estimate import Estimate, EstimatedMetric
from ...contract.model import Likelihood
from ...contract.probe import Probe
from ...contract.record import Score
from ...contract.told import told
from ...suites.suite import Suite
from .inputs import Inputs
from .subset import judged

# Inputs that carry the claim of a likelihood with them.
CLAIMED = {"log_prob", "log_prob_samples", "law"}
# Inputs by which a metric is of one kind of probe.
KINDS = {
    "samples": {
        "samples", "labels", "states", "log_prob_samples", "probabilities", "score",
        "log_weights", "log_reward_samples",
    },
    "likelihood": {"log_prob", "law", "log_z_estimate", "log_weights_test", "log_prob_points"},
}  # fmt: skip

Factory = Callable[[], EstimatedMetric]


def scores(suite: Suite, inputs: Inputs) -> list[Score]:
    """Returns one `Score` per number of every metric of the suite that reads this answer."""
    wanted = inputs.probe.metrics or tuple(suite.metrics)
    return [
        score
        for name, factory in suite.metrics.items()
        if name in wanted and reads(factory, inputs.probe)
        for score in metric_scores(name, factory, inputs)
    ]


def arguments_of(factory: Factory) -> Mapping[str, inspect.Parameter]:
    """Returns the arguments of a metric's `update`, by name."""
    return inspect.signature(factory().update).parameters


def reads(factory: Factory, probe: Probe) -> bool:
    """Whether a metric reads the answers to a kind of probe."""
    return bool(KINDS[probe.kind] & set(arguments_of(factory)))


def metric_scores(name: str, factory: Factory, inputs: Inputs) -> list[Score]:
    """Returns the scores of one metric; without a number each says why.

    Whatever the metric raises is the reason of its own scores alone.
    """
    metric = factory()
    outputs = list(metric.unit) if isinstance(metric.unit, dict) else [name]
    blank = {output: _blank(metric, output, name, factory, inputs) for output in outputs}
    refuses = inputs.task.refuses
    refused = {output: refuses.get(output) or refuses.get(name, "") for output in outputs}
    needs = _needs(factory, inputs)
    empty = next((_missing(need, inputs) for need in needs if need not in inputs), "")
    if empty or all(refused.values()):
        return [_empty(blank[o], refused[o] or empty) for o in outputs]
    try:
        metric.to(inputs.device).update(**{need: inputs.get(need) for need in needs})
        result = metric.estimate()
    except Exception as error:  # recorded in the metric's own place: the other metrics go on
        return [_empty(blank[o], refused[o] or told(error)) for o in outputs]
    estimates = result if isinstance(result, dict) else {name: result}
    return [
        _empty(blank[o], refused[o]) if refused[o] else _filled(blank[o], estimates[o])
        for o in outputs
    ]


def _needs(factory: Factory, inputs: Inputs) -> list[str]:
    arguments = arguments_of(factory)
    return [a for a, p in arguments.items() if p.default is p.empty or a in inputs]


def _missing(need: str, inputs: Inputs) -> str:
    return inputs.missing.get(need, f"no `{need}` is measured here")


def _of(metric: EstimatedMetric, attribute: str, output: str) -> Any:
    value = getattr(metric, attribute)
    return value[output] if isinstance(value, dict) else value


def _blank(
    metric: EstimatedMetric, output: str, name: str, factory: Factory, inputs: Inputs
) -> Score:
    """The score without its number."""
    claimed = bool(CLAIMED & set(arguments_of(factory)))
    better = _of(metric, "higher_is_better", output)
    return Score(
        metric=output,
        unit=_of(metric, "unit", output),
        direction={True: "higher", False: "lower"}.get(better, ""),  # type: ignore[arg-type]
        mark=inputs.likelihood.mark if claimed else "",
        probe=inputs.probe.name,
        estimator=_estimator(factory, inputs),
        protocol=protocol(factory, inputs),
    )


def _empty(blank: Score, reason: str) -> Score:
    return blank.model_copy(update={"reason": reason, "mark": ""})


def _filled(blank: Score, estimate: Estimate) -> Score:
    return blank.model_copy(
        update={
            "value": float(estimate.value),
            "stderr": _known(estimate.stderr),
            "shared": _known(estimate.shared),
            "n": estimate.n,
            "note": estimate.note,
        }
    )


def _known(error: float) -> float | None:
    return None if math.isnan(error) else float(error)


def protocol(factory: Factory, inputs: Inputs) -> str:
    """Returns everything that must be equal for two numbers of a metric to share a column.

    The metric with its arguments, the task and its version, how the model was asked, and what it
    was compared with.
    """
    task, needs = inputs.task, set(arguments_of(factory))
    parts = [metric_protocol(factory), f"{task.name} v{task.version}"]
    parts += _asked(inputs, _estimator(factory, inputs), bool(CLAIMED & needs))
    if needs & {"log_prob_points", "log_reward_points"} and task.reward_points is not None:
        parts.append(f"{len(task.reward_points)} points")
    if needs & (KINDS["samples"] - {"probabilities", "score"}):
        parts.append(f"{inputs.n} samples")
    if "reference" in needs:
        parts.append(f"against {_reference(inputs)}")
    if "train" in needs and task.train is not None:
        parts.append(f"{len(task.train)} training rows")
    if {"samples", "reference", "train"} & needs:
        parts.append(f"features {task.feature_map}")
    if needs & {"log_prob", "log_weights_test"} and task.test is not None:
        parts.append(f"{len(judged(task.test, inputs.probe))} test rows")
    return "; ".join(parts)


def _estimator(factory: Factory, inputs: Inputs) -> str:
    """How the likelihood or the importance weights are computed that a metric reads; or ""."""
    needs = set(arguments_of(factory))
    if needs & {"log_weights", "log_weights_test"}:
        exact = inputs.likelihood is Likelihood.EXACT
        return "weights of points" if exact else "weights of trajectories"
    return inputs.estimator if needs & (CLAIMED | {"log_prob_points"}) else ""


def _asked(inputs: Inputs, estimator: str, claimed: bool) -> list[str]:
    """How a number's likelihood is computed and its samples are drawn, where it has a say."""
    probe = inputs.probe
    drawn = f"{probe.draws} draws" if probe.draws and claimed else ""
    found = [estimator or drawn, probe.sampler or ""]
    found.append(f"{probe.steps} steps" if probe.steps else "")
    return [part for part in found if part]


def _reference(inputs: Inputs) -> str:
    rows = getattr(inputs.task, inputs.probe.split)
    total = 0 if rows is None else len(rows)
    chosen = min(inputs.n, total)
    split = inputs.probe.split
    return f"all {total} {split} rows" if chosen == total else f"{chosen} of {total} {split} rows"


def metric_protocol(factory: Factory) -> str:
    """Returns the class and its arguments, such as "MMD(bandwidth=0.5)"."""
    cls = factory.func if isinstance(factory, partial) else factory
    keywords: Mapping[str, Any] = factory.keywords if isinstance(factory, partial) else {}
    listed = ", ".join(f"{k}={v!r}" for k, v in keywords.items())
    return f"{cls.__name__}({listed})"
