"""A metric of the user's on answers that are stored: a new column without a new training run."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from ....metrics.estimate import Estimate, EstimatedMetric
from ....metrics.features import FeatureCache
from ...contract.probe import Probe
from ...contract.record import Record, read_records, write_record
from ...names import snake
from ...suites.model_file import load_model_class
from ...tasks import load_task
from ..keys import content as keys
from ..store import Store
from .answers import Answer
from .by_metric import metric_scores, reads
from .inputs import Inputs


class OfFunction:
    """A function of tensors by name, as metrics are asked; a subclass holds the function."""

    unit = ""
    higher_is_better: bool | None = None
    shares = "all"
    function: Callable[..., Any]

    def to(self, device: str) -> OfFunction:
        """The function computes where its tensors are."""
        return self

    def update(self, **given: Any) -> None:
        """Keeps what the function is called with."""
        self.given = given

    def estimate(self) -> Estimate:
        """Calls the function; a plain number has no error bar."""
        found = type(self).function(**self.given)
        if isinstance(found, Estimate):
            return found
        points = next((x for x in self.given.values() if isinstance(x, torch.Tensor)), ())
        return Estimate(float(found), float("nan"), len(points))


def load_metric(target: str) -> tuple[str, Callable[[], Any]]:
    """Returns the name and the factory of "file.py:Metric" or "package.module:metric".

    A metric is a subclass of `EstimatedMetric`, or a function whose arguments have the names of
    the tensors that it needs (`samples`, `reference`, `train`, `log_prob`, ...; CONTRIBUTING lists
    them) and that returns an `Estimate` or a number. The function may have the attributes `unit`
    and `higher_is_better`.

    Raises:
        ValueError: There is none of that name, or it is neither.
    """
    found = load_model_class(target)
    name = str(getattr(found, "__name__", target.rpartition(":")[2]))
    if inspect.isclass(found):
        if not issubclass(found, EstimatedMetric):
            raise ValueError(
                f"Expected {name} to be a subclass of dgmbench.metrics.EstimatedMetric, or a "
                "function that returns a number."
            )
        return snake(name), found
    update = _with_signature(found)
    asked = {
        "function": staticmethod(found),
        "update": update,
        "unit": getattr(found, "unit", ""),
        "higher_is_better": getattr(found, "higher_is_better", None),
    }
    return name, type(name, (OfFunction,), asked)


def _with_signature(function: Callable[..., Any]) -> Callable[..., None]:
    """`update` with the arguments of a function, by which the harness knows what to hand over."""

    def update(self: OfFunction, **given: Any) -> None:
        self.given = given

    parameters = list(inspect.signature(function).parameters.values())
    own = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    keyword = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in parameters]
    update.__signature__ = inspect.Signature([own, *keyword])  # type: ignore[attr-defined]
    return update


def add_metric(root: Path, target: str) -> Iterator[tuple[Record, str]]:
    """Scores the stored answers of every cell of a results folder with a metric, one by one.

    Args:
        root: The results folder.
        target: As in `load_metric`.

    Yields:
        Each record as it is written, and why it has no answers; empty where it has.

    Raises:
        ValueError: No such metric.
    """
    name, factory = load_metric(target)
    store = Store(root)
    for record in read_records(root):
        if record.status != "ok":
            continue
        answers = [a for a in _answers(record, store) if reads(factory, a.probe)]
        if not answers:
            yield record, "its answers are not stored"
            continue
        task = load_task(record.task)
        code = keys.map_key(task.feature_map, task.domain.levels).get("code", "")
        cache = FeatureCache(root / "features", code)
        found = []
        for answer in answers:
            inputs = Inputs(
                task, answer.probe, answer.evidence, answer.likelihood, answer.estimator, cache,
                reason=answer.reason,
            )  # fmt: skip
            found += metric_scores(name, factory, inputs)
        new = {(s.metric, s.probe) for s in found}
        kept = [s for s in record.scores if (s.metric, s.probe) not in new]
        changed = record.model_copy(update={"scores": (*kept, *found)})
        write_record(changed, root)
        yield changed, ""


def _answers(record: Record, store: Store) -> Iterator[Answer]:
    """The stored answers of a record, but those that are points of a curve."""
    for name, settings in record.probes.items():
        likelihood = name.startswith("likelihood")
        probe = Probe("likelihood" if likelihood else "samples", **settings)
        folder = store.open("probe", record.keys[name]) if name in record.keys else None
        if folder is not None and (likelihood or not probe.label):
            yield Answer.load(probe, folder)
