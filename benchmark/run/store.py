"""Stages on disk: a folder for each key of content, whole or not there at all."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..contract.files import set_aside, write_atomically

MANIFEST = "manifest.json"


class Store:
    """The stages of a suite under one folder.

    A stage's manifest holds size and SHA-256 of every file of it. A stage that does not match its
    manifest is set aside, told in a sentence on stderr, and not there.

    Args:
        root: The results folder; made if it is not there, made absolute at once.

    Raises:
        ValueError: The folder cannot be written.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.root):
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
        """Returns the folder of a stage, or None where there is no sound one."""
        folder = self.folder(stage, key)
        if not folder.exists():
            return None
        if trouble := _trouble(folder):
            set_aside(folder, self.root, trouble)
            return None
        return folder

    def done(self, stage: str, key: str) -> bool:
        """Whether the stage with this key is there and sound."""
        return self.open(stage, key) is not None

    def forget(self, stage: str, key: str) -> None:
        """Removes a stage."""
        shutil.rmtree(self.folder(stage, key), ignore_errors=True)

    @contextmanager
    def writing(self, stage: str, key: str) -> Iterator[Path]:
        """Yields a temporary folder that becomes the stage's when the block ends without error.

        Of two processes that write one stage the later wins.
        """
        final = self.folder(stage, key)
        final.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(
            tempfile.mkdtemp(dir=final.parent, prefix=f".{final.name}.", suffix=".tmp")
        )
        try:
            yield temporary
            listed = {path.name: _seen(path) for path in sorted(temporary.iterdir())}
            write_atomically(temporary / MANIFEST, json.dumps(listed).encode())
            temporary.chmod(0o755)
            shutil.rmtree(final, ignore_errors=True)
            try:
                temporary.rename(final)
            except OSError:  # another process was faster with the same stage
                if not (final / MANIFEST).exists():
                    raise
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def _seen(path: Path) -> list[int | str]:
    with path.open("rb") as file:
        return [path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest()]


def _trouble(folder: Path) -> str:
    """Says what is wrong with a stage's folder; empty where nothing is."""
    try:
        listed = json.loads((folder / MANIFEST).read_bytes())
    except (OSError, ValueError):
        return "has no manifest that can be read"
    if not isinstance(listed, dict):
        return "has no manifest that can be read"
    for name, expected in listed.items():
        try:
            found = _seen(folder / name)
        except OSError:
            return f"lacks its file {name}"
        if found != expected:
            return f"has a damaged file {name}"
    return ""
