"""Checks a bundle: form, hashes, versions, scores from the samples, and training where asked.

| tier | what was done here |
|---|---|
| self-reported | the file is whole and of this version |
| re-scored | every number of quality was computed again from the answers, and is the same |
| re-trained | the model was trained again, and its numbers agree within their errors |

Costs are those of the submitter's machine in every tier.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor

from ....metrics.memorisation.nearest_neighbour_ratio import nearest_neighbour_ratio
from ...contract.record import Record, Score, read_records
from ...contract.task import Task
from ...names import known
from ...suites import SUITES, load_suite
from ...suites.suite import Suite
from ...tasks import load_task
from ..plan import make_plan
from ..recording import SAMPLING_COSTS, TRAINING_COSTS
from ..scoring.answers import Answer, judge
from ..scoring.inputs import load_map
from ..users.checks import checked_samples
from .bundle import Bundle

# A number computed again may differ by this share, or this share of its error: by rounding.
SHARE, OF_ERROR = 1e-3, 0.05
CLOSE, ERRORS = 0.8, 5.0  # a ratio below that, by so many standard errors, is that of copies
AGREE = 4.0  # standard errors within which a training again agrees
TIERS = ("self-reported", "re-scored", "re-trained")
EXACT = ("n", "mark", "direction", "unit")  # fields of a score that must be the same
COSTS = {name for name, *_ in (*TRAINING_COSTS, *SAMPLING_COSTS)}  # the submitter's own


@dataclass(frozen=True)
class Verdict:
    """What a check found on one record, or on the bundle.

    Attributes:
        what: Task and seed; "the bundle" for the whole.
        trouble: What is wrong; empty where nothing is.
        unchecked: What could not be checked, and why.
    """

    what: str
    trouble: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verified:
    """What became of a bundle.

    Attributes:
        tier: One of `TIERS`; empty where something is wrong.
        verdicts: What each check found.
        records: The records, with their tier.
    """

    tier: str
    verdicts: list[Verdict] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return bool(self.tier)


def verify(bundle: Bundle, *, retrain: bool = False, workers: int | None = None) -> Verified:
    """Checks a bundle.

    Args:
        bundle: What was handed in.
        retrain: Whether the model, one of the package, is trained again.
        workers: Worker processes of that; None is one per core.

    Raises:
        ValueError: The suite is none of this package, or a model that is none is to be trained.
    """
    known("suite", [bundle.manifest.suite], SUITES)
    suite = load_suite(bundle.manifest.suite)
    verdicts = [Verdict("the bundle", tuple(bundle.trouble))]
    verdicts += [_record(bundle, record, suite) for record in bundle.records]
    if not bundle.records:
        verdicts.append(Verdict("the bundle", ("it holds no record",)))
    tier = "re-scored"
    if retrain and not any(verdict.trouble for verdict in verdicts):
        verdicts += _retrained(bundle, suite, workers)
        tier = "re-trained"
    if any(verdict.trouble for verdict in verdicts):
        return Verified("", verdicts)
    if any(verdict.unchecked for verdict in verdicts) and tier != "re-trained":
        tier = "self-reported"
    marked = [record.model_copy(update={"tier": tier}) for record in bundle.records]
    return Verified(tier, verdicts, marked)


def _record(bundle: Bundle, record: Record, suite: Suite) -> Verdict:
    """Scores the answers of a record again."""
    what = f"{record.task}, seed {record.seed}"
    try:
        task = load_task(record.task)
        _check_task(record, task)
        answers = bundle.answers(record)
        for answer in answers:
            if answer.evidence.samples is not None:
                checked_samples(answer.evidence.samples, None, task.domain)
    except ValueError as error:
        return Verdict(what, (str(error).rstrip("."),))
    found = judge(suite, task, answers)
    without_map = load_map(task.feature_map, task.domain.levels)[1]
    wrong, unchecked = _compared(record, found.scores, without_map)
    missing = [flag for flag in found.flags if flag not in record.flags]
    wrong += [f"{flag}, which the record does not say" for flag in missing]
    wrong += [why for answer in answers if (why := _near_test(answer, task))]
    return Verdict(what, tuple(wrong), tuple(unchecked))


def _check_task(record: Record, task: Task) -> None:
    if record.task_version != task.version:
        raise ValueError(f"it is of version {record.task_version} of the task, not {task.version}")
    if record.rows != task.checksum:
        raise ValueError("its rows are not those of the task")
    if not record.probes:
        raise ValueError("it names no answers from which it was scored")


def _compared(
    record: Record, found: Iterable[Score], without_map: str
) -> tuple[list[str], list[str]]:
    """What of a record's numbers is wrong, and what could not be computed again.

    Args:
        record: As submitted.
        found: The scores of its answers.
        without_map: Why this machine has no features of the task; empty where it has.
    """
    again = {_place(score): score for score in found}
    wrong: list[str] = []
    unchecked: list[str] = []
    for score in record.scores:
        mine = again.pop(_place(score), None)
        if mine is None:
            if score.value is not None and score.metric not in COSTS:
                unchecked.append(f"{score.metric} is no number of this suite")
        elif mine.value is None and score.value is not None:
            lacks = without_map and mine.reason == without_map
            told = f"{score.metric} cannot be computed from the answers: {mine.reason}"
            (unchecked if lacks else wrong).append(told)
        elif score.value is None and mine.value is not None:
            wrong.append(f"{score.metric} is {mine.value:.5g}, and the record is silent on it")
        elif mine.value is not None:
            wrong += _differs(score, mine)
    wrong += [
        f"{score.metric} is {score.value:.5g} by the suite's protocol, which the record lacks"
        for score in again.values()
        if score.value is not None
    ]
    return wrong, unchecked


def _place(score: Score) -> tuple[str, str, str]:
    return score.metric, score.probe, score.protocol


def _differs(theirs: Score, mine: Score) -> Iterator[str]:
    """Says in which fields a score is another one than the same computed here."""
    alike = {
        "value": _alike(theirs.value, mine.value, mine.stderr),
        "stderr": _alike(theirs.stderr, mine.stderr, mine.stderr),
        **{name: getattr(theirs, name) == getattr(mine, name) for name in EXACT},
    }
    for name, same in alike.items():
        if not same:
            here, there = _shown(getattr(mine, name)), _shown(getattr(theirs, name))
            yield f"{theirs.metric}: its {name} is {here} here, the record says {there}"


def _shown(value: object) -> str:
    return f"{value:.5g}" if isinstance(value, float) else repr(value)


def _alike(a: float | None, b: float | None, error: float | None) -> bool:
    """Whether two numbers differ by rounding alone; what is no number must be the same."""
    if a is None or b is None or not (math.isfinite(a) and math.isfinite(b)):
        both_nan = a is not None and b is not None and math.isnan(a) and math.isnan(b)
        return a == b or both_nan
    reach = max(SHARE * max(abs(a), abs(b)), 1e-6)
    return abs(a - b) <= max(reach, OF_ERROR * error if error and math.isfinite(error) else 0.0)


def _near_test(answer: Answer, task: Task) -> str:
    """Says that samples lie closer to test rows than fresh data do; empty where they do not.

    Bytes alone (`copy_flags`) miss copies with a little noise.
    """
    samples, test, fresh = answer.evidence.samples, task.test, task.unseen
    if samples is None or test is None or fresh is None or answer.probe.label:
        return ""
    network, _ = load_map(task.feature_map, task.domain.levels)
    if network is None:
        return ""

    def points(x: Tensor) -> Tensor:
        return network(x if x.is_floating_point() else x.long())

    found = nearest_neighbour_ratio(points(samples), points(fresh), points(test))
    if found.value < CLOSE and found.value + ERRORS * found.stderr < 1:
        return (
            f"its samples lie closer to test rows than fresh data do: {found.value:.3g} ± "
            f"{found.stderr:.2g} of their distance"
        )
    return ""


def _retrained(bundle: Bundle, suite: Suite, workers: int | None) -> list[Verdict]:
    """Trains the model again on the same tasks and seeds, and compares."""
    from ..execution import execute

    name = bundle.manifest.model
    if name not in suite.models:
        raise ValueError(
            f"Expected a model of the suite {suite.name} to train again, got {name}; a model of "
            "one's own is trained by its own file: run it, and compare."
        )
    seeds = max(record.seed for record in bundle.records) + 1
    tasks = list(dict.fromkeys(record.task for record in bundle.records))
    with tempfile.TemporaryDirectory() as folder:
        plan = make_plan(
            suite.name, out=Path(folder), tasks=tasks, models=[name], seeds=seeds, workers=workers
        )
        execute(plan, lambda job, record: None)
        again = {record.cell: record for record in read_records(plan.root)}
    return [_agrees(record, again.get(record.cell)) for record in bundle.records]


def _agrees(record: Record, again: Record | None) -> Verdict:
    what = f"{record.task}, seed {record.seed}, trained again"
    if again is None or again.status != "ok":
        return Verdict(what, (f"it ended as {again.status}: {again.reason}" if again else "none",))
    mine = {_place(score): score for score in again.scores}
    wrong = []
    for score in record.scores:
        other = mine.get(_place(score))
        if score.metric in COSTS or other is None or score.value is None or other.value is None:
            continue
        error = math.hypot(score.stderr or 0.0, other.stderr or 0.0)
        if not _alike(score.value, other.value, AGREE / OF_ERROR * error):
            wrong.append(
                f"{score.metric} is {other.value:.5g} ± {other.stderr or 0:.2g}, the record says "
                f"{score.value:.5g} ± {score.stderr or 0:.2g}"
            )
    return Verdict(what, tuple(wrong))
