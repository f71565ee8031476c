"""Writes everything that a results folder shows: tables as CSV, Markdown and LaTeX, and the page.

Reads records and the small files that they name, nothing else; torch is not imported.
"""

from __future__ import annotations

from pathlib import Path

from ..benchmark.contract.record import read_records, read_tasks, write_atomically
from .exports.csv_tables import leaderboard_csv, records_csv
from .exports.latex import leaderboard_tex
from .exports.markdown import leaderboard_md
from .hardware import machines
from .page.page import render_page, title
from .tables.board import boards


def write_report(root: Path) -> list[Path]:
    """Renders `records.csv`, `leaderboard.{md,csv,tex}` and `report.html` under `root`.

    Args:
        root: Results folder with `records/` and `tasks/`.

    Returns:
        The files written, the page last.

    Raises:
        ValueError: A file under `records/` or `tasks/` is not what it should be.
    """
    records, tasks = read_records(root), read_tasks(root)
    found = boards(records)
    contents = {
        "records.csv": records_csv(records),
        "leaderboard.md": leaderboard_md(found, title(records), machines(records)),
        "leaderboard.csv": leaderboard_csv(found),
        "leaderboard.tex": leaderboard_tex(found),
        "report.html": render_page(records, tasks, root),
    }
    for name, text in contents.items():
        write_atomically(root / name, text.encode())
    return [root / name for name in contents]
