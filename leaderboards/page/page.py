"""`report.html`: one file that opens without a network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from ...benchmark.contract.record import MODES, SETTLED, Record, TaskRecord
from ..tables.board import Board
from ..tables.columns import Column
from ..tables.pareto import trade
from ..tables.standings import standings
from . import svg
from .attachments import Unshown, curve
from .gallery import Gallery, gallery_of
from .modes_plot import modes_plot
from .nfe_plot import nfe_plot
from .pareto_plot import pareto_plot
from .published import Paper
from .ranks_plot import ranks_plot
from .rendering import ALONE, Links, render

Rows = list[tuple[float, float]]


@dataclass(frozen=True)
class Curve:
    """Training curve of one model: an SVG with its players' names, or what is wrong with it."""

    model: str
    family: str
    svg: str = ""
    players: tuple[str, ...] = ()
    trouble: str = ""


@dataclass(frozen=True)
class Model:
    """A model over all tasks: its first record, its claims, its arguments with their tasks."""

    first: Record
    claims: list[str]
    arguments: list[tuple[str, str]]


@dataclass(frozen=True)
class Section:
    """Everything that the page says of one task."""

    task: TaskRecord
    board: Board
    counts: str
    lead: Column | None
    dots: Markup
    compute: Markup
    steps: Markup
    gallery: Gallery
    curves: tuple[Curve, ...]
    modes: Markup


def render_page(
    heading: str,
    facts: Sequence[tuple[str, Sequence[str]]],
    records: Sequence[Record],
    tasks: Mapping[str, TaskRecord],
    boards: Mapping[str, Board],
    root: Path,
    published: Sequence[Paper] = (),
    links: Links = ALONE,
) -> str:
    """Renders the page.

    Args:
        heading: The heading.
        facts: Where the cells ran (`machines`).
        records: The newest record of every cell.
        tasks: Descriptions of tasks, by name.
        boards: Their boards, by name of the task.
        root: Results folder; only files whose SHA-256 is the recorded one are shown.
        published: Comparisons with papers (`published.papers`).
        links: Where the page leads to, in a site.
    """
    sections = [
        _section(tasks.get(name) or _unknown(board), board, root) for name, board in boards.items()
    ]
    overall = standings(boards)
    shown = [record for board in boards.values() for record in board.records]
    return render(
        "report.html",
        links,
        title=heading,
        suites=list(dict.fromkeys(r.suite for r in records)),
        written=max((r.created for r in records), default=None),
        environment=facts,
        sections=sections,
        standings=overall,
        ranks=Markup(ranks_plot(overall.critical) if overall.critical else ""),
        failures=[r for r in records if r.status not in SETTLED],
        refusals=[r for r in records if r.status == "not admitted"],
        published=published,
        models=models_of(shown),
        families=sorted({r.family for r in shown if r.family != "control"}),
        claims=list(dict.fromkeys(r.likelihood for r in shown if r.family != "control")),
    )


def _section(task: TaskRecord, board: Board, root: Path) -> Section:
    lead = next((c for c in board.leading if not c.is_cost), None)
    curves, modes = curves_of(board.records, root)
    return Section(
        task=task,
        board=board,
        counts=_counts(board.records),
        lead=lead,
        dots=Markup(svg.dots(board, lead)) if lead else Markup(),
        compute=_compute(board, lead),
        steps=_steps(board, lead),
        gallery=gallery_of(task, board.records, root),
        curves=tuple(curves),
        modes=Markup(modes_plot(modes)),
    )


def _compute(board: Board, lead: Column | None) -> Markup:
    """Draws the leading metric against what training cost; controls are none to compare with."""
    records = [record for record in board.records if record.family != "control"]
    found = trade(records, lead.metric) if lead else None
    return Markup(pareto_plot(found)) if found else Markup()


def _steps(board: Board, lead: Column | None) -> Markup:
    """Draws quality against function evaluations: the leading metric, else the first measured."""
    measured = [column.metric for column in board.curve_columns]
    if not measured:
        return Markup()
    metric = lead.metric if lead and lead.metric in measured else measured[0]
    return Markup(nfe_plot(board.curves, metric))


def _unknown(board: Board) -> TaskRecord:
    version = board.records[0].task_version
    return TaskRecord(name=board.task, version=version, kind="", shape=())


def _counts(records: Sequence[Record]) -> str:
    statuses: list[str] = [record.status for record in records]
    return ", ".join(f"{statuses.count(status)} {status}" for status in dict.fromkeys(statuses))


def curves_of(records: Sequence[Record], root: Path) -> tuple[list[Curve], dict[str, Rows]]:
    """Returns a curve per model, of the first seed that has one, and the modes that it found."""
    found: dict[str, Curve] = {}
    modes: dict[str, Rows] = {}
    for record in records:
        if record.model in found or "curve" not in record.files:
            continue
        try:
            players = curve(record.files["curve"], root)
        except Unshown as error:
            found[record.model] = Curve(record.model, record.family, trouble=str(error))
            continue
        if MODES in players:
            modes[record.model] = players.pop(MODES)
        if drawn := svg.curves(players):
            names = tuple(players)
            found[record.model] = Curve(record.model, record.family, Markup(drawn), names)
    return list(found.values()), modes


def models_of(records: Sequence[Record]) -> list[Model]:
    """Returns every model in the order of its records.

    Claims and arguments can differ by task, so each is named once.
    """
    found: dict[str, list[Record]] = {}
    for record in records:
        found.setdefault(record.model, []).append(record)
    return [
        Model(
            first=cells[0],
            claims=list(dict.fromkeys(r.likelihood for r in cells if r.status != "not admitted")),
            arguments=_by_task((_arguments(r), r.task) for r in cells),
        )
        for cells in found.values()
    ]


def _arguments(record: Record) -> str:
    return ", ".join(f"{name}={value}" for name, value in record.arguments.items())


def _by_task(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Texts with the tasks that they hold on; no task is named where all say the same."""
    tasks: dict[str, list[str]] = {}
    for text, task in pairs:
        tasks.setdefault(text, []).append(task)
    if len(tasks) == 1:
        return [(text, "") for text in tasks]
    return [(text, ", ".join(dict.fromkeys(names))) for text, names in tasks.items() if text]
