"""The table and the chart of the speed comparison."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

OURS, PEER = "#d95f02", "#8da0b4"


@dataclass
class Timing:
    """What came out for one contender of one case.

    Attributes:
        case: Name of the case.
        contender: Who computed it.
        status: "ok", "not installed", "timed out" or "failed (...)".
        seconds: Median time of a call.
        fastest: Shortest time of a call.
        slowest: Longest time of a call.
        cpu: Median time of a call, summed over its threads.
        repeats: Number of timed calls.
        megabytes: Peak memory beyond the features and the libraries.
        value: The number that was computed.
        floor: Seconds that the case's matrix products and decompositions would take.
        threads: Threads of torch.
        aim: What is aimed at; ours only.
        missed: What of it is missed; ours only.
    """

    case: str
    contender: str
    status: str = "ok"
    seconds: float = math.nan
    fastest: float = math.nan
    slowest: float = math.nan
    cpu: float = math.nan
    repeats: int = 0
    megabytes: float = math.nan
    value: float = math.nan
    floor: float = math.nan
    threads: int = field(default_factory=torch.get_num_threads)
    aim: str = ""
    missed: str = ""


def print_timings(table: list[list[Timing]], rate: float, console: Console | None = None) -> None:
    """Prints the table.

    Args:
        table: For each case its contenders, ours first.
        rate: Operations a second of a matrix product, for the caption.
        console: Where to; standard output by default.
    """
    printed = Table(
        title="Time of metrics from float32 features, and of 200 training steps",
        caption=_caption(table, rate) + "; floor: the products and decompositions at that rate.",
    )
    for name in ("case", "contender"):
        printed.add_column(name)
    for name in ("seconds", "/ ours", "cpu s", "MB", "value", "floor"):
        printed.add_column(name, justify="right")
    printed.add_column("aim")
    for rows in table:
        for row in rows:
            printed.add_row(*_cells(row, rows[0]), end_section=row is rows[-1])
    # Without a terminal rich believes in 80 columns.
    wide = Console(width=None if sys.stdout.isatty() else 160)
    (console or wide).print(printed)


def _caption(table: list[list[Timing]], rate: float) -> str:
    threads = table[0][0].threads
    return (
        f"Medians, {threads} thread{'' if threads == 1 else 's'}. MB: peak memory beyond the "
        f"features. A float64 matrix product runs at {rate / 1e9:.0f} GFLOP/s"
    )


def _cells(row: Timing, ours: Timing) -> Iterator[str]:
    first = row is ours
    yield row.case if first else ""
    yield row.contender
    if row.status != "ok":
        yield row.status
        return
    yield f"{row.seconds:.3g}"
    yield f"{row.seconds / ours.seconds:.3g}x" if ours.status == "ok" else ""
    yield f"{row.cpu:.3g}"
    yield f"{row.megabytes:.0f}"
    yield f"{row.value:.8g}"
    yield f"{row.floor:.2g}" if first else ""
    if row.aim:
        yield row.aim + (f" [red]missed: {row.missed}[/]" if row.missed else " [green]reached[/]")


def write_markdown(table: list[list[Timing]], rate: float, path: Path) -> None:
    """Writes a table for a README, a row per case: times, memory, aims.

    Args:
        table: For each case its contenders, ours first.
        rate: Operations a second of a matrix product, for the caption.
        path: The file.
    """
    lines = ["| case | dgmbench | peers, time / ours | aim | met |", "|---|---|---|---|---|"]
    for ours, *peers in table:
        others = "<br>".join(f"{peer.contender} {_measured(peer, ours)}" for peer in peers)
        cells = (ours.case, _measured(ours), others, ours.aim, _met(ours))
        lines.append(f"| {' | '.join(cells)} |")
    path.write_text("\n".join([*lines, "", _caption(table, rate) + ".\n"]), encoding="utf-8")


def _met(ours: Timing) -> str:
    if not ours.missed:
        return "yes" if ours.aim else ""
    return "no" if ours.missed == ours.aim else f"all but: {ours.missed}"


def _measured(row: Timing, ours: Timing | None = None) -> str:
    if row.status != "ok":
        return row.status
    ratio = f", {row.seconds / ours.seconds:.3g}x" if ours and ours.status == "ok" else ""
    return f"{_duration(row.seconds)} ({row.megabytes:.0f} MB){ratio}"


def _duration(seconds: float) -> str:
    return f"{seconds * 1e3:.2g} ms" if seconds < 0.0995 else f"{seconds:.3g} s"


def draw(table: list[list[Timing]], path: Path) -> None:
    """Writes a bar chart of time: dgmbench, its peers, and the floor of the matrix products.

    Args:
        table: For each case its contenders, ours first.
        path: The picture.
    """
    height = 1.0 + 0.22 * sum(len(rows) + 1 for rows in table)
    figure = Figure(figsize=(8, height), layout="constrained")
    axes = figure.subplots()
    axes.set_xscale("log")
    times = [t for rows in table for row in rows for t in (row.seconds, row.floor)]
    known = [t for t in times if math.isfinite(t) and t > 0]  # a case may have no floor
    axes.set_xlim(min(known) / 2, max(known) * 20)  # names stand behind the bars
    axes.xaxis.set_major_formatter(lambda seconds, _: f"{seconds:g}")
    axes.grid(axis="x", color="#e0e0e0", linewidth=0.6)
    axes.set_axisbelow(True)
    place = 0
    for rows in table:
        _draw_case(axes, rows, place)
        place += len(rows) + 1
    axes.vlines([], 0, 0, colors="black", label="floor: the products alone, in float64")
    axes.set_ylim(place - 0.5, -1)
    axes.set_yticks([])
    axes.set_xlabel("seconds (median of a call), logarithmic")
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), frameon=False)
    figure.savefig(path, dpi=150)


def _draw_case(axes: Axes, rows: list[Timing], top: int) -> None:
    left = axes.get_xlim()[0]
    middle = top + (len(rows) - 1) / 2
    axes.annotate(rows[0].case + "  ", (left, middle), ha="right", va="center")
    for i, row in enumerate(rows):
        known = math.isfinite(row.seconds)
        if known:
            axes.barh(top + i, row.seconds, color=PEER if i else OURS)
        ratio = f", {row.seconds / rows[0].seconds:.3g}x" if i and known else ""
        text = f"{_duration(row.seconds)}{ratio}" if known else row.status
        end = max(row.seconds, rows[0].floor) if known else left
        label = f"  {row.contender}: {text}"
        axes.annotate(label, (end, top + i), va="center", fontsize=8)
    axes.vlines(rows[0].floor, top - 0.5, top + len(rows) - 0.5, colors="black")
