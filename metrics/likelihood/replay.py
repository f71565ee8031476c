"""A function of tensors that a GPU replays as one CUDA graph.

Gray, Getting Started with CUDA Graphs, NVIDIA 2019: where kernels are shorter than the time to
launch them, as in many small steps of Hamiltonian Monte Carlo, one launch for all of them is
faster. A graph has fixed addresses: inputs are copied into its own, outputs out of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

Function = Callable[..., tuple[Tensor, ...]]
WARM_UPS = 3  # calls before a capture, by which libraries choose their algorithms


class Replayed:
    """Calls a function; on a GPU it replays a recording of it.

    What does not suit a graph is called as it is: tensors on a CPU, a function that waits for the
    GPU (whose Python looks at values), and one whose recording gives other values than it gives.
    The last is seen by its first call, whose inputs are others than those of the recording.

    Args:
        function: Of tensors, to a tuple of tensors, without a side effect. Tensors that it closes
            over are read anew at each call and must stay where they are; it draws nothing.
    """

    def __init__(self, function: Function) -> None:
        self.function = function
        self._recording: _Recording | None = None
        self._suits = True

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Returns the function's outputs, in memory of their own."""
        if not self._suits or not _on_gpu(inputs):
            return self.function(*inputs)
        if self._recording is None or not self._recording.fits(inputs):
            return self._record(inputs)
        return self._recording(*inputs)

    def _record(self, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        expected = self.function(*inputs)
        self._recording = None  # gives its memory back before another is made
        others = [(0.9 * each).to(each) for each in inputs]
        if not _waits(self.function, others):
            self._recording = _Recording(self.function, others)
            found = self._recording(*inputs)
            if all(_alike(a, b) for a, b in zip(found, expected, strict=True)):
                return expected
            self._recording = None
        self._suits = False
        return expected


class _Recording:
    """A CUDA graph of one call, with the tensors that it reads and writes."""

    def __init__(self, function: Function, inputs: Sequence[Tensor]) -> None:
        self.inputs = tuple(each.clone() for each in inputs)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self.outputs = function(*self.inputs)

    def fits(self, inputs: Sequence[Tensor]) -> bool:
        """Whether the inputs have the shapes, types and device of the recording's."""
        return [_kind(each) for each in inputs] == [_kind(each) for each in self.inputs]

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        for own, given in zip(self.inputs, inputs, strict=True):
            own.copy_(given)
        self.graph.replay()
        return tuple(each.clone() for each in self.outputs)


def _on_gpu(inputs: Sequence[Tensor]) -> bool:
    return torch.cuda.is_available() and all(each.is_cuda for each in inputs)


def _kind(x: Tensor) -> tuple[torch.Size, torch.dtype, torch.device]:
    return x.shape, x.dtype, x.device


def _waits(function: Function, inputs: Sequence[Tensor]) -> bool:
    """Whether the function waits for the GPU; a recording would fail, and leave torch's draws so.

    Its calls are on a stream of their own, as a recording wants them.
    """
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with _waiting_is_an_error(), torch.cuda.stream(stream):
        try:
            for _ in range(WARM_UPS):
                function(*inputs)
        except RuntimeError as error:
            if "synchroniz" not in str(error):
                raise
            return True
    torch.cuda.current_stream().wait_stream(stream)
    return False


@contextmanager
def _waiting_is_an_error() -> Iterator[None]:
    before = torch.cuda.get_sync_debug_mode()
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode(before)


def _alike(a: Tensor, b: Tensor) -> bool:
    return torch.allclose(a, b, rtol=1e-3, atol=1e-4, equal_nan=True)
