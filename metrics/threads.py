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
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from itertools import islice
from typing import TypeVar

import torch
from threadpoolctl import ThreadpoolController

A = TypeVar("A")
B = TypeVar("B")

_BLAS, _OPENMP = (ThreadpoolController().select(user_api=api) for api in ("blas", "openmp"))
_allowed: ContextVar[int | None] = ContextVar("allowed", default=None)


def threads() -> int:
    """Returns how many threads the user lets torch have."""
    return _allowed.get() or torch.get_num_threads()


def blas_threads(many: bool) -> AbstractContextManager[object]:
    """Gives products of NumPy and SciPy all threads, or the one that asks for them."""
    return _BLAS.limit(limits=threads() if many else 1)


@contextmanager
def torch_on_one_thread() -> Iterator[None]:
    """Keeps torch's operations on a CPU to the thread that asks for them; also a decorator.

    Other threads of the program keep what they have, and so do the products of `linalg`.
    """
    before = _allowed.set(threads())
    try:
        with _OPENMP.limit(limits=1):
            yield
    finally:
        _allowed.reset(before)


def spread(function: Callable[[A], B], items: Iterable[A], device: torch.device) -> Iterator[B]:
    """Maps like `map`; on a CPU side by side, each call with one thread for all that it does.

    Args:
        function: Changes nothing that another call reads.
        items: Drawn a few ahead of the results.
        device: Where the work is done; elsewhere than on a CPU one call follows the other.
    """
    count = threads()
    if device.type != "cpu" or count == 1:
        yield from map(function, items)
        return
    items = iter(items)
    with (
        blas_threads(many=False),
        ThreadPoolExecutor(count, initializer=_on_one_thread) as pool,
    ):
        ahead = deque(pool.submit(function, item) for item in islice(items, 4 * count))
        while ahead:
            yield ahead.popleft().result()
            ahead.extend(pool.submit(function, item) for item in islice(items, 1))


def _on_one_thread() -> None:
    torch.get_num_threads()  # when first asked, torch sets the number for this thread
    _OPENMP.limit(limits=1)
