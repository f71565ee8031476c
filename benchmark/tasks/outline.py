"""A task before its rows: all that can be said of it without reading a file or drawing a row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import NamedTuple

from torch import Tensor

from ..contract.task import Task
from .readers.data_root import data_root, find
from .split import Rows


class Loaded(NamedTuple):
    """Rows of each split, and the SHA-256 of what they were read from (empty if computed)."""

    rows: Rows
    checksum: str = ""


@dataclass(frozen=True)
class Outline:
    """What a task is, where its rows are, and how to get them.

    Attributes:
        task: The task without rows and checksum.
        sizes: Rows of each split; None where only reading them tells.
        read: Reads or draws the rows; takes the paths of `files`, in their order.
        files: What it needs in the data root, as paths relative to it.
        package: A package that `read` needs beside the usual ones.
    """

    task: Task
    sizes: Mapping[str, int] | None
    read: Callable[..., Loaded]
    files: tuple[str, ...] = ()
    package: str = ""

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
        rows, checksum = self.read(*find(self.task.name, *self.files))
        self._check(rows)
        return replace(self.task, checksum=checksum, **rows)

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
