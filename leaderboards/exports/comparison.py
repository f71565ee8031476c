"""A comparison as Markdown, LaTeX, JSON and lines for a terminal."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from ..tables.columns import heading
from ..tables.compare import Comparison, Cost, Difference
from ..tables.entry import printed
from ..tables.rounding import rounded
from . import latex, markdown

FORMATS = ("text", "md", "tex", "json")
_HEADS = ("task", "metric", "against", "mine", "theirs", "difference", "95 % interval", "p (Holm)")
_LAST = ("verdict", "could be shown")


def rendered(comparison: Comparison, form: str) -> str:
    """Returns a comparison in one of `FORMATS`.

    Raises:
        ValueError: Another format.
    """
    if form not in FORMATS:
        raise ValueError(f"Expected a format among {', '.join(FORMATS)}, got {form}.")
    write = {"text": _text, "md": _markdown, "tex": _latex, "json": _json}[form]
    return write(comparison)


def _rows(comparison: Comparison) -> list[tuple[str, ...]]:
    return [_cells(d) for d in comparison.differences]


def _cells(d: Difference) -> tuple[str, ...]:
    low, high = (rounded(x, d.error or None) for x in d.interval)
    numbers = [printed(d.column, entry) for entry in (d.mine, d.theirs)]
    mine, theirs = (
        f"{e.mark} {n.text}".strip() if n else "–"
        for e, n in zip((d.mine, d.theirs), numbers, strict=True)
    )
    gap = rounded(d.gap, d.error)
    reach = rounded(d.smallest, d.error / 10 or None)
    return (
        d.task,
        heading(d.column),
        d.other,
        mine,
        theirs,
        gap.text,
        f"{low.value} to {high.value}" + (f" (e{low.exponent})" if low.exponent else ""),
        "–" if d.p is None else f"{d.p:.2g}",
        d.verdict + (f" ({d.reason})" if d.reason else ""),
        reach.value + (f"e{reach.exponent}" if reach.exponent else ""),
    )


def _summary(comparison: Comparison) -> list[str]:
    """One sentence per other model."""
    found = []
    for other in comparison.others:
        counts = {
            v: comparison.count(v, other) for v in ("better", "worse", "alike", "not judged")
        }
        told = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
        found.append(f"{comparison.model} against {other}: {told or 'nothing in common'}.")
    return found


def _cost(cost: Cost) -> tuple[str, str, str, str, str]:
    numbers = [printed(cost.column, entry) for entry in (cost.mine, cost.theirs)]
    mine, theirs = ("–" if n is None else n.text for n in numbers)
    return cost.task, heading(cost.column), cost.other, mine, theirs


def _text(comparison: Comparison) -> str:
    parts: list[str] = []
    for d in comparison.differences:
        task, metric, other, mine, theirs, gap, interval, p, _, least = _cells(d)
        chance = "" if d.p is None else f", p {p}"
        parts.append(
            f"{task}, {metric}: {mine} against {other}'s {theirs}\n"
            f"    {d.verdict}: difference {gap} ({interval}){chance}; could be shown: {least}"
        )
    for cost in comparison.costs:
        task, metric, other, mine, theirs = _cost(cost)
        parts.append(f"{task}, {metric}: {mine} against {other}'s {theirs}")
    reasons = dict.fromkeys(d.reason for d in comparison.differences if d.reason)
    told = [f"Not judged: {reason}." for reason in reasons]
    return "\n".join([*parts, "", *told, *_summary(comparison)])


def _markdown(comparison: Comparison) -> str:
    heads = (*_HEADS, *_LAST)
    lines = [
        f"# {markdown.escape(comparison.model)} compared",
        "",
        *(f"- {markdown.escape(line)}" for line in _summary(comparison)),
        "",
        *_table(heads, _rows(comparison)),
        "",
        *_table(("task", "cost", "against", "mine", "theirs"), map(_cost, comparison.costs)),
        "",
        "Differences are mine less theirs, over common seeds, likelihoods row by row; intervals "
        "are of one difference alone, p-values corrected together (Holm). *Could be shown* is the "
        "smallest true difference that is seen at 5 % with a power of 80 %.",
    ]
    return "\n".join(lines) + "\n"


def _table(heads: Sequence[str], rows: Any) -> list[str]:
    found = [heads, ["---"] * len(heads), *([markdown.escape(c) for c in row] for row in rows)]
    return ["| " + " | ".join(row) + " |" for row in found]


def _latex(comparison: Comparison) -> str:
    heads = (*_HEADS, *_LAST)
    lines = [
        r"\begin{tabular}{@{}lll" + "r" * (len(heads) - 4) + "l@{}}",
        r"\toprule",
        " & ".join(latex.escape(head) for head in (*_HEADS, _LAST[1], _LAST[0])) + r" \\",
        r"\midrule",
    ]
    for row in _rows(comparison):
        cells = (*row[:8], row[9], row[8])
        lines.append(" & ".join(latex.escape(cell) for cell in cells) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def _json(comparison: Comparison) -> str:
    differences = [
        {
            "task": d.task,
            "metric": d.column.metric,
            "protocol": d.column.protocol,
            "direction": d.column.direction,
            "against": d.other,
            "mine": d.mine.value,
            "theirs": d.theirs.value,
            "difference": d.gap,
            "stderr": d.error,
            "degrees_of_freedom": None if d.degrees == float("inf") else d.degrees,
            "interval": list(d.interval),
            "p": d.p,
            "verdict": d.verdict,
            "reason": d.reason,
            "smallest_shown": d.smallest,
            "seeds": [d.mine.seeds, d.theirs.seeds],
        }
        for d in comparison.differences
    ]
    costs = [
        {
            "task": c.task,
            "metric": c.column.metric,
            "against": c.other,
            "mine": c.mine.value,
            "theirs": c.theirs.value,
        }
        for c in comparison.costs
    ]
    content = {"model": comparison.model, "differences": differences, "costs": costs}
    return json.dumps(content, indent=1) + "\n"
