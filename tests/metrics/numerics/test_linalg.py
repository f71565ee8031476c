from __future__ import annotations

import pytest
import torch
from dgmbench.metrics.numerics.linalg import (
    cholesky,
    eigenvalues,
    gram,
    inverse_trace,
    keeps_single,
    spectrum,
    triangular_product,
)
from threadpoolctl import threadpool_info


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def positive(d, digits):
    """A covariance whose eigenvalues fall by the given number of decimal digits."""
    axes = torch.linalg.qr(normal(d, d))[0]
    return (axes * torch.logspace(0, -digits, d).double()) @ axes.T


def test_grams_of_blocks_add_up():
    x = normal(50, 300)  # more than one step of the mirror
    expected = x.T @ x
    assert torch.allclose(gram([x]), expected, rtol=1e-13, atol=1e-13)
    assert torch.allclose(gram(iter(x.split(7))), expected, rtol=1e-13, atol=1e-13)
    assert torch.allclose(gram([x.T]), x @ x.T, rtol=1e-13, atol=1e-13)
    assert torch.equal(gram([x]), gram([x]).T)


def test_blocks_may_share_their_memory():
    x, memory = normal(40, 3), torch.empty(10, 3, dtype=torch.float64)
    blocks = (memory.copy_(block) for block in x.split(10))
    assert torch.allclose(gram(blocks), x.T @ x, rtol=1e-13)


def blas_threads():
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


@pytest.mark.parametrize(("d", "threads"), [(512, 2), (3, 1)])
def test_large_products_take_the_threads_of_torch_and_give_them_back(d, threads):
    before, inside = blas_threads(), []

    def blocks():
        for _ in range(2):
            inside.append(blas_threads())
            yield normal(1024, d)

    torch.set_num_threads(2)
    gram(blocks())
    torch.set_num_threads(1)
    assert inside[1] == {threads}
    assert blas_threads() == before


def test_single_precision_is_not_trusted_where_torch_may_round_it(monkeypatch):
    here, elsewhere = torch.empty(1), torch.empty(1, device="meta")
    assert keeps_single(here) and keeps_single(elsewhere)
    monkeypatch.setattr(torch, "get_float32_matmul_precision", lambda: "high")
    assert keeps_single(here) and not keeps_single(elsewhere)


def test_triangular_products_are_products():
    a, b = normal(600, 600).triu(), normal(600, 600, seed=1).triu()
    assert torch.allclose(triangular_product(a, b), a @ b.T, atol=1e-11)


def test_cholesky_factors_or_says_no():
    matrix = positive(30, 3)
    factor = cholesky(matrix)
    assert torch.equal(factor, factor.triu())
    assert torch.allclose(factor.T @ factor, matrix, atol=1e-14)
    assert cholesky(matrix - 0.5 * torch.eye(30)) is None


@pytest.mark.parametrize("digits", [0, 4, 10])
def test_inverse_traces_are_right_to_about_a_third(digits):
    matrix = positive(100, digits)
    expected = float(torch.logspace(0, digits, 100).double().sum())
    assert inverse_trace(cholesky(matrix)) == pytest.approx(expected, rel=0.5)


# One axis; eigenvectors; few rows, which are turned with the matrix; rows that are too many.
@pytest.mark.parametrize(("d", "rows"), [(1, 3), (50, 20), (500, 40), (500, 501), (500, 0)])
def test_spectra_are_those_of_the_eigenvectors(d, rows):
    matrix, x = positive(d, 12), normal(rows, d, seed=1)
    values, along = spectrum(matrix, x)
    expected, axes = torch.linalg.eigh(matrix)
    assert torch.allclose(values, expected, atol=1e-14)
    assert torch.allclose(eigenvalues(matrix), expected, atol=1e-14)
    for function in (torch.sqrt, torch.abs):  # signs and clusters are free, functions are not
        form = along.square() @ function(values.clamp(min=0))
        wanted = (x @ axes).square() @ function(expected.clamp(min=0))
        assert torch.allclose(form, wanted, rtol=1e-5)


def test_rows_of_any_size_are_turned():
    matrix, x = positive(400, 2), normal(3, 400)
    sizes = torch.tensor([[1e-200], [0.0], [1e200]], dtype=torch.float64)
    one, other = spectrum(matrix, x)[1], spectrum(matrix, x * sizes)[1]
    assert torch.allclose(other[0] * 1e200, one[0], atol=1e-5)
    assert torch.equal(other[1], torch.zeros_like(one[1]))
    assert torch.allclose(other[2] * 1e-200, one[2], atol=1e-5)


def test_multiples_of_the_identity_have_one_eigenvalue():
    x = normal(5, 400)
    values, along = spectrum(3 * torch.eye(400).double(), x)
    assert torch.allclose(values, torch.full((400,), 3.0).double())
    assert torch.allclose(along.square().sum(dim=1), x.square().sum(dim=1), rtol=1e-5)
