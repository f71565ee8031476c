"""Stages on disk: a folder for each key of content, complete or not there at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Store:
    """The results of a suite under one folder.

    Args:
        root: The folder; made if it is not there.

    Raises:
        ValueError: The folder cannot be written.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        try:
            root.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=root):
                pass
        except OSError as error:
            raise ValueError(
                f"Expected a folder that can be written, got {root} ({error.strerror}); "
                "choose another with --out."
            ) from None

    def folder(self, stage: str, key: str) -> Path:
        """Where the stage with this key is, or would be."""
        return self.root / "stages" / stage / key[:24]

    def open(self, stage: str, key: str) -> Path | None:
        """Returns the folder of a complete stage, or None."""
        folder = self.folder(stage, key)
        return folder if folder.is_dir() else None

    def forget(self, stage: str, key: str) -> None:
        """Removes a stage."""
        shutil.rmtree(self.folder(stage, key), ignore_errors=True)

    def done(self, stage: str, key: str) -> bool:
        """Whether the stage with this key is complete."""
        return self.folder(stage, key).is_dir()

    @contextmanager
    def writing(self, stage: str, key: str) -> Iterator[Path]:
        """Yields a temporary folder that becomes the stage's when the block ends without error."""
        final = self.folder(stage, key)
        temporary = final.with_name(f".{final.name}.{os.getpid()}.tmp")
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        try:
            yield temporary
            shutil.rmtree(final, ignore_errors=True)
            temporary.rename(final)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
