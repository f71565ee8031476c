"""A guardian: the process that runs one piece of work in a child of its own and ends with it.

Whatever the work does to its process (its default dtype, its working directory, a crash) ends with
that process, and so does what it started: the guardian ends the child's whole process group and,
on Linux, every orphan that descends from it, also one that began a session of its own. If the
harness dies, the guardian ends the work. What the work prints goes to a file of bounded size.
"""

from __future__ import annotations

import ctypes
import os
import pickle
import select
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

KEPT = 2**19  # bytes of output that are kept from the beginning, and as many from the end
_SET_PDEATHSIG, _SET_CHILD_SUBREAPER = 1, 36  # of linux/prctl.h


@dataclass(frozen=True)
class Ended:
    """The process of a piece of work ended before its result came.

    Attributes:
        code: Its exit code; minus the signal where one ended it.
    """

    code: int


def guarded(
    work: bytes,
    log: Path | None,
    threads: int,
    harness: int,
    gpu: str | None = None,
) -> Any:
    """Runs a piece of work in a child process and returns its result, or an `Ended`.

    The guardian itself unpickles nothing of the work: a thread of OpenMP that started here would
    be missing in the child, which would wait for it for ever.

    Args:
        work: A function of one piece of work and the piece, as `pickle.dumps((run, item))`.
        log: File for what it prints, made only if it prints; None lets it print.
        threads: Threads of torch.
        harness: Process whose end ends the work.
        gpu: The one GPU that the work sees; None leaves all in sight.
    """
    _prctl(_SET_CHILD_SUBREAPER, 1)
    if gpu is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpu  # CUDA reads it at its first call, in the child
    output, printed = os.pipe()
    answer, given = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(output)
        os.close(answer)
        _work(work, given, printed if log else None, threads)
    os.close(printed)
    os.close(given)
    signal.signal(signal.SIGTERM, _stop)
    tail, result = _Tail(), bytearray()
    stopped, code = True, 1
    try:
        code = _watch(child, _end_of(harness), {output: tail.add, answer: result.extend})
        stopped = False
    finally:
        _end_all(child)
        _drain(output, tail.add)
        _drain(answer, result.extend)
        if log:
            tail.write(log)
        if stopped:
            os._exit(code)
    return _result(bytes(result), code)


def _stop(*_: Any) -> None:
    """Called by SIGTERM: the harness stops the work, at its timeout or because it is stopped."""
    raise SystemExit


def _work(work: bytes, given: int, printed: int | None, threads: int) -> None:
    """The child: does the work, hands its result over, and never returns."""
    code = 1
    try:
        os.setsid()
        _prctl(_SET_PDEATHSIG, signal.SIGKILL)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if printed is not None:
            os.dup2(printed, 1)
            os.dup2(printed, 2)
        _prepare(threads)
        run, item = pickle.loads(work)
        data = pickle.dumps(run(item))
        with os.fdopen(given, "wb") as pipe:
            pipe.write(len(data).to_bytes(8, "little") + data)
        code = 0
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        with suppress(BaseException):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _prepare(threads: int) -> None:
    import torch

    torch.set_num_threads(threads)
    keep_freed_memory()


def _watch(child: int, harness: int | None, pipes: dict[int, Callable[[bytes], None]]) -> int:
    """Reads what comes until the child is dead; returns its exit code, or minus its signal."""
    parent = os.getppid()
    while True:
        waiting = [*pipes, *([] if harness is None else [harness])]
        for ready in select.select(waiting, [], [], 0.05)[0]:
            if ready == harness:
                raise SystemExit
            elif data := os.read(ready, 2**16):
                pipes[ready](data)
            else:
                del pipes[ready]
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if harness is None and os.getppid() != parent:
            raise SystemExit


def _end_of(process: int) -> int | None:
    """A descriptor that becomes readable when a process ends; Linux has such, others do not."""
    try:
        return os.pidfd_open(process) if hasattr(os, "pidfd_open") else None
    except OSError:  # it has ended, or the kernel is old
        return None


def _result(data: bytes, code: int) -> Any:
    size = int.from_bytes(data[:8], "little")
    if len(data) < 8 or len(data) - 8 != size:
        return Ended(code)
    return pickle.loads(data[8:])


def _end_all(child: int) -> None:
    """Ends the child's process group, then whatever descends from it, for two seconds at most."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child, signal.SIGKILL)
    deadline = time.monotonic() + 2
    while (left := _children()) and time.monotonic() < deadline:
        for pid in left:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
            with suppress(ChildProcessError):
                os.waitpid(pid, 0)


def _children() -> list[int]:
    """The children of this process, orphans of the work among them; Linux only."""
    found = []
    for path in Path("/proc/self/task").glob("*/children"):
        with suppress(OSError):
            found += [int(pid) for pid in path.read_text().split()]
    return found


def _drain(pipe: int, add: Callable[[bytes], None]) -> None:
    """Reads what is left in a pipe without waiting for more, and closes it."""
    os.set_blocking(pipe, False)
    with suppress(BlockingIOError):
        while data := os.read(pipe, 2**16):
            add(data)
    os.close(pipe)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


class _Tail:
    """The beginning and the end of what was printed."""

    def __init__(self) -> None:
        self.head, self.end, self.count = bytearray(), bytearray(), 0

    def add(self, data: bytes) -> None:
        self.count += len(data)
        room = KEPT - len(self.head)
        self.head += data[:room]
        self.end += data[max(room, 0) :]
        if len(self.end) > 2 * KEPT:
            del self.end[:-KEPT]

    def write(self, path: Path) -> None:
        if not self.count:
            return
        end = self.end[-KEPT:]
        left_out = self.count - len(self.head) - len(end)
        gap = f"\n[... {left_out} bytes are left out ...]\n".encode() if left_out else b""
        with suppress(OSError):  # a full disk must not cost the result
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(bytes(self.head) + gap + bytes(end))


def keep_freed_memory() -> None:
    """Lets the process keep up to 512 MiB of freed memory for its next tensors.

    To hand it back to the system and fetch it again at every step takes a fifth of the time of a
    model of many pixels. Tensors above 32 MiB, such as all rows of a task, are handed back at
    once. Works with the C library of most Linuxes (glibc).
    """
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            libc = ctypes.CDLL(None)
            libc.mallopt(_MMAP_THRESHOLD, 2**25)
            libc.mallopt(_TRIM_THRESHOLD, 2**29)


_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of malloc.h
