"""Short tables for the terminal: one a task, its leading columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..tables.board import MOST_COLUMNS, Board
from ..tables.columns import Column, heading
from ..tables.entry import Entry, printed

_MARKS = {"=": "= ", "<=": "≤ ", "~": "~ "}


def print_boards(boards: Mapping[str, Board], console: Console) -> None:
    """Prints the leading columns of every task, one table per task."""
    if not boards:
        console.print("No records.")
    room = max(1, min(MOST_COLUMNS, (console.width - 34) // 21))
    for board in boards.values():
        console.print(_table(board, board.leading[:room]))
    if boards:
        console.print(
            "* best or tied with it, of three seeds or more; = exact, ≤ upper bound, ~ estimate "
            "(not ranked).\n"
        )


def _table(board: Board, found: Sequence[Column]) -> Table:
    table = Table(
        title=Text(board.task, style="bold"),
        caption=Text("\n".join([board.caption, *_flags(board)])),
        title_justify="left",
        caption_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    for head in ("family", "model"):
        table.add_column(head, no_wrap=True)
    for column in found:
        table.add_column(Text(heading(column)), justify="right", no_wrap=True)
    for place, row in enumerate(board.rows):
        closes = place + 1 == len(board.models) and bool(board.controls)
        cells = [_cell(column, row.cells[column]) for column in found]
        marks = ("†" if row.flags and not row.is_control else "") + ("‡" if row.stored else "")
        model = Text(f"{row.model} {marks}".rstrip())
        table.add_row(Text(row.family), model, *cells, end_section=closes)
    return table


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
