"""One table for a paper: chosen metrics and models of one task.

As Markdown, LaTeX or CSV it holds numbers as they are printed: the best one of a column is bold,
those that are not told from it are underlined. As Parquet it holds them whole.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

from ...benchmark.names import known
from ..tables.board import Board, Row
from ..tables.columns import Column, heading
from ..tables.entry import printed
from ..tables.rounding import Rounded, fixed
from . import latex, markdown

FORMATS = ("md", "tex", "csv")
PARQUET = "parquet"


@dataclass(frozen=True)
class Chosen:
    """What a table shows.

    Attributes:
        metrics: Names of metrics, in this order; None is the few that say most.
        models: Names of models, in this order; None is all, the controls last.
        decimals: Digits behind the point of a value and its error; None is as many as the error
            justifies.
        transposed: Whether models are columns.
    """

    metrics: Sequence[str] | None = None
    models: Sequence[str] | None = None
    decimals: int | None = None
    transposed: bool = False

    def __post_init__(self) -> None:
        if self.decimals is not None and not 0 <= self.decimals <= 6:
            raise ValueError(f"Expected 0 to 6 digits, got {self.decimals}.")


@dataclass(frozen=True)
class Cell:
    """What stands in a cell: a number or a word, and how it is set off ("best", "tie", "")."""

    text: Rounded | str
    mark: str = ""
    standing: str = ""
    note: str = ""


def paper_table(board: Board, form: str, chosen: Chosen) -> str:
    r"""Returns the table.

    Args:
        board: The tables of the task.
        form: One of `FORMATS`; "tex" is a fragment for `\input`, in need of booktabs.
        chosen: What it shows.

    Raises:
        ValueError: An unknown format, metric or model.
    """
    known("format", [form], FORMATS)
    columns, rows = _columns(board, chosen), _rows(board, chosen)
    cells = [[_cell(board, column, row, chosen) for column in columns] for row in rows]
    names = [f"{row.model} ({row.role})" if row.role else row.model for row in rows]
    heads = [heading(column) for column in columns]
    corner = "Model"
    if chosen.transposed:
        cells, names, heads = [list(line) for line in zip(*cells, strict=True)], heads, names
        corner = "Metric"
    notes = list(dict.fromkeys(cell.note for line in cells for cell in line if cell.note))
    write = {"md": _markdown, "tex": _latex, "csv": _csv}[form]
    return write([corner, *heads], names, cells, notes)


def paper_parquet(board: Board, chosen: Chosen) -> bytes:
    """Returns the same table as Parquet: unrounded values, standard errors, and what is best.

    Args:
        board: The tables of the task.
        chosen: What it shows; `decimals` and `transposed` do not matter, a row is a model.

    Raises:
        ValueError: An unknown metric or model.
    """
    import pandas as pd  # it takes a while

    rows = _rows(board, chosen)
    found: dict[str, list[object]] = {
        "model": [row.model for row in rows],
        "family": [row.family for row in rows],
        "role": [row.role for row in rows],
        "seeds": [row.seeds for row in rows],
    }
    for column in _columns(board, chosen):
        cells, name = [row.cells[column] for row in rows], heading(column)
        name = f"{name} [{column.protocol}]" if name in found else name
        found[name] = [math.nan if cell.value is None else cell.value for cell in cells]
        found[f"{name} stderr"] = [math.nan if c.stderr is None else c.stderr for c in cells]
        found[f"{name} mark"] = [cell.mark for cell in cells]
        found[f"{name} best"] = [cell.best for cell in cells]
    out = io.BytesIO()
    pd.DataFrame(found).to_parquet(out, index=False)
    return out.getvalue()


def _columns(board: Board, chosen: Chosen) -> list[Column]:
    if chosen.metrics is None:
        return list(board.leading)
    known("metric", chosen.metrics, dict.fromkeys(c.metric for c in board.columns))
    return [c for metric in chosen.metrics for c in board.columns if c.metric == metric]


def _rows(board: Board, chosen: Chosen) -> list[Row]:
    if chosen.models is None:
        return [row for row in board.rows if row.admitted]
    by_name = {row.model: row for row in board.rows}
    known("model", chosen.models, by_name)
    return [by_name[name] for name in chosen.models]


def _cell(board: Board, column: Column, row: Row, chosen: Chosen) -> Cell:
    entry = row.cells[column]
    number = printed(column, entry)
    if number is None or entry.value is None:
        return Cell(entry.short, note=f"{row.model}: {entry.remark}" if entry.remark else "")
    if chosen.decimals is not None and not column.is_cost:
        number = fixed(entry.value, entry.stderr, chosen.decimals)
    standing = ""
    if entry.best:
        sign = 1 if column.direction == "lower" else -1
        among = [r.cells[column] for r in board.rows if r.cells[column].best]
        first = min(sign * cell.value for cell in among if cell.value is not None)
        standing = "best" if sign * entry.value == first else "tie"
    return Cell(number, entry.mark, standing)


Lines = Sequence[Sequence[Cell]]


def _markdown(heads: Sequence[str], names: Sequence[str], cells: Lines, notes: list[str]) -> str:
    def text(cell: Cell) -> str:
        if isinstance(cell.text, str):
            return markdown.escape(cell.text)
        number = {"best": "**{}**", "tie": "<u>{}</u>"}.get(cell.standing, "{}")
        return markdown.MARKS.get(cell.mark, "") + number.format(cell.text.text)

    lines = [
        markdown.line([markdown.escape(head) for head in heads]),
        markdown.line(["---", *["---:"] * (len(heads) - 1)]),
    ]
    for name, row in zip(names, cells, strict=True):
        lines.append(markdown.line([markdown.escape(name), *map(text, row)]))
    told = [f"- {markdown.escape(note)}" for note in notes]
    return "\n".join([*lines, *(["", *told] if told else [])]) + "\n"


def _latex(heads: Sequence[str], names: Sequence[str], cells: Lines, notes: list[str]) -> str:
    def text(cell: Cell) -> str:
        if isinstance(cell.text, str):
            return latex.escape(cell.text)
        number = {"best": r"\textbf{%s}", "tie": r"\underline{%s}"}.get(cell.standing, "%s")
        return latex.MARKS.get(cell.mark, "") + number % latex.number_tex(cell.text)

    lines = [
        *(f"% {latex.escape(note)}" for note in notes),
        rf"\begin{{tabular}}{{@{{}}l{'r' * (len(heads) - 1)}@{{}}}}",
        r"\toprule",
        " & ".join(map(latex.escape, heads)) + r" \\",
        r"\midrule",
        *(
            " & ".join([latex.escape(name), *map(text, row)]) + r" \\"
            for name, row in zip(names, cells, strict=True)
        ),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


def _csv(heads: Sequence[str], names: Sequence[str], cells: Lines, notes: list[str]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(heads)
    for name, row in zip(names, cells, strict=True):
        texts = (
            cell.text if isinstance(cell.text, str) else f"{cell.mark}{cell.text.text}"
            for cell in row
        )
        writer.writerow([name, *texts])
    return out.getvalue()
