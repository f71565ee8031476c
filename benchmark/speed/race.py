"""The metrics against other libraries: time, memory and value, side by side.

Every contender of a case sits in a process of its own with the features in memory, and they take
turns, so that a machine that is busy for a while is busy for all of them. What is compared is the
median. The floor under each case is the time that the matrix products and decompositions it cannot
do without take at the rate of a large float64 matrix product, measured in the same run.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median

import pandas as pd
import torch

from .cases import CASES, Case, Contender
from .report import Timing, draw, print_timings, write_markdown
from .worker import Answer, work

TIMEOUT = 900.0
# Seconds before a call: threads of the contender before it wait for more work by turning in
# circles, and would take the cores of this one.
PAUSE = 0.5


def speed(out: Path, repeats: int = 3, cases: Sequence[str] | None = None) -> Path:
    """Times the cases, prints the table, writes `speed.csv`, `speed.md` and `speed.png`.

    Args:
        out: Folder for the files; made if it is not there.
        repeats: Timed calls of every contender.
        cases: Names of cases; all by default, which takes some minutes.

    Returns:
        Path of the table, a row per case and contender.

    Raises:
        ValueError: No case has such a name, or no repeats.
    """
    chosen = [_case(name) for name in cases or CASES]
    if repeats < 1:
        raise ValueError(f"Expected at least 1 repeat, got {repeats}.")
    out.mkdir(parents=True, exist_ok=True)
    rate = matrix_product_rate()
    table = [compare(case, repeats, rate) for case in chosen]
    path = out / "speed.csv"
    pd.DataFrame([asdict(row) for rows in table for row in rows]).to_csv(path, index=False)
    print_timings(table, rate)
    write_markdown(table, rate, out / "speed.md")
    draw(table, out / "speed.png")
    return path


def _case(name: str) -> Case:
    if name not in CASES:
        raise ValueError(f"Expected cases among {', '.join(CASES)}, got {name!r}.")
    return CASES[name]


def matrix_product_rate(size: int = 2048, repeats: int = 5) -> float:
    """Returns the operations a second of a float64 matrix product of the given size."""
    x = torch.randn(size, size, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    seconds = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        x @ x
        seconds.append(time.perf_counter() - start)
    return 2 * size**3 / median(seconds[1:])


def compare(case: Case, repeats: int, rate: float) -> list[Timing]:
    """Returns the timing of every contender of a case, dgmbench first.

    Args:
        case: What is timed.
        repeats: Timed calls of every contender.
        rate: Operations a second of a matrix product.
    """
    runs = [Run(case, contender) for contender in case.contenders()]
    for run in runs:
        run.warm()
    for _ in range(repeats):
        for run in runs:
            run.turn()
    rows = [run.finish(floor=case.flops(case.n, case.d) / rate) for run in runs]
    judge(case, rows)
    return rows


def judge(case: Case, rows: list[Timing]) -> None:
    """Notes in the first row, which is ours, what is aimed at and what of it is missed."""
    ours, others = rows[0], zip(rows[1:], case.peers, strict=True)
    peers = [(row.seconds, peer) for row, peer in others if row.status == "ok"]
    aims: list[tuple[str, float, float]] = []  # what, the most that is aimed at, what came out
    if case.faster is not None and peers:
        most = min(seconds for seconds, _ in peers) / case.faster
        aims.append((_aim(case.faster, "fastest peer"), most, ours.seconds))
    for seconds, peer in peers:
        if peer.aim is not None:
            aims.append((_aim(peer.aim, peer.name), seconds / peer.aim, ours.seconds))
    if case.seconds is not None:
        aims.append((f"under {case.seconds:g} s", case.seconds, ours.seconds))
    if case.megabytes is not None:
        aims.append((f"under {case.megabytes:g} MB", case.megabytes, ours.megabytes))
    ours.aim = "; ".join(what for what, _, _ in aims)
    ours.missed = "; ".join(what for what, most, came in aims if not came <= most)


def _aim(ratio: float, peer: str) -> str:
    if ratio > 1:
        return f"{ratio:.3g}x faster than {peer}"
    return f"at most {1 / ratio:.3g}x {peer}" if ratio < 1 else f"no slower than {peer}"


class Run:
    """A contender at work in a process of its own."""

    def __init__(self, case: Case, contender: Contender) -> None:
        self.case = case
        self.contender = contender
        self.answers: list[Answer] = []
        self.status = "ok"
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=work, args=(theirs, case, contender), daemon=True)
        self.process.start()
        theirs.close()

    def warm(self) -> None:
        """Waits until the process is ready, or knows that the contender is not installed."""
        self._receive()

    def turn(self) -> None:
        """Has the contender compute its number once more."""
        if self.status == "ok":
            time.sleep(PAUSE)
            self.pipe.send(True)
            if (answer := self._receive()) is not None:
                self.answers.append(answer)

    def _receive(self) -> Answer | None:
        try:
            if self.pipe.poll(TIMEOUT):
                answer = self.pipe.recv()
                if not isinstance(answer, str):
                    return answer
                self.status = answer
            else:
                self.process.kill()
                self.status = "timed out"
        except EOFError:
            self.process.join()
            self.status = f"failed (exit code {self.process.exitcode})"
        return None

    def finish(self, floor: float) -> Timing:
        """Ends the process and returns what came out, beside the floor of the case in seconds."""
        row = Timing(self.case.name, self.contender.name, self.status, floor=floor)
        if self.status == "ok":
            self.pipe.send(False)
            self.process.join()
            seconds, cpu, megabytes, values = zip(*self.answers, strict=True)
            row.seconds, row.fastest, row.slowest = median(seconds), min(seconds), max(seconds)
            row.cpu, row.megabytes, row.value = median(cpu), megabytes[-1], values[-1]
            row.repeats = len(seconds)
        return row
