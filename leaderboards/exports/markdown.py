"""`leaderboard.md`: the tables as a forge or an editor shows them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ..tables.board import Block, Board, Row, capital
from ..tables.columns import Column, heading
from ..tables.entry import Entry, printed
from ..tables.standings import Standings, standings

LEGEND = (
    ("=", "exact: log p(x) itself"),
    ("≤", "the true number is at most this: a bound, in expectation"),
    ("~", "an estimate that can err to either side: shown, never ranked"),
    ("–", "no number; the letter behind it says why"),
)
MARKS = {"=": "= ", "<=": "≤ ", "~": r"\~ "}


def escape(text: str) -> str:
    """Returns text that Markdown and the HTML behind it print as it is, on one line."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]|~#])", r"\\\1", " ".join(text.split()))


def leaderboard_md(
    boards: Mapping[str, Board], title: str, facts: Sequence[tuple[str, Sequence[str]]]
) -> str:
    """Returns the page: a section a task, a table a theme.

    Args:
        boards: The tables of each task.
        title: The heading.
        facts: Where the cells ran (`environment`).
    """
    legend = [f"- {escape(mark)} {escape(text)}" for mark, text in LEGEND]
    where = [f"- {escape(name)}: {escape('; '.join(values))}" for name, values in facts]
    lead = [
        f"# {escape(title)}",
        *(["\n".join(where)] if where else []),
        "Every number is value ± standard error. Bold: among models with three seeds or more, the "
        "best of its column and all that Student's t cannot tell from it at the level of 5 %, but "
        "for error bars ten times as wide as its own. "
        "Models that learn from samples and models that learn from a reward are ranked apart. "
        "Controls, models whose samples are copies, and numbers alone in their column are never "
        "best.",
        "\n".join(legend),
    ]
    first = [_overview(standings(boards))] if len(boards) > 1 else []
    return "\n\n".join([*lead, *first, *(_section(board) for board in boards.values())]) + "\n"


def _overview(found: Standings) -> str:
    """Who leads over all tasks: a line a model, a column a task."""
    tasks = list(found.columns)
    named = [escape(f"{task}: {column.plain}") for task, column in found.columns.items()]
    lines = [
        line(["Family", "Model", "Mean score", "Rank", *named, "Core time (s)"]),
        line(["---", "---", *["---:"] * (len(tasks) + 3)]),
    ]
    for row in found.rows:
        mean = (
            f"{len(row.scores)} of {len(tasks)} tasks" if row.mean is None else f"{row.mean:.3f}"
        )
        error = "" if row.stderr is None else f" ± {row.stderr:.3f}"
        ranks = "–" if row.ranks is None else "–".join(dict.fromkeys(map(str, row.ranks)))
        scores = [f"{row.scores[task].value:.2f}" if task in row.scores else "–" for task in tasks]
        name = f"{row.model} (floor)" if row.is_floor else row.model
        cost = "–" if row.core_seconds is None else f"{row.core_seconds:.0f}"
        head = [escape(row.family), escape(name), mean + error, ranks]
        lines.append(line([*head, *scores, cost]))
    reading = (
        "Scores: 0 is the best floor of a task, 1 its oracle, in the distance that tells these "
        "two apart best; what is worse than a floor by more than that frame counts as -1. A model "
        "that lacks a task has no mean. Rank: the best and the worst that 95 % of the error bars "
        "hold, among models with three seeds on every task. A distance between samples is a part "
        "of the truth: likelihoods, modes and copies are in the tables of each task."
    )
    left_out = [f"- {escape(task)} does not count: {escape(why)}" for task, why in found.left_out]
    parts = ["## Overview", *map(escape, found.summary)]
    parts += ["\n".join(lines), reading] if found.rows else []
    return "\n\n".join([*parts, *(["\n".join(left_out)] if left_out else [])])


def _section(board: Board) -> str:
    parts = [f"## {escape(board.task)}", escape(board.caption)]
    for block in board.blocks:
        parts += [f"### {escape(capital(block.title))}", _table(board, block)]
    if board.curves:
        parts += ["### Quality against function evaluations", _curves(board)]
    notes = [f"- <sup>{key}</sup> {escape(remark)}" for remark, key in board.footnotes.items()]
    notes += [f"- {escape(text)}" for text in board.warnings.values()]
    notes += [f"- {escape(name)} is left out: {escape(why)}" for name, why in board.left_out]
    protocols = [f"- {escape(c.label)}: {escape(c.protocol)}" for c in board.columns if c.protocol]
    for title, found_notes in (("Notes", notes), ("Protocols", protocols)):
        if found_notes:
            parts += [f"### {title}", "\n".join(found_notes)]
    return "\n\n".join(parts)


def _table(board: Board, block: Block) -> str:
    found = block.columns
    heads = ["Family", "Model", *(["Learns from"] if board.shows_learning else [])]
    rule = ["---"] * len(heads) + ["---:"] * len(found)
    named = [escape(heading(c, block.label(c))) for c in found]
    lines = [line([*heads, *named]), line(rule)]
    lines += [line(_cells(board, row, found)) for row in block.rows]
    return "\n".join(lines)


def _curves(board: Board) -> str:
    """One line per model and question: one training, asked for other steps."""
    found = board.curve_columns
    lines = [
        line(["Model", "Asked for", "NFE", *(escape(heading(c)) for c in found)]),
        line(["---", "---", "---:"] + ["---:"] * len(found)),
    ]
    for point in board.curves:
        nfe = "–" if point.nfe is None else f"{point.nfe:g}"
        cells = [_cell(board, c, point.entry(c.metric)) for c in found]
        lines.append(line([escape(point.model), escape(point.question), nfe, *cells]))
    return "\n".join(lines)


def _cells(board: Board, row: Row, found: Sequence[Column]) -> list[str]:
    model = f"{row.model} ({row.standing})" if row.standing else row.model
    marks = "".join(f"<sup>{board.footnotes[remark]}</sup>" for remark in row.remarks)
    head = [escape(row.family), escape(model) + marks]
    head += [escape(row.learns_from)] if board.shows_learning else []
    return [*head, *(_cell(board, c, row.cells[c]) for c in found)]


def _cell(board: Board, column: Column, cell: Entry) -> str:
    key = board.footnotes.get(cell.remark, "")
    note = f"<sup>{key}</sup>" if key else ""
    number = printed(column, cell)
    if number is None:
        return escape(cell.short) + note
    text = f"**{number.text}**" if cell.best else number.text
    return f"{MARKS.get(cell.mark, '')}{text}{note}"


def line(cells: Sequence[str]) -> str:
    """Returns a line of a table."""
    return "| " + " | ".join(cells) + " |"
