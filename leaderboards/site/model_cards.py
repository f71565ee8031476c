"""What a site says of one model over all suites: a page each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...benchmark.contract.record import Record
from ..hardware import distinct
from ..page.gallery import Gallery, gallery_of
from ..page.page import Curve, Model, curves_of, models_of
from ..report import Results
from ..tables.board import Board, Row
from ..tables.columns import Column
from ..tables.entry import Entry
from ..tables.standings import Score, Standings
from .bibliography import bibtex, title
from .defaults import default_arguments


@dataclass(frozen=True)
class Result:
    """A model's number on a task of a suite: the task's leading metric, and its score.

    Attributes:
        task: Name of the task.
        column: The leading metric.
        cell: The number, or why there is none.
        best: The best number of a model that is no control, and whose; None where it has none.
        score: Between floor and oracle, where the task counts for it.
    """

    task: str
    column: Column
    cell: Entry
    best: tuple[str, Entry] | None
    score: Score | None


@dataclass(frozen=True)
class InSuite:
    """A model within one suite.

    Attributes:
        suite: Name of the suite.
        results: A number per task.
        told: Claims and arguments, each with its tasks.
        budgets: Steps and batch sizes, each with its tasks.
        curves: Training curves by task.
        samples: Its samples by task.
        cells: Every record, with the address of its JSON from the site's top.
    """

    suite: str
    results: Sequence[Result]
    told: Model
    budgets: Sequence[tuple[str, str]]
    curves: Sequence[tuple[str, Curve]]
    samples: Sequence[tuple[str, Gallery]]
    cells: Sequence[tuple[Record, str]]


@dataclass(frozen=True)
class Card:
    """A model over all suites.

    Attributes:
        first: Its newest record.
        title: Of its paper; empty where it is not known.
        bibtex: Of its papers.
        defaults: Default arguments of its class.
        hardware: Where it was trained.
        suites: The suites that it is in.
    """

    first: Record
    title: str
    bibtex: str
    defaults: Mapping[str, str]
    hardware: Sequence[str]
    suites: Sequence[InSuite]

    @property
    def claims(self) -> list[str]:
        """What it says of log p(x), each once."""
        return distinct(claim for suite in self.suites for claim in suite.told.claims)


def cards(
    found: Mapping[str, Results],
    overall: Mapping[str, Standings],
    addresses: Mapping[str, Mapping[int, str]],
) -> dict[str, Card]:
    """Returns the card of every model that is no control, by name.

    Args:
        found: The suites' records and tables.
        overall: Their standings.
        addresses: By suite and identity of a record, where its JSON lies from the site's top.
    """
    by_model: dict[str, dict[str, list[Record]]] = {}
    for suite, results in found.items():
        for record in results.records:
            if record.family != "control":
                by_model.setdefault(record.model, {}).setdefault(suite, []).append(record)
    return {
        model: _card(
            model,
            [
                _in_suite(suite, records, found[suite], overall[suite], addresses[suite])
                for suite, records in suites.items()
            ],
        )
        for model, suites in sorted(by_model.items())
    }


def _card(model: str, suites: Sequence[InSuite]) -> Card:
    records = [record for suite in suites for record, _ in suite.cells]
    newest = max(records, key=lambda record: record.created)
    return Card(
        first=newest,
        title=title(newest.paper),
        bibtex=bibtex(newest.paper),
        defaults=default_arguments(newest.model_path),
        hardware=distinct(record.environment.hardware for record in records),
        suites=suites,
    )


def _in_suite(
    suite: str,
    records: Sequence[Record],
    results: Results,
    overall: Standings,
    addresses: Mapping[int, str],
) -> InSuite:
    model = records[0].model
    scores = next((row.scores for row in overall.rows if row.model == model), {})
    curves, samples = [], []
    for task, board in results.boards.items():
        own = [record for record in board.records if record.model == model]
        curves += [(task, curve) for curve in curves_of(own, results.root)[0]]
        about = results.tasks.get(task)
        if about is not None and any({"samples", "law"} & r.files.keys() for r in own):
            samples.append((task, gallery_of(about, own, results.root)))
    return InSuite(
        suite=suite,
        results=[
            result
            for task, board in results.boards.items()
            if (result := _result(model, board, scores.get(task)))
        ],
        told=models_of(records)[0],
        budgets=_budgets(records),
        curves=curves,
        samples=samples,
        cells=[(record, addresses[id(record)]) for record in records],
    )


def _result(model: str, board: Board, score: Score | None) -> Result | None:
    row = next((row for row in board.rows if row.model == model), None)
    lead = next((column for column in board.leading if not column.is_cost), None)
    if row is None or lead is None:
        return None
    return Result(board.task, lead, row.cells[lead], _best(board.models, lead), score)


def _best(rows: Sequence[Row], column: Column) -> tuple[str, Entry] | None:
    sign = -1.0 if column.direction == "higher" else 1.0
    fit = [
        row
        for row in rows
        if row.may_be_best and row.cells[column].value is not None and not row.cells[column].unfit
    ]
    if not fit or not column.direction:
        return None
    best = min(fit, key=lambda row: sign * (row.cells[column].value or 0.0))
    return best.model, best.cells[column]


def _budgets(records: Sequence[Record]) -> list[tuple[str, str]]:
    tasks: dict[str, dict[str, None]] = {}
    for r in records:
        if r.budget.get("steps"):
            text = f"{r.budget['steps']} steps of {r.budget.get('batch_size', 0)}"
            tasks.setdefault(text, {})[r.task] = None
    return [(text, ", ".join(names)) for text, names in tasks.items()]
