"""`leaderboard.tex`: a document that compiles as it is, with booktabs tables to copy out of it."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence

from ..tables.board import Block, Board, Row, capital
from ..tables.columns import Column, heading
from ..tables.entry import Entry, printed
from ..tables.rounding import Rounded

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "±": r"$\pm$",
    "∞": r"$\infty$",
    "→": r"$\to$",
    "↓": r"$\downarrow$",
    "↑": r"$\uparrow$",
    "‖": r"$\Vert$",
    "√": r"$\surd$",
    "≤": r"$\le$",
    "²": r"$^2$",
    "–": "--",
    "—": "---",
    "é": r"\'e",
    "’": "'",
    "“": "``",
    "”": "''",
}
MARKS = {"=": "$=$ ", "<=": r"$\le$ ", "~": r"$\sim$ "}
_HEAD = r"""\documentclass[a4paper]{article}
\usepackage[T1]{fontenc}
\usepackage[landscape,margin=15mm]{geometry}
\usepackage{booktabs}
\begin{document}
\small
"""


def escape(text: str) -> str:
    """Returns text that LaTeX prints as it is; letters that its fonts lack lose their accents."""
    return "".join(_SPECIAL.get(char) or _plain(char) for char in text)


def _plain(char: str) -> str:
    if char.isascii():
        return char if char.isprintable() else " "
    folded = unicodedata.normalize("NFKD", char).encode("ascii", "ignore").decode()
    return "".join(_SPECIAL.get(part, part) for part in folded) or "?"


def leaderboard_tex(boards: Mapping[str, Board]) -> str:
    """Returns the document: a section a task, a table a theme."""
    sections = [_section(board) for board in boards.values()]
    return _HEAD + "\n".join(sections) + "\n\\end{document}\n"


def _section(board: Board) -> str:
    parts = [rf"\section*{{{escape(board.task)}}}", escape(board.caption) + "\n"]
    parts += [_table(board, block) for block in board.blocks]
    notes = [f"{key}: {escape(remark)}" for remark, key in board.footnotes.items()]
    notes += [escape(text) for text in board.warnings.values()]
    notes += [f"{escape(name)} is left out: {escape(why)}" for name, why in board.left_out]
    notes += [f"{escape(c.label)}: {escape(c.protocol)}" for c in board.columns if c.words]
    if notes:
        parts.append(r"\begin{itemize}\footnotesize")
        parts += [rf"\item {note}" for note in notes]
        parts.append(r"\end{itemize}")
    return "\n".join([*parts, r"\clearpage"])


def _table(board: Board, block: Block) -> str:
    found = block.columns
    heads = ["Family", "Model", *(["Learns from"] if board.shows_learning else [])]
    heads += [escape(heading(column, block.label(column))) for column in found]
    spec = "l" * (len(heads) - len(found)) + "r" * len(found)
    lines = [
        r"\medskip\noindent",
        rf"\begin{{tabular}}{{@{{}}{spec}@{{}}}}",
        rf"\multicolumn{{{len(heads)}}}{{@{{}}l}}{{\textit{{{escape(capital(block.title))}}}}} \\",
        r"\toprule",
        " & ".join(heads) + r" \\",
        r"\midrule",
        *(_line(board, row, found) for row in block.models),
    ]
    if block.models and block.controls:
        lines.append(r"\midrule")
    lines += [_line(board, row, found) for row in block.controls]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def _line(board: Board, row: Row, found: Sequence[Column]) -> str:
    head = [row.family, row.model, *([row.learns_from] if board.shows_learning else [])]
    cells = [_cell(board, column, row.cells[column]) for column in found]
    marks = "".join(rf"\textsuperscript{{{board.footnotes[remark]}}}" for remark in row.remarks)
    named = [escape(text) + (marks if place == 1 else "") for place, text in enumerate(head)]
    return " & ".join([*named, *cells]) + r" \\"


def _cell(board: Board, column: Column, cell: Entry) -> str:
    key = board.footnotes.get(cell.remark, "")
    note = rf"\textsuperscript{{{key}}}" if key else ""
    number = printed(column, cell)
    if number is None:
        return escape(cell.short) + note
    text = number_tex(number)
    return MARKS.get(cell.mark, "") + (rf"\textbf{{{text}}}" if cell.best else text) + note


def number_tex(number: Rounded) -> str:
    """Returns a printed number with its signs and powers as LaTeX."""
    value = escape(number.value).replace("-", "$-$")
    both = rf"{value} $\pm$ {number.error}" if number.error else value
    if number.exponent:
        power = rf"$\times 10^{{{number.exponent}}}$"
        both = f"({both}){power}" if number.error else f"{both}{power}"
    return f"{both} {number.suffix}".strip()
