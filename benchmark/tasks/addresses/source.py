"""An address in its parts, and a task from the rows that were found there."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from numpy.typing import NDArray

from ...contract.task import Card, Domain, Task
from ...names import known
from ..outline import Loaded, Outline
from ..readers.array_cache import Cached
from ..split import cut, tensors
from ..tables.small import sizes

OF_TABLES = ("target", "drop", "missing", "categorical")
OPTIONS = {
    "csv": (*OF_TABLES, "header"),
    "parquet": OF_TABLES,
    "datasets": OF_TABLES,
    "npz": (),
    "text": (),
}


@dataclass(frozen=True)
class Source:
    """An address in its parts.

    Attributes:
        address: The whole.
        kind: "csv", "parquet", "datasets", "npz" or "text".
        path: The file or folder.
        options: What stands behind the question mark.
    """

    address: str
    kind: str
    path: Path
    options: Mapping[str, str]

    @classmethod
    def of(cls, address: str) -> Source:
        """Takes an address apart.

        Raises:
            ValueError: No path, a path that is not there, or an unknown option.
        """
        kind, _, rest = address.partition(":")
        where, _, asked = rest.partition("?")
        options = dict(parse_qsl(asked, keep_blank_values=True))
        if not where:
            raise ValueError(f"Expected {kind}:path, got no path.")
        if options or asked:
            known(f"option of {kind}:", options or [asked], OPTIONS[kind] or ("none",))
        for name, word in (("missing", "drop"), ("categorical", "codes"), ("header", "none")):
            if options.get(name, word) != word:
                raise ValueError(f"Expected {name}={word}, got {name}={options[name]}.")
        path = Path(where).expanduser()
        if not path.exists():
            raise ValueError(f"Expected a file or folder at {path}, got none.")
        return cls(address, kind, path, options)

    @property
    def files(self) -> list[Path]:
        """The files that it consists of."""
        if self.path.is_dir():
            return sorted(p for p in self.path.rglob("*") if p.is_file())
        return [self.path]

    @property
    def cache_name(self) -> str:
        """A file name for what is read from it."""
        digest = hashlib.sha256(self.address.encode()).hexdigest()[:8]
        stem = "".join(c if c.isalnum() or c in "-_." else "-" for c in self.path.name)[:60]
        return f"{self.kind}-{stem}-{digest}"


def split_rows(rows: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Returns the splits of rows by a fixed permutation: 60 % train, 10 % val, 15 % each else."""
    counts = sizes(len(rows))
    return {k: rows[i] for k, i in zip(counts, cut(len(rows), list(counts.values())), strict=True)}


def outlined(
    source: Source,
    found: Cached,
    domain: Domain,
    kind: str,
    refuses: Mapping[str, str],
    summary: str,
    pitfalls: str,
    feature_map: str = "identity",
) -> Task:
    """Returns a task with its rows.

    Args:
        source: Where they are from.
        found: The rows of each split.
        domain: What one is.
        kind: The task's kind.
        refuses: Metrics that mean nothing on it, with the reasons.
        summary: What one is, in words.
        pitfalls: What the rules made of the rows.
        feature_map: Under the distances.
    """
    counts = {split: len(x) for split, x in found.arrays.items()}
    name = source.path.name
    card = Card(
        summary=f"{summary}, from {name}.",
        source=f"the {'folder' if source.path.is_dir() else 'file'} {name}",
        licence="see its source",
        pitfalls=f"The split is ours. {pitfalls}",
    )
    task = Task(
        name=source.address, version=1, domain=domain, kind=kind, primary="mmd",
        refuses=dict(refuses), card=card, feature_map=feature_map,
    )  # fmt: skip
    return Outline(task, counts, lambda: Loaded(tensors(found.arrays), found.checksum)).load()
