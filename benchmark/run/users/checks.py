"""What a model returned or a file held, checked as it came and converted afterwards."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...contract.model import Diverged
from ...contract.task import Domain

# Beyond this a log-probability is no density that float32 data could have.
LARGEST_LOG_PROB = 1e15
FAR = 1e6  # samples so many times farther out than the data are a model that diverged


def checked_samples(x: Any, n: int | None, domain: Domain, what: str = "samples") -> Tensor:
    """Returns samples as the domain has them, on the CPU.

    Args:
        x: A tensor, an array, or what NumPy makes one of.
        n: Number of rows that were asked for; None takes what there is.
        domain: What one point is.
        what: What the rows are, for messages.

    Returns:
        Shape `(n, *shape)`: float32 on real-valued domains; on discrete ones the smallest of
        uint8, int16, int32 that holds the levels.

    Raises:
        Diverged: A value is NaN or infinite.
        ValueError: No numbers, another number of rows or shape, or values outside the domain.
    """
    found = plain(x, what)
    if n is not None and (found.ndim == 0 or len(found) != n):
        rows = "a single number" if found.ndim == 0 else str(len(found))
        raise ValueError(f"Expected {n} {what} from the model, got {rows}.")
    if tuple(found.shape[1:]) != domain.shape:
        want = ", ".join(map(str, domain.shape))
        raise ValueError(f"Expected {what} of shape (N, {want}), got {tuple(found.shape)}.")
    if found.is_floating_point():
        bad = int((~found.flatten(1).isfinite()).any(1).sum())
        if bad:
            raise Diverged(f"{bad} of {len(found)} {what} are NaN or infinite")
    return _real(found, what) if domain.levels is None else _levels(found, domain.levels, what)


def check_range(samples: Tensor, train: Tensor) -> None:
    """Refuses samples most of which lie farther out than any data by a factor of a million.

    Raises:
        Diverged: They do.
    """
    x, rows = samples.flatten(1).double(), train.flatten(1).double()
    centre = rows.median(dim=0).values
    farthest = float((rows - centre).abs().max()) or 1.0
    times = float((x - centre).abs().amax(dim=1).median()) / farthest
    if times > FAR:
        raise Diverged(f"half of the samples lie {times:.0e} times farther out than the data")


def _real(x: Tensor, what: str) -> Tensor:
    small = x.float()
    if x.dtype == torch.float64 and not bool(small.isfinite().all()):
        raise Diverged(f"{what} lie beyond what float32 holds (3.4e38)")
    return small


def _levels(x: Tensor, levels: int, what: str) -> Tensor:
    """Integers 0..levels-1; what is something else is told with the likeliest remedy."""
    if x.dtype == torch.bool:
        x = x.to(torch.uint8)
    if len(x):
        low, high = x.min().item(), x.max().item()
        if x.is_floating_point() and bool((x != x.round()).any()):
            remedy = "round them"
            if 0 <= low and high <= 1:
                remedy = f"multiply by {levels - 1} and round"
            elif -1 <= low and high <= 1:
                remedy = f"add 1, multiply by {(levels - 1) / 2:g} and round"
            raise ValueError(
                f"Expected whole numbers 0..{levels - 1} in {what}, got fractions within "
                f"{low:g}..{high:g}: {remedy}."
            )
        if low < 0 or high >= levels:
            raise ValueError(f"Expected {what} within 0..{levels - 1}, got {low:g}..{high:g}.")
    return x.to(smallest(levels))


def smallest(levels: int) -> torch.dtype:
    """Returns the smallest integer type of torch that holds 0..levels-1 in all arithmetic."""
    if levels <= 2**8:
        return torch.uint8
    return torch.int16 if levels <= 2**15 else torch.int32


def checked_log_prob(values: Any, n: int) -> Tensor:
    """Returns log-probabilities in nats, float64 `(n,)`, on the CPU; -inf may be among them.

    Raises:
        ValueError: No numbers, another shape, NaN, +inf, nothing but -inf, or numbers that no
            density has.
    """
    found = plain(values, "log_prob")
    if found.shape != (n,):
        hint = "; sum over the coordinates of a row" if found.shape[:1] == (n,) else ""
        raise ValueError(f"Expected log_prob of shape ({n},), got {tuple(found.shape)}{hint}.")
    found = found.double()
    bad = int(found.isnan().sum())
    if bad:
        raise ValueError(f"Expected log_prob without NaN, got {bad} of {n} rows.")
    if n and bool((found == -torch.inf).all()):
        raise ValueError(f"Expected log_prob that is finite somewhere, got -inf at all {n} rows.")
    if bool((found > LARGEST_LOG_PROB).any()):
        raise ValueError(
            f"Expected log_prob in nats, got {float(found.max()):g}: no density is as large."
        )
    return found


def plain(x: Any, what: str) -> Tensor:
    """Returns a tensor of plain numbers without a graph, on the CPU, in the type that came.

    Raises:
        ValueError: It is no array of numbers, complex, masked, or of integers beyond int64.
    """
    if isinstance(x, Tensor):
        if x.is_complex():
            raise ValueError(f"Expected real numbers in {what}, got complex ones.")
        if x.is_meta:
            raise ValueError(f"Expected numbers in {what}, got a tensor on the meta device.")
        return x.detach().to_dense().cpu()
    if isinstance(x, np.ma.MaskedArray) and np.ma.is_masked(x):
        raise ValueError(f"Expected numbers in {what}, got a masked array with missing ones.")
    array = _array(x, what)
    if array.dtype.kind == "c":
        raise ValueError(f"Expected real numbers in {what}, got complex ones.")
    if array.dtype.kind not in "fiub":
        raise ValueError(f"Expected numbers in {what}, got dtype {array.dtype}.")
    if array.dtype.kind == "u" and array.dtype.itemsize > 1:
        if array.size and int(array.max()) > np.iinfo(np.int64).max:
            raise ValueError(f"Expected numbers within int64 in {what}, got {int(array.max())}.")
        array = array.astype(np.int64)
    if array.dtype.kind == "f" and array.dtype.itemsize > 8:
        array = array.astype(np.float64)
    native = array.astype(array.dtype.newbyteorder("="), copy=False)
    return torch.from_numpy(np.ascontiguousarray(native).reshape(native.shape).copy())


def _array(x: Any, what: str) -> np.ndarray[Any, Any]:
    named = type(x).__name__
    if isinstance(x, str | bytes | dict | numbers.Number) or x is None:
        raise ValueError(f"Expected a tensor or an array as {what}, got {named}.")
    try:
        return np.asarray(x)
    except Exception as error:  # whatever a foreign object raises on conversion
        raise ValueError(
            f"Expected a tensor or an array as {what}, got {named}, which cannot be made one "
            f"({type(error).__name__})."
        ) from None
