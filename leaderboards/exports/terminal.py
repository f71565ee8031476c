"""Short tables for the terminal: one a task, its leading columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..tables.board import Board, Row
from ..tables.columns import Column, heading
from ..tables.entry import Entry, printed

ROOMY = 100  # characters from which families have a column of their own
_GAP = 2  # characters between two columns
_COSTS = ("training_core_seconds", "training_seconds")
_MARKS = {"=": "= ", "<=": "≤ ", "~": "~ "}


@dataclass(frozen=True)
class Shown:
    """One column of a short table: the first of some columns in which a row has a number.

    Attributes:
        heading: What stands above it.
        columns: The columns; several where a likelihood is computed in several ways.
    """

    heading: str
    columns: Sequence[Column]

    def cell(self, row: Row) -> tuple[Column, Entry]:
        """Returns a row's cell and the column that it is of."""
        filled = (c for c in self.columns if row.cells[c].value is not None)
        column = next(filled, self.columns[0])
        return column, row.cells[column]


def print_boards(boards: Mapping[str, Board], console: Console) -> None:
    """Prints what says most of every task: its primary metric, likelihood, cost, and what fits."""
    if not boards:
        console.print("No records.")
    for board in boards.values():
        console.print(_table(board, shown(board, console.width), console.width >= ROOMY))
    if boards:
        console.print(
            "* best or tied with it, of three seeds or more; = exact, ≤ upper bound, ~ estimate "
            "(not ranked).\n"
        )


def shown(board: Board, width: int) -> list[Shown]:
    """Returns the columns that a terminal has room for, whole: the most telling first."""
    likelihood = [c for c in board.columns if c.metric == "nll"]
    costs = [c for name in _COSTS for c in board.columns if c.metric == name]
    others = [c for c in board.leading if c not in (*likelihood, *costs)]
    found = [Shown(heading(c), [c]) for c in others]
    found[1:1] = [
        *([Shown(heading(likelihood[0], likelihood[0].plain), likelihood)] if likelihood else []),
        *([Shown(heading(costs[0]), costs[:1])] if costs else []),
    ]
    families = max((len(row.family) for row in board.rows), default=0) + _GAP
    names = max((len(_name(row)) for row in board.rows), default=0) + _GAP
    room = width - 2 - names - (families if width >= ROOMY else 0)
    kept: list[Shown] = []
    for one in found:
        need = _width(board, one) + _GAP
        if need <= room or not kept:
            kept.append(one)
            room -= need
    return kept


def _width(board: Board, one: Shown) -> int:
    cells = (_cell(*one.cell(row)) for row in board.rows)
    return max(len(one.heading), *(len(cell) for cell in cells))


def _table(board: Board, found: Sequence[Shown], with_family: bool) -> Table:
    known = {c for one in found for c in one.columns}
    left = len({c.metric for c in board.columns} - {c.metric for c in known})
    more = [f"{left} more metrics: leaderboard.md, report.html."] if left else []
    table = Table(
        title=Text(board.task, style="bold"),
        caption=Text("\n".join([board.caption, *_flags(board), *more])),
        title_justify="left",
        caption_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    for head in ("family", "model") if with_family else ("model",):
        table.add_column(head, no_wrap=True)
    for one in found:
        table.add_column(Text(one.heading), justify="right", no_wrap=True)
    for place, row in enumerate(board.rows):
        closes = place + 1 == len(board.models) and bool(board.controls)
        cells = [_cell(*one.cell(row)) for one in found]
        family = [Text(row.family)] if with_family else []
        table.add_row(*family, Text(_name(row)), *cells, end_section=closes)
    return table


def _name(row: Row) -> str:
    """A model with the marks that the lines below the table explain."""
    marks = ("†" if row.flags and not row.is_control else "") + ("‡" if row.stored else "")
    return f"{row.model} {marks}".rstrip()


def _flags(board: Board) -> list[str]:
    """One line per model whose samples are not its own, and one for stored rows."""
    found = [f"† {row.model}: {'; '.join(row.flags)}." for row in board.models if row.flags]
    stored = any(row.stored for row in board.rows)
    return [*found, *(["‡ stored: came with the package, not run here."] if stored else [])]


def _cell(column: Column, cell: Entry) -> Text:
    number = printed(column, cell)
    if number is None:
        return Text(cell.short, style="dim")
    text = f"{_MARKS.get(cell.mark, '')}{number.text}"
    return Text(f"*{text}", style="bold") if cell.best else Text(text)
