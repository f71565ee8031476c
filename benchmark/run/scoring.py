"""From evidence to scores: which tensors a metric gets, and why a cell is empty."""

from __future__ import annotations

import hashlib
import inspect
import math
from collections.abc import Callable, Mapping
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...metrics.estimate import Estimate, EstimatedMetric
from ...metrics.features import FEATURE_MAPS, FeatureCache, FrozenMap, feature_map
from ..contract.evidence import Evidence
from ..contract.model import Likelihood
from ..contract.record import Score
from ..contract.task import Task
from ..suites.suite import Suite

# Inputs that carry the claim of a likelihood with them.
CLAIMED = {"log_prob", "log_prob_samples"}


@lru_cache(maxsize=4)
def load_map(name: str, levels: int | None) -> tuple[FrozenMap | None, str]:
    """Returns the feature map of a task, or None and why it cannot be had on this machine.

    Args:
        name: Name of the map.
        levels: Levels of the task's domain.

    Raises:
        ValueError: No map has that name, or its weights are not the published ones.
    """
    # Maps that read the levels of a domain say so in their arguments.
    asks = "levels" in inspect.signature(FEATURE_MAPS.get(name, feature_map)).parameters
    try:
        return feature_map(name, **({"levels": levels} if asks else {})), ""
    except (FileNotFoundError, ImportError) as error:
        # Tables are shown to others: the reader's home is none of their business.
        return None, f"no features: {error}".replace(str(Path.home()), "~")


class Inputs:
    """The tensors of one cell under the names of the metrics' data contract.

    Args:
        task: The task, with its truth.
        evidence: What the model left.
        likelihood: What its log-probabilities claim.
        cache: Keeps the features of test and train rows, which are the same for every model.

    Attributes:
        tensors: Name to tensor or number, or to what computes it when it is needed.
        missing: Name to the reason why there is none.
        n: Number of samples, and of reference rows.
    """

    def __init__(
        self,
        task: Task,
        evidence: Evidence,
        likelihood: Likelihood,
        cache: FeatureCache | None = None,
    ) -> None:
        self.task, self.likelihood, self.cache = task, likelihood, cache
        self.n = len(evidence.samples)
        self.tensors: dict[str, Any] = {}
        self.missing: dict[str, str] = {}
        self._points(evidence)
        self._likelihood(evidence)
        self._truth(evidence)

    def _put(self, name: str, value: Any, reason: str) -> None:
        if value is None:
            self.missing[name] = reason
        else:
            self.tensors[name] = value

    def get(self, name: str) -> Any:
        """Returns the tensor or number of that name."""
        value = self.tensors[name]
        return value() if callable(value) else value

    def _points(self, evidence: Evidence) -> None:
        task = self.task
        features, reason = load_map(task.feature_map, task.domain.levels)
        reference = None if task.test is None else task.test[: self.n]
        rows = {"samples": evidence.samples, "reference": reference, "train": task.train}
        for name, points in rows.items():
            if features is None or points is None:
                self.missing[name] = reason or "the task has no such rows"
            else:
                kept = name != "samples"
                self.tensors[name] = cache(partial(self._features, features, points, kept))
        labels = None if task.modes is None else task.modes.assign(evidence.samples)
        self._put("labels", labels, "the modes of the task are not known")
        self._put("modes", task.modes and task.modes.count, "the modes of the task are not known")
        enumerable = task.domain.is_enumerable
        states = task.domain.index(evidence.samples) if enumerable else None
        self._put("states", states, "the states of the task cannot be enumerated")

    def _features(self, network: FrozenMap, points: Tensor, kept: bool) -> Tensor:
        if self.cache is None or not kept or not network.state_dict():
            return network(points)
        return self.cache(network, points)

    def _likelihood(self, evidence: Evidence) -> None:
        why = {
            Likelihood.NONE: "the model gives samples, no likelihood",
            Likelihood.UNNORMALIZED: "log p(x) up to a constant: no NLL until it is estimated",
        }.get(self.likelihood, "the log-probability was not probed")
        self._put("log_prob", evidence.log_prob, why)
        exact = "the model's own log p(x) is not exact"
        self._put("log_prob_samples", evidence.log_prob_samples, exact)
        self._put("law", evidence.law, "the model has no exact law over the states")
        self._put("log_z_estimate", evidence.log_z, "the model does not estimate log Z")

    def _truth(self, evidence: Evidence) -> None:
        task, unknown = self.task, "the density of the task is not known"
        density = task.log_density
        at_test = None if density is None or task.test is None else density(task.test)
        self._put("log_density", at_test, unknown)
        at_samples = None if density is None else density(evidence.samples)
        self._put("log_density_samples", at_samples, unknown)
        law = None
        if density is not None and task.domain.is_enumerable:
            law = density(task.domain.states()).double().exp()
        self._put("target", law, "the task has no exact law over states")
        self._put("log_z", task.log_z, "the task has no reward")
        self._put("dims", task.domain.dim if task.domain.levels else None, "real-valued data")


def scores(suite: Suite, inputs: Inputs) -> list[Score]:
    """Returns one `Score` a number of every metric of the suite, in the suite's order."""
    return [score for name in suite.metrics for score in _score(suite, name, inputs)]


def _score(suite: Suite, name: str, inputs: Inputs) -> list[Score]:
    factory, task = suite.metrics[name], inputs.task
    metric = factory()
    arguments = inspect.signature(metric.update).parameters
    needs = [a for a, p in arguments.items() if p.default is p.empty or a in inputs.tensors]
    outputs = list(metric.unit) if isinstance(metric.unit, dict) else [name]
    empty = next((inputs.missing[need] for need in needs if need in inputs.missing), "")
    refused = {o: task.refuses.get(o) or task.refuses.get(name, "") for o in outputs}
    if empty or all(refused.values()):
        return [_empty(metric, o, protocol(factory, inputs), refused[o] or empty) for o in outputs]
    metric.update(**{need: inputs.get(need) for need in needs})
    result = metric.estimate()
    estimates = result if isinstance(result, dict) else {name: result}
    mark = inputs.likelihood.mark if CLAIMED & set(needs) else ""
    return [
        _empty(metric, o, protocol(factory, inputs), refused[o])
        if refused[o]
        else _filled(metric, o, estimates[o], mark, protocol(factory, inputs))
        for o in outputs
    ]


def _of(metric: EstimatedMetric, attribute: str, output: str) -> Any:
    value = getattr(metric, attribute)
    return value[output] if isinstance(value, dict) else value


def _direction(metric: EstimatedMetric, output: str) -> Any:
    return {True: "higher", False: "lower"}.get(_of(metric, "higher_is_better", output), "")


def _empty(metric: EstimatedMetric, output: str, protocol: str, reason: str) -> Score:
    return Score(
        metric=output,
        unit=_of(metric, "unit", output),
        direction=_direction(metric, output),
        protocol=protocol,
        reason=reason,
    )


def _filled(
    metric: EstimatedMetric, output: str, estimate: Estimate, mark: str, protocol: str
) -> Score:
    return Score(
        metric=output,
        value=float(estimate.value),
        stderr=None if math.isnan(estimate.stderr) else float(estimate.stderr),
        n=estimate.n,
        unit=_of(metric, "unit", output),
        direction=_direction(metric, output),
        mark=mark,
        protocol=protocol,
        note=estimate.note,
    )


def protocol(factory: Callable[[], EstimatedMetric], inputs: Inputs) -> str:
    """Returns everything that must be equal for two numbers of a metric to share a column."""
    task = inputs.task
    parts = [metric_protocol(factory), f"{task.name} v{task.version}"]
    needs = inspect.signature(factory().update).parameters
    if "samples" in needs:
        parts.append(f"{inputs.n} samples")
    if "reference" in needs:
        parts.append(f"against the first {inputs.n} test rows")
    if "train" in needs and task.train is not None:
        parts.append(f"{len(task.train)} training rows")
    if {"samples", "reference", "train"} & set(needs):
        parts.append(f"features {task.feature_map}")
    if "log_prob" in needs and task.test is not None:
        parts.append(f"{len(task.test)} test rows")
    return "; ".join(parts)


def metric_protocol(factory: Callable[[], EstimatedMetric]) -> str:
    """Returns the class and its arguments, such as "MMD(bandwidth=0.5)"."""
    cls = factory.func if isinstance(factory, partial) else factory
    keywords: Mapping[str, Any] = factory.keywords if isinstance(factory, partial) else {}
    listed = ", ".join(f"{k}={v!r}" for k, v in keywords.items())
    return f"{cls.__name__}({listed})"


def metric_fingerprint(factory: Callable[[], EstimatedMetric]) -> list[str]:
    """What a score depends on: the metric, its arguments, the hash of its source file."""
    cls = factory.func if isinstance(factory, partial) else factory
    source = Path(inspect.getfile(cls)).read_bytes()
    return [metric_protocol(factory), hashlib.sha256(source).hexdigest()]


def sample_rows(x: Tensor, n: int) -> Tensor:
    """Returns n rows of `x`, chosen with a fixed seed where it has more."""
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    return x if len(x) == n else x[order[:n]]
