"""`records.csv` and `leaderboard.csv`: every score, and every printed cell, one a line.

Of a mean over seeds `stderr_drawn` is the part of the error that seeds draw anew (training and
samples), `stderr_shared` the part that they share (test rows, reference).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence

from ...benchmark.contract.record import Record
from ..tables.board import Board
from ..tables.entry import printed

RECORD_COLUMNS = (
    "suite",
    "task",
    "model",
    "family",
    "seed",
    "metric",
    "value",
    "stderr",
    "shared",
    "n",
    "unit",
    "direction",
    "mark",
    "probe",
    "estimator",
    "protocol",
    "status",
    "reason",
)
BOARD_COLUMNS = (
    "task",
    "family",
    "model",
    "learns_from",
    "metric",
    "protocol",
    "unit",
    "direction",
    "mark",
    "value",
    "stderr",
    "stderr_drawn",
    "stderr_shared",
    "n",
    "seeds",
    "best",
    "printed",
    "status",
    "remark",
)


def records_csv(records: Iterable[Record]) -> str:
    """Returns one line a score, and one with an empty metric for each cell that is not ok."""
    lines: list[Sequence[object]] = []
    for r in records:
        cell = (r.suite, r.task, r.model, r.family, r.seed)
        if r.status != "ok" or not r.scores:
            lines.append((*cell, *[""] * 11, r.status, r.reason))
        for s in r.scores:
            number = (s.metric, s.value, s.stderr, s.shared, s.n, s.unit, s.direction, s.mark)
            asked = (s.probe, s.estimator, s.protocol)
            lines.append((*cell, *number, *asked, r.status, s.reason or r.reason))
    return _csv(RECORD_COLUMNS, lines)


def leaderboard_csv(boards: Mapping[str, Board]) -> str:
    """Returns one line a cell of the tables: long, so that no column mixes protocols."""
    lines = [
        _cell_line(board, row_place, column_place)
        for board in boards.values()
        for row_place in range(len(board.rows))
        for column_place in range(len(board.columns))
    ]
    return _csv(BOARD_COLUMNS, lines)


def _cell_line(board: Board, row_place: int, column_place: int) -> Sequence[object]:
    row, column = board.rows[row_place], board.columns[column_place]
    cell = row.cells[column]
    number = printed(column, cell)
    return (
        board.task,
        row.family,
        row.model,
        row.learns_from,
        column.metric,
        column.protocol,
        column.unit,
        column.direction,
        cell.mark,
        cell.value,
        cell.stderr,
        cell.drawn,
        cell.shared if cell.drawn is not None else None,
        cell.n,
        cell.seeds,
        cell.best,
        number.text if number else "",
        cell.status,
        cell.remark,
    )


def _csv(head: Sequence[str], lines: Iterable[Sequence[object]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(head)
    writer.writerows([_inert(value) for value in line] for line in lines)
    return out.getvalue()


def _inert(value: object) -> object:
    """Text that a spreadsheet would take for a formula, behind an apostrophe."""
    formula = isinstance(value, str) and len(value) > 1 and value[0] in "=+-@"
    number = isinstance(value, str) and value[1:2] in ".0123456789 "
    return f"'{value}" if formula and not number else value
