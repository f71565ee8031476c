"""Two runs on one folder share the work: a cell that one of them claims is not begun by the other.

A claim is a file that only one can make (`O_EXCL`). It names its owner: machine, process and the
time at which that process began. Its owner touches it every few seconds; a claim that has not been
touched for a minute, or whose process is gone from this machine, is free again.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

BEAT, STALE = 5.0, 60.0  # seconds


class Claims:
    """The claims of one run under a results folder.

    Args:
        root: The results folder.
        beat: Seconds between two signs of life.
        stale: Seconds without a sign after which a claim is free.
    """

    def __init__(self, root: Path, beat: float = BEAT, stale: float = STALE) -> None:
        self.folder, self.beat, self.stale = root / "claims", beat, stale
        self.owner = {
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "began": _began(os.getpid()),
        }
        self.mine: set[Path] = set()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Claims:
        self._thread = threading.Thread(target=self._live, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._over.set()
        for path in list(self.mine):
            path.unlink(missing_ok=True)
        with suppress(OSError):  # another run has claims in it
            self.folder.rmdir()

    def claim(self, name: str) -> bool:
        """Claims a cell, or returns False if a run that lives has it.

        Args:
            name: A file name for the cell.
        """
        path = self.folder / name
        if path in self.mine or self._make(path):
            return True
        found = _text(path)
        if not self._is_free(path, found):
            return False
        # Renaming succeeds for one of those who find it free; the others see it gone, or take a
        # fresh claim away, which they then put back.
        aside = path.with_name(f".{name}.{os.getpid()}.free")
        with suppress(OSError):
            path.rename(aside)
            if _text(aside) != found:
                os.link(aside, path)
            aside.unlink()
        return self._make(path)

    def release(self, name: str) -> None:
        """Gives a claim back."""
        path = self.folder / name
        if path in self.mine:
            self.mine.discard(path)
            path.unlink(missing_ok=True)

    def _make(self, path: Path) -> bool:
        while True:
            try:
                with path.open("x") as file:
                    json.dump(self.owner, file)
            except FileExistsError:
                return False
            except FileNotFoundError:  # a run that ended took the empty folder with it
                with suppress(FileExistsError):
                    path.parent.mkdir(parents=True)
            else:
                self.mine.add(path)
                return True

    def _is_free(self, path: Path, text: str) -> bool:
        """Whether a claim's owner is gone; of an owner elsewhere or unknown its silence tells."""
        with suppress(ValueError):
            owner = json.loads(text)
            if isinstance(owner, dict) and owner.get("host") == self.owner["host"]:
                pid = owner.get("pid")
                return not isinstance(pid, int) or _began(pid) != owner.get("began")
        try:
            return time.time() - path.stat().st_mtime > self.stale
        except OSError:
            return True

    def _live(self) -> None:
        while not self._over.wait(self.beat):
            for path in list(self.mine):
                with suppress(OSError):
                    os.utime(path)


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, ValueError):
        return ""


def _began(pid: int) -> str:
    """When a process began, as the system tells it; empty if there is none."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
        fields = text.rpartition(")")[2].split()
        return "" if fields[0] in ("Z", "X") else fields[19]  # a zombie has ended
    except (OSError, IndexError):
        pass
    if Path("/proc/self/stat").exists():
        return ""
    try:  # no /proc: whether it is there is all that can be told
        os.kill(pid, 0)
        return "there"
    except PermissionError:
        return "there"
    except OSError:
        return ""
