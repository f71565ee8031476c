"""Comparisons in words: what there is, and what came of one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from .comparison import OFF, Comparison, Finding, Result
from .published import FOLDER

KEPT = FOLDER.parent / "results" / "reproduce"  # results that come with the package
MOST = 12  # numbers of one verdict that are printed


def state(comparison: Comparison, folder: Path) -> Result | None:
    """Returns the newest result: of the folder, else the one that came with the package."""
    for place in (folder, KEPT):
        path = place / f"{comparison.name}.json"
        if path.is_file():
            return Result.read(path)
    return None


def listed(comparisons: Mapping[str, Comparison], folder: Path, *, as_json: bool) -> str:
    """Returns a line per comparison: name, verdict, cost, paper; or a JSON list."""
    things = []
    for comparison in comparisons.values():
        result = state(comparison, folder)
        things.append(
            {
                "name": comparison.name,
                "paper": comparison.paper,
                "cost": comparison.cost,
                "verdict": "not run" if result is None else result.verdict,
            }
        )
    if as_json:
        return json.dumps(things, indent=1)
    return "\n".join(f"{t['name']}: {t['verdict']}; {t['cost']}\n    {t['paper']}" for t in things)


def told(comparison: Comparison, result: Result, *, as_json: bool) -> str:
    """Returns published and ours of every number, its verdict, and that of the whole."""
    if as_json:
        head = {**comparison.about, "cost": comparison.cost, "verdict": result.verdict}
        return json.dumps({**head, **asdict(result)}, indent=1)
    lines = [f"{comparison.name}: {comparison.summary}", f"    {comparison.paper}"]
    lines.append(f"    Tolerance: {comparison.tolerance}")
    if comparison.differs:
        lines.append(f"    Other than in the paper: {comparison.differs}")
    by_verdict: dict[str, list[Finding]] = {}
    for finding in result.findings:
        by_verdict.setdefault(finding.verdict, []).append(finding)
    for verdict, found in by_verdict.items():
        shown = found if verdict == OFF else found[:MOST]
        lines += [_line(finding) for finding in shown]
        if len(found) > len(shown):
            lines.append(f"  ... and {len(found) - len(shown)} more that are {verdict}")
    for listing in result.listings:
        lines += ["", f"{listing.title}:", *_aligned([listing.columns, *listing.rows])]
    lines.append(f"Verdict: {result.verdict} ({result.seconds:.0f} seconds).")
    return "\n".join(lines)


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a table whose columns are as wide as their cells."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  " + "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _line(finding: Finding) -> str:
    row = finding.published
    printed = f"{row.value:g}" + (f" ± {row.uncertainty:g}" if row.uncertainty else "")
    ours = "–" if finding.ours is None else f"{finding.ours:.6g}"
    error = f" ± {finding.stderr:.2g}" if finding.stderr else ""
    apart = "" if finding.difference is None else f", difference {finding.difference:.3g}"
    note = f" ({finding.note})" if finding.note else ""
    return (
        f"  {row.dataset}, {row.method}, {row.metric}: published {printed} | ours {ours}{error}"
        f"{apart} | {finding.verdict}{note}"
    )
