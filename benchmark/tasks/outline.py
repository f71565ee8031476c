"""A task before its rows: all that can be said of it without reading a file or drawing a row."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import Any, NamedTuple

from torch import Tensor

from ..contract.task import SPLITS, Task
from .readers.data_root import data_root, find, sha256
from .split import Rows


class Loaded(NamedTuple):
    """What a task's reader returns.

    Attributes:
        rows: Rows of each split.
        checksum: SHA-256 of what they were read from; empty where they are computed.
        context: On conditional tasks the context of each row, by split.
    """

    rows: Rows
    checksum: str = ""
    context: Mapping[str, Tensor] = {}


@dataclass(frozen=True)
class Outline:
    """What a task is, where its rows are, and how to get them.

    Attributes:
        task: The task without rows and checksum; `task.splits` are filled in.
        sizes: Rows of each split; None where only reading them tells.
        read: Reads or draws the rows; takes the paths of `files`, in their order.
        files: What it needs in the data root, as paths relative to it.
        package: A package that `read` needs beside the usual ones.
        address: What `outline_of` makes it from: a name, or an address such as `folder:path`. An
            outline is sent to another process by it.
    """

    task: Task
    sizes: Mapping[str, int] | None
    read: Callable[..., Loaded]
    files: tuple[str, ...] = ()
    package: str = ""
    address: str = ""

    def __post_init__(self) -> None:
        splits = frozenset(SPLITS if self.sizes is None else self.sizes)
        object.__setattr__(self, "task", replace(self.task, splits=splits))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickles by address: what reads the rows is often a function that cannot be pickled."""
        from .registry import outline_of

        return outline_of, (self.address or self.task.name,)

    @classmethod
    def of(cls, task: Task) -> Outline:
        """Returns the outline of a task that is loaded: an address tells nothing before that."""
        rows: Rows = {k: getattr(task, k) for k in SPLITS if task.has(k)}  # type: ignore[assignment]
        sizes = {split: len(x) for split, x in rows.items() if isinstance(x, Tensor)}
        bare = replace(task, checksum="", **dict.fromkeys(rows))  # type: ignore[arg-type]
        return cls(bare, sizes, lambda: Loaded(rows, task.checksum, task.context))

    def missing(self) -> list[str]:
        """Returns the files and the package that are not here."""
        absent = [file for file in self.files if not (data_root() / file).is_file()]
        if self.package and find_spec(self.package) is None:
            absent.append(f"the package {self.package}")
        return absent

    def load(self) -> Task:
        """Returns the task with its rows.

        Raises:
            MissingData: A file is not in the data root.
            ValueError: A file is damaged, or has other rows than it should.
        """
        rows, _, context = self.read(*find(self.task.name, *self.files))
        self._check(rows)
        checksum = rows_checksum({**rows, **{f"context of {k}": c for k, c in context.items()}})
        return replace(self.task, checksum=checksum, context=context, **rows)

    def _check(self, rows: Rows) -> None:
        if self.sizes is None:
            return
        shape = self.task.domain.shape
        expected = {split: (n, *shape) for split, n in self.sizes.items()}
        found = {split: tuple(x.shape) for split, x in rows.items() if isinstance(x, Tensor)}
        if found != expected:
            raise ValueError(
                f"Expected {self.task.name} of shapes {expected}, got {found}: its files were cut "
                "short or are other ones."
            )


def rows_checksum(rows: Mapping[str, Any]) -> str:
    """Returns the SHA-256 of names, shapes, types and values of tensors, in hexadecimal."""
    digest = hashlib.sha256()
    for name, x in sorted(rows.items()):
        if isinstance(x, Tensor):
            digest.update(f"{name} {tuple(x.shape)} {x.dtype} ".encode())
            digest.update(sha256(x.numpy()).encode())
    return digest.hexdigest()
