"""A comparison with published numbers: what is measured, within which tolerance, and the verdict.

The tolerance is a part of the comparison, written before it is run.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from ..contract.files import write_atomically
from ..run.keys.content import content_key, file_sha256, module_code
from ..run.provenance import environment
from ..tasks.readers.data_root import data_root
from .published import FOLDER, Published

# Where the parts of the comparison that runs are kept; see `part`.
_PARTS: ContextVar[Path | None] = ContextVar("parts", default=None)
REPRODUCED, OFF, UNJUDGED = "reproduced", "off", "not comparable"


@dataclass(frozen=True)
class Finding:
    """One published number beside ours.

    Attributes:
        published: The number with its source.
        ours: Ours; None where there is none.
        stderr: Its standard error; None where it is exact or not known.
        tolerance: How far they may be apart.
        note: What explains a difference, or why there is no number.
        by_sign: Whether the sign alone must agree, as where an order is compared.
        at_most: Whether the published number is a bound from above, as what a test asserts.
    """

    published: Published
    ours: float | None
    stderr: float | None = None
    tolerance: float = 0.0
    note: str = ""
    by_sign: bool = False
    at_most: bool = False

    @property
    def difference(self) -> float | None:
        """Ours less the published one."""
        return None if self.ours is None else self.ours - self.published.value

    @property
    def verdict(self) -> str:
        """One of "reproduced", "off", "not comparable"."""
        if self.ours is None or self.difference is None or not self.published.verified:
            return UNJUDGED
        if self.by_sign:
            return REPRODUCED if self.ours * self.published.value > 0 else OFF
        if self.at_most:
            return REPRODUCED if self.difference <= self.tolerance else OFF
        return REPRODUCED if abs(self.difference) <= self.tolerance else OFF


@dataclass(frozen=True)
class Listing:
    """A table of ours that stands beside the published numbers.

    Attributes:
        title: What it shows.
        columns: Headings.
        rows: Cells, as words.
    """

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]


@dataclass(frozen=True)
class Comparison:
    """What one paper printed, and how it is measured here.

    Attributes:
        name: Kebab-case name.
        paper: Authors, year, identifier.
        summary: One sentence: what is compared.
        cost: In words, on 2 cores without a GPU.
        tolerance: In words.
        differs: What differs from the paper's protocol; empty for nothing.
        measure: Returns the findings, and listings where there are some.
        files: What it needs in the data root.
        numbers: Files of `leaderboards/published` that it reads; empty where any may be read.
    """

    name: str
    paper: str
    summary: str
    cost: str
    tolerance: str
    differs: str
    measure: Callable[[], Iterable[Finding | Listing]]
    files: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()

    @property
    def about(self) -> dict[str, str]:
        """Paper, summary, tolerance and what differs, by these names."""
        return {name: getattr(self, name) for name in ("paper", "summary", "tolerance", "differs")}

    @property
    def key(self) -> str:
        """Content key of the code and the data that measure: an edit makes a result an old one."""
        tables = [FOLDER / f"{name}.csv" for name in self.numbers] or sorted(FOLDER.glob("*.csv"))
        data = [*tables, *(data_root() / file for file in self.files)]
        hashed = [file_sha256(path) if path.is_file() else "missing" for path in data]
        return content_key({"code": module_code(self.measure.__module__).key(), "data": hashed})


@dataclass(frozen=True)
class Result:
    """A comparison that was run.

    Attributes:
        name: Its name.
        findings: The numbers.
        seconds: How long it took.
        key: Of the code and the data that measured.
        created: When, UTC.
        environment: Where and with what.
        listings: Tables of ours beside them.
        about: `Comparison.about`, for readers that have no code.
    """

    name: str
    findings: tuple[Finding, ...]
    seconds: float
    key: str
    created: str = ""
    environment: dict[str, Any] = field(default_factory=dict)
    listings: tuple[Listing, ...] = ()
    about: dict[str, str] = field(default_factory=dict)

    @property
    def counts(self) -> Counter[str]:
        """How many numbers have which verdict."""
        return Counter(finding.verdict for finding in self.findings)

    @property
    def verdict(self) -> str:
        """Of the whole: "reproduced", or how many numbers are, or why none is judged."""
        counts = self.counts
        judged = counts[REPRODUCED] + counts[OFF]
        if not judged:
            return UNJUDGED
        if not counts[OFF]:
            return REPRODUCED
        return f"{counts[REPRODUCED]} of {judged} reproduced"

    def write(self, folder: Path) -> Path:
        """Writes it as JSON under the folder, with its verdicts."""
        path = folder / f"{self.name}.json"
        folder.mkdir(parents=True, exist_ok=True)
        content = {"verdict": self.verdict, **asdict(self)}
        content["findings"] = [
            {**asdict(finding), "verdict": finding.verdict} for finding in self.findings
        ]
        write_atomically(path, (json.dumps(content, indent=1) + "\n").encode())
        return path

    @classmethod
    def read(cls, path: Path) -> Result:
        """Reads what `write` wrote.

        Raises:
            ValueError: The file is another one.
        """
        try:
            found = json.loads(path.read_text())
            del found["verdict"]
            findings = []
            for one in found.pop("findings"):
                del one["verdict"]  # follows from the rest
                findings.append(Finding(**{**one, "published": Published(**one["published"])}))
            listings = [
                Listing(one["title"], tuple(one["columns"]), [tuple(row) for row in one["rows"]])
                for one in found.pop("listings", ())
            ]
            return cls(findings=tuple(findings), listings=tuple(listings), **found)
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise ValueError(
                f"Expected the result of a comparison in {path}, got {type(error).__name__}; "
                "run it with --again."
            ) from None


def measured(comparison: Comparison, folder: Path, *, again: bool = False) -> Result:
    """Returns a comparison's result, from the folder where it was run with the same code.

    Args:
        comparison: What to run.
        folder: Where results are.
        again: Run it whatever there is.

    Raises:
        ValueError: Data are missing, or a result is damaged.
    """
    path = folder / f"{comparison.name}.json"
    if path.is_file() and not again:
        kept = Result.read(path)
        if kept.key == comparison.key:
            return kept
    start = datetime.now(UTC)
    parts = folder / "parts" / f"{comparison.name}-{comparison.key[:16]}"
    token = _PARTS.set(parts)
    try:
        found = tuple(comparison.measure())
    finally:
        _PARTS.reset(token)
    end = datetime.now(UTC)
    result = Result(
        comparison.name,
        tuple(one for one in found if isinstance(one, Finding)),
        (end - start).total_seconds(),
        comparison.key,
        end.isoformat(timespec="seconds"),
        environment("cpu").model_dump(),
        tuple(one for one in found if isinstance(one, Listing)),
        comparison.about,
    )
    result.write(folder)
    shutil.rmtree(parts, ignore_errors=True)
    return result


def part(name: str, compute: Callable[[], Any]) -> Any:
    """Returns a part of a comparison; one that was cut off goes on after the parts it has.

    Args:
        name: Of the part, unique in its comparison.
        compute: Returns the part, as JSON can hold it.
    """
    folder = _PARTS.get()
    if folder is None:
        return compute()
    path = folder / f"{content_key({'part': name})[:16]}.json"
    if path.is_file():
        return json.loads(path.read_text())
    value = compute()
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(path, json.dumps(value).encode())
    return value


def averaged(values: Sequence[float]) -> tuple[float, float]:
    """Returns the mean over seeds or rows, and its standard error; of two at least."""
    return float(np.mean(values)), float(np.std(values, ddof=1) / len(values) ** 0.5)


def order(
    first: Published, second: Published, ours: Sequence[float], theirs: Sequence[float]
) -> Finding:
    """Returns whether one number is above another as in print, by the sign of the difference.

    Args:
        first: The one as printed.
        second: The other, of another method or by another metric.
        ours: What we have of the first, by seed or by row.
        theirs: What we have of the second, by the same.
    """
    mean, error = averaged(np.subtract(ours, theirs).tolist())
    printed = replace(
        first,
        method=_less(first.method, second.method),
        metric=_less(first.metric, second.metric),
        value=first.value - second.value,
        uncertainty=None,
        uncertainty_kind="none reported",
    )
    return Finding(printed, mean, error, note="the sign is compared", by_sign=True)


def _less(one: str, other: str) -> str:
    return one if one == other else f"{one} less {other}"
