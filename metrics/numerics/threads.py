"""Threads on a CPU: those of torch, those of the OpenBLAS in NumPy and SciPy, and our own.

The first two kinds keep each other waiting: a thread that has nothing to do spins for some
milliseconds, and one that sleeps takes as long to wake. So work that is mostly products of
OpenBLAS has `torch_on_one_thread`, and work that falls into like parts is `spread`. How many
threads there are is told by `torch.set_num_threads`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import islice
from threading import Lock
from typing import Any, TypeVar

import scipy.linalg  # noqa: F401  # brings the OpenBLAS that is to be found below
import torch
from threadpoolctl import ThreadpoolController

A = TypeVar("A")
B = TypeVar("B")

# The libraries themselves: `ThreadpoolController.limit` takes as long as a short step.
_BLAS, _OPENMP = (
    ThreadpoolController().select(user_api=api).lib_controllers for api in ("blas", "openmp")
)
_allowed: ContextVar[int | None] = ContextVar("allowed", default=None)
_lock = Lock()
_asked: list[int] = []  # the numbers of threads that are asked for now
_before: list[int] = []  # what they were when no one asked


def threads() -> int:
    """Returns how many threads the user lets torch have."""
    return _allowed.get() or torch.get_num_threads()


@contextmanager
def blas_threads(many: bool) -> Iterator[None]:
    """Gives products of NumPy and SciPy all threads, or the one that asks for them.

    OpenBLAS has one number for the process: while several ask, in whatever order they end, it is
    the smallest that they ask for.
    """
    count = threads() if many else 1
    with _lock:
        if not _asked:
            _before[:] = [library.get_num_threads() for library in _BLAS]
        _asked.append(count)
        _set(_BLAS, [min(_asked)] * len(_BLAS))
    try:
        yield
    finally:
        with _lock:
            _asked.remove(count)
            _set(_BLAS, [min(_asked)] * len(_BLAS) if _asked else _before)


@contextmanager
def torch_on_one_thread() -> Iterator[None]:
    """Keeps torch's operations on a CPU to the thread that asks for them; also a decorator.

    Other threads of the program keep what they have, and so does `linalg`. Torch's own matrix
    products may take more threads.
    """
    if _allowed.get() is not None:  # already
        yield
        return
    before = _allowed.set(threads())
    numbers = [library.get_num_threads() for library in _OPENMP]
    _set(_OPENMP, [1] * len(_OPENMP))
    try:
        yield
    finally:
        _set(_OPENMP, numbers)
        _allowed.reset(before)


def spread(function: Callable[[A], B], items: Iterable[A], device: torch.device) -> Iterator[B]:
    """Maps like `map`; on a CPU side by side, with one thread a call.

    That holds for torch but for its matrix products, and for all of NumPy and SciPy, in the whole
    process until the iterator ends. As many results as there are threads wait to be fetched.

    Args:
        function: Changes nothing that another call reads.
        items: Drawn one more than there are threads ahead of the results.
        device: Where the work is done; elsewhere than on a CPU one call follows the other.
    """
    if device.type != "cpu":
        yield from map(function, items)
        return
    count, items = threads(), iter(items)
    with blas_threads(many=False):
        if count == 1:
            yield from map(function, items)
            return
        pool = ThreadPoolExecutor(count, initializer=_on_one_thread)
        try:
            ahead = deque(pool.submit(function, item) for item in islice(items, count + 1))
            while ahead:
                yield ahead.popleft().result()
                ahead.extend(pool.submit(function, item) for item in islice(items, 1))
        finally:
            pool.shutdown(cancel_futures=True)


def _on_one_thread() -> None:
    torch.get_num_threads()  # when first asked, torch sets the number for this thread
    _set(_OPENMP, [1] * len(_OPENMP))


def _set(libraries: list[Any], numbers: list[int]) -> None:
    for library, number in zip(libraries, numbers, strict=True):
        library.set_num_threads(number)
