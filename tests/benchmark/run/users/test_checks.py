"""What a model returned is checked as it came, then converted."""

import numpy as np
import pytest
import torch
from dgmbench.benchmark.contract.model import Diverged
from dgmbench.benchmark.contract.task import Domain
from dgmbench.benchmark.run.users.checks import (
    check_range,
    checked_log_prob,
    checked_samples,
    smallest,
)

PLANE, DIGITS = Domain((2,)), Domain((1, 2, 2), levels=17)


def levels(values, dtype=float):
    return np.array(values, dtype=dtype).reshape(-1, 1, 2, 2)


@pytest.mark.parametrize(
    "x",
    [
        torch.ones(3, 2, dtype=torch.float64),
        torch.ones(3, 2, dtype=torch.bfloat16),
        torch.ones(3, 2, requires_grad=True),
        np.ones((3, 2), dtype=">f8"),
        np.ones((3, 2), dtype=np.longdouble),
        np.asfortranarray(np.ones((3, 2))),
        [[1.0, 1.0]] * 3,
    ],
    ids=["float64", "bfloat16", "graph", "big-endian", "longdouble", "fortran", "lists"],
)
def test_numbers_of_every_kind_become_float32(x):
    found = checked_samples(x, 3, PLANE)
    assert found.dtype == torch.float32 and not found.requires_grad
    assert torch.equal(found, torch.ones(3, 2))


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int64", "uint32", "uint64", "f4", "f8"])
def test_levels_of_every_kind_become_the_smallest_integers(dtype):
    found = checked_samples(levels([0, 5, 16, 3], dtype), 1, DIGITS)
    assert found.dtype == torch.uint8
    assert found.flatten().tolist() == [0, 5, 16, 3]


def test_what_is_handed_over_is_a_copy():
    x = np.zeros((3, 2), dtype=np.float32)
    found = checked_samples(x, 3, PLANE)
    x += 1
    assert not found.any()


def test_smallest_types():
    assert [smallest(k) for k in (2, 256, 257, 2**15, 2**16)] == [
        torch.uint8, torch.uint8, torch.int16, torch.int16, torch.int32,
    ]  # fmt: skip


WRONG = [
    (levels([0.0, 0.5, 1.0, 0.25]), DIGITS, "fractions within 0..1: multiply by 16 and round"),
    (levels([-1.0, 0.5, 1.0, 0.25]), DIGITS, "add 1, multiply by 8 and round"),
    (levels([0, 1, 17, 2]), DIGITS, "within 0..16, got 0..17"),
    (levels([0, 1, -1, 2]), DIGITS, "within 0..16, got -1..2"),
    (levels([0, 1, 2**64 - 1, 2], np.uint64), DIGITS, "18446744073709551615"),
    (np.ones((1, 2)) * 1j, PLANE, "complex"),
    (torch.ones(1, 2) * 1j, PLANE, "complex"),
    (np.ma.masked_array([[1.0, 2.0]], mask=[[True, False]]), PLANE, "masked"),
    (np.array([["a", "b"]]), PLANE, "dtype <U1"),
    (np.array([[object(), 1]]), PLANE, "dtype object"),
    ("text", PLANE, "got str"),
    (None, PLANE, "got NoneType"),
    (3.0, PLANE, "got float"),
    (np.ones((2, 2)), PLANE, "Expected 1 samples from the model, got 2"),
    (np.ones((1, 3)), PLANE, r"shape \(N, 2\), got \(1, 3\)"),
    (np.array(1.0), PLANE, "a single number"),
]


@pytest.mark.parametrize(("x", "domain", "said"), WRONG, ids=range(len(WRONG)))
def test_what_is_wrong_is_one_sentence(x, domain, said):
    with pytest.raises(ValueError, match=said) as caught:
        checked_samples(x, 1, domain)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("domain", [PLANE, Domain((2,), levels=4)])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_has_diverged(domain, value):
    with pytest.raises(Diverged, match="1 of 2 samples are NaN or infinite"):
        checked_samples(np.array([[1.0, 1.0], [1.0, value]]), 2, domain)


def test_what_float32_cannot_hold_has_diverged():
    with pytest.raises(Diverged, match="beyond what float32 holds"):
        checked_samples(np.array([[1e300, 1.0]]), 1, PLANE)


def test_an_object_that_numpy_can_read_is_read():
    class Array:
        def __array__(self, dtype=None, copy=None):
            return np.ones((3, 2))

    assert checked_samples(Array(), 3, PLANE).shape == (3, 2)


def test_an_object_that_raises_is_told():
    class Array:
        def __array__(self, dtype=None, copy=None):
            raise RuntimeError

    with pytest.raises(ValueError, match=r"cannot be made one \(RuntimeError\)"):
        checked_samples(Array(), 3, PLANE)


def test_log_probabilities_are_float64_and_may_be_infinite_at_places():
    found = checked_log_prob(np.array([-1.0, -np.inf], dtype=np.float32), 2)
    assert found.dtype == torch.float64
    assert found.tolist() == [-1.0, -np.inf]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (np.ones((2, 1)), "sum over the coordinates"),
        (np.ones(3), r"shape \(2,\), got \(3,\)"),
        (np.array([np.nan, 0]), "without NaN, got 1 of 2"),
        (np.array([-np.inf, -np.inf]), "finite somewhere"),
        (np.array([1e30, 0]), "no density is as large"),
        (np.array([np.inf, 0]), "no density is as large"),
        (None, "got NoneType"),
    ],
)
def test_log_probabilities_that_cannot_be_are_told(values, said):
    with pytest.raises(ValueError, match=said):
        checked_log_prob(values, 2)


def test_samples_a_million_times_farther_out_than_the_data_are_diverged():
    train = torch.tensor([[-1.0, 0.0], [0.0, 2.0], [1.0, 0.0]])
    check_range(torch.tensor([[9e9, 0.0], [1.0, 1.0], [0.0, 5.0]]), train)  # one stray point
    check_range(torch.full((5, 2), 1e6), train)
    with pytest.raises(Diverged, match="half of the samples lie 5e\\+06 times farther out"):
        check_range(torch.full((5, 2), 1e7), train)
