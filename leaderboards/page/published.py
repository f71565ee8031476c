"""Published numbers beside ours, a section of the page: what `reproduce` found, read as JSON.

A row shows both numbers on one axis of its own: the published one hollow, ours filled, each with
its uncertainty, and the tolerance as a band around the published one.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from ..tables.rounding import rounded
from .svg import Axis, drawing

SHADES = {"reproduced": "green", "off": "amber", "not comparable": "grey"}
_MOST = 15  # rows of one verdict that a table shows
_W, _H = 180, 20


@dataclass(frozen=True)
class Row:
    """One published number beside ours, as words and a picture."""

    what: str
    published: str
    ours: str
    picture: Markup
    verdict: str
    shade: str
    reason: str


@dataclass(frozen=True)
class Paper:
    """A comparison with a paper.

    Attributes:
        name: Of the comparison.
        about: Paper, summary, tolerance and what differs, by these names.
        verdict: Of the whole.
        shade: Its colour: green, amber or grey.
        rows: Its numbers, those that are off first.
        more: What is not shown, in words; empty for nothing.
        listings: Tables of ours: title, columns and rows.
    """

    name: str
    about: Mapping[str, str]
    verdict: str
    shade: str
    rows: tuple[Row, ...]
    more: str
    listings: tuple[Mapping[str, Any], ...]


def papers(folders: Iterable[Path]) -> list[Paper]:
    """Returns the comparisons of result folders, by name; of one name the first folder's.

    A file that is no result is left out.
    """
    found: dict[str, Paper] = {}
    for folder in folders:
        for path in sorted(folder.glob("*.json")):
            try:
                found.setdefault(path.stem, _paper(json.loads(path.read_text())))
            except (OSError, ValueError, KeyError, TypeError):
                continue
    return [found[name] for name in sorted(found)]


def _paper(result: Mapping[str, Any]) -> Paper:
    by_verdict: dict[str, list[Row]] = {"off": [], "reproduced": [], "not comparable": []}
    for finding in result["findings"]:
        by_verdict[finding["verdict"]].append(_row(finding))
    shown = tuple(row for rows in by_verdict.values() for row in rows[:_MOST])
    more = [f"{len(rows) - _MOST} more {v}" for v, rows in by_verdict.items() if len(rows) > _MOST]
    return Paper(
        result["name"],
        result["about"],
        result["verdict"],
        SHADES.get(result["verdict"], "amber"),
        shown,
        ", ".join(more),
        tuple(result["listings"]),
    )


def _row(finding: Mapping[str, Any]) -> Row:
    row, ours = finding["published"], finding["ours"]
    return Row(
        what=", ".join(dict.fromkeys((row["dataset"], row["method"], row["metric"]))),
        published=_printed(row["value"], row["uncertainty"]),
        ours=_printed(ours, finding["stderr"]),
        picture=Markup("") if ours is None else Markup(_pair(finding)),
        verdict=finding["verdict"],
        shade=SHADES[finding["verdict"]],
        reason=_reason(finding),
    )


def _printed(value: float | None, error: float | None) -> str:
    if value is None:
        return "–"
    if error or not math.isfinite(value):
        return rounded(value, error).text
    return f"{value:.6g}"


def _reason(finding: Mapping[str, Any]) -> str:
    if finding["note"]:
        return str(finding["note"])
    if not finding["published"]["verified"]:
        return "the published number was not seen in its source"
    return ""


def _pair(finding: Mapping[str, Any]) -> str:
    """Both numbers on an axis of their own."""
    published, ours = finding["published"]["value"], finding["ours"]
    error, tolerance = finding["stderr"] or 0.0, finding["tolerance"]
    uncertainty = finding["published"]["uncertainty"] or 0.0
    band = 0.0 if finding["by_sign"] else tolerance
    ends = [
        published - max(uncertainty, band),
        published + max(uncertainty, band),
        ours - error,
        ours + error,
    ]
    if not all(map(math.isfinite, ends)):
        return ""
    low, high = min(ends), max(ends)
    x = Axis(low, high, 8, _W - 8) if high > low else Axis(low - 1, high + 1, 8, _W - 8)
    middle = _H / 2
    left, right = x(published - band), x(published + band)
    body = (
        f'<path class="rule" d="M4 {middle}H{_W - 4}"/>'
        f'<path class="band" d="M{left:.1f} 3H{right:.1f}V{_H - 3}H{left:.1f}Z"/>'
        f'<path class="bar theirs" d="M{x(published - uncertainty):.1f} {middle - 3}'
        f'H{x(published + uncertainty):.1f}"/>'
        f'<path class="bar" d="M{x(ours - error):.1f} {middle + 3}H{x(ours + error):.1f}"/>'
        f'<circle class="theirs" cx="{x(published):.1f}" cy="{middle - 3}" r="3.5"/>'
        f'<circle cx="{x(ours):.1f}" cy="{middle + 3}" r="3.5"/>'
    )
    return drawing(_W, _H, f"published {published:g}, ours {ours:g}", body)
