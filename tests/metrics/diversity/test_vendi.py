import math

import pytest
import torch
from dgmbench.metrics.diversity.vendi import VendiScore, _slope, vendi_score
from dgmbench.metrics.numerics.jackknife import block_jackknife
from dgmbench.metrics.numerics.subset import thinned


def points(n, d, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, d, generator=generator, dtype=torch.float64)


def by_definition(kernel, q):
    values = torch.linalg.eigvalsh(kernel / len(kernel))
    values = values[values > 1e-13]
    if q == 1:
        return math.exp(-float((values * values.log()).sum()))
    if q == math.inf:
        return float(1 / values.max())
    return float((values**q).sum()) ** (1 / (1 - q))


ORDERS = [0.5, 1.0, 2.0, 5.0, math.inf]


@pytest.mark.parametrize("q", ORDERS)
@pytest.mark.parametrize(("n", "d"), [(80, 6), (20, 60)])
def test_cosine_scores_follow_the_definition(q, n, d):
    x = points(n, d) + 0.3
    unit = x / x.norm(dim=1, keepdim=True)
    assert vendi_score(x, q).value == pytest.approx(by_definition(unit @ unit.T, q), rel=1e-11)


@pytest.mark.parametrize("q", ORDERS)
@pytest.mark.parametrize("bandwidth", [0.05, 1.0, 30.0])
@pytest.mark.parametrize("d", [2, 20])  # by a factor of low rank, and by the kernel itself
def test_rbf_scores_follow_the_definition(q, bandwidth, d):
    x = points(120, d)
    kernel = (-torch.cdist(x, x).square() / (2 * bandwidth**2)).exp()
    found = vendi_score(x, q, "rbf", bandwidth).value
    assert found == pytest.approx(by_definition(kernel, q), rel=1e-5 if q < 1 else 1e-9)


@pytest.mark.parametrize("d", [3, 20])
def test_copies_add_nothing_under_the_rbf_kernel(d):
    x = points(40, d) + 100
    once, twice = (vendi_score(y, 1.0, "rbf", 0.3).value for y in (x, x.repeat(2, 1)))
    assert twice == pytest.approx(once, rel=1e-10)
    assert vendi_score(x.repeat(2, 1), 0.0, "rbf", 0.3).value == 40


@pytest.mark.parametrize("q", [0.0, *ORDERS])
def test_orthogonal_points_count_and_copies_do_not(q):
    x = torch.eye(5).repeat(4, 1)
    assert vendi_score(x, q).value == pytest.approx(5)
    assert vendi_score(x, q, "rbf", bandwidth=1e-3).value == pytest.approx(5)
    assert vendi_score(torch.ones(7, 3), q).value == pytest.approx(1)
    assert vendi_score(torch.ones(7, 3), q, "rbf").value == pytest.approx(1)


def test_unequal_groups_have_the_hill_numbers_of_their_shares():
    x = torch.eye(3)[[0, 0, 0, 0, 1, 1, 1, 2]]
    share = torch.tensor([4, 3, 1]).double() / 8
    assert vendi_score(x, 2.0).value == pytest.approx(1 / float(share.square().sum()))
    assert vendi_score(x, math.inf).value == pytest.approx(2)
    assert vendi_score(x, 1.0).value == pytest.approx(
        math.exp(-float((share * share.log()).sum()))
    )


def test_published_examples():
    # README of the authors' package; the rows of a factor have its kernel as their cosines.
    x = torch.tensor([0.0, 10.0, 20.0])
    kernel = (-(x[:, None] - x).abs()).exp().double()
    assert vendi_score(torch.linalg.cholesky(kernel)).value == pytest.approx(
        2.9999, abs=1.01e-4
    )  # printed cut
    kernel = torch.tensor([[1.0, 0.9, 0.0], [0.9, 1.0, 0.0], [0.0, 0.0, 1.0]]).double()
    assert vendi_score(torch.linalg.cholesky(kernel)).value == pytest.approx(2.1573, abs=5e-5)


def test_higher_orders_never_score_higher():
    x = points(60, 5) + 0.5
    scores = [vendi_score(x, q).value for q in (0.0, *ORDERS)]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] == 5


def test_the_order_tends_to_one_and_infinity():
    x = points(60, 5) + 0.5
    assert vendi_score(x, 1 + 1e-7).value == pytest.approx(vendi_score(x, 1.0).value, rel=1e-6)
    assert vendi_score(x, 1e5).value == pytest.approx(vendi_score(x, math.inf).value, rel=1e-4)
    assert vendi_score(x, 1 + 1e-7).stderr == pytest.approx(vendi_score(x, 1.0).stderr, rel=1e-5)


@pytest.mark.parametrize("kernel", ["cosine", "rbf"])
def test_row_order_and_rotation_do_not_matter(kernel):
    x = points(90, 4)
    turn = torch.linalg.qr(points(4, 4, 1))[0]
    expected = vendi_score(x, 1.0, kernel)
    found = vendi_score((x @ turn).flip(0), 1.0, kernel)
    assert found.value == pytest.approx(expected.value, rel=1e-9)
    assert found.stderr == pytest.approx(expected.stderr, rel=1e-7)


def test_both_gram_matrices_give_one_error():
    x = points(30, 29)
    wide = torch.cat([x, torch.zeros(30, 10)], dim=1)
    assert vendi_score(wide).stderr == pytest.approx(vendi_score(x).stderr, rel=1e-10)


@pytest.mark.parametrize(("n", "d"), [(900, 450), (450, 900)])
@pytest.mark.parametrize("q", [0.5, 1.0, math.inf])
def test_errors_in_many_dimensions_are_those_of_the_eigenvectors(n, d, q):
    x = points(n, d) + 0.5
    rows = (x / x.norm(dim=1, keepdim=True))[thinned(x, min(n, d))]
    values, axes = torch.linalg.eigh(x.T @ (x / x.square().sum(dim=1, keepdim=True)) / n)
    kept = values > 1e-13
    along = (rows @ axes[:, kept]).square()
    influence = vendi_score(x, q).value * (along @ _slope(values[kept], q))
    expected = float(influence.std()) / math.sqrt(n)
    assert vendi_score(x, q).stderr == pytest.approx(expected, rel=1e-4)


def test_some_of_many_points_give_the_error():
    x = points(8000, 4) + 0.5
    jackknife = block_jackknife(lambda a: vendi_score(a).value, x, blocks=400)
    assert vendi_score(x).stderr == pytest.approx(jackknife, rel=0.15)
    assert vendi_score(x.flip(0)).stderr == pytest.approx(vendi_score(x).stderr, rel=1e-9)


def test_errors_say_what_came():
    with pytest.raises(ValueError, match="order q >= 0, got -1"):
        vendi_score(points(5, 2), -1)
    with pytest.raises(ValueError, match="non-zero rows for the cosine kernel, got 1 of 3"):
        vendi_score(torch.tensor([[1.0], [0.0], [2.0]]))
    with pytest.raises(ValueError, match='"cosine" or "rbf", got "linear"'):
        vendi_score(points(5, 2), kernel="linear")
    with pytest.raises(ValueError, match=r"positive bandwidth, got 0\.0"):
        vendi_score(points(5, 2), kernel="rbf", bandwidth=0)
    with pytest.raises(ValueError, match="at least 2 points in samples, got 1"):
        vendi_score(points(1, 2))


def test_the_class_gives_the_value_of_the_function():
    x = points(50, 3)
    metric = VendiScore(q=2.0, kernel="rbf")
    for part in x.split(20):
        metric.update(part)
    assert metric.estimate() == vendi_score(x, 2.0, "rbf")
    assert float(metric.compute()) == pytest.approx(vendi_score(x, 2.0, "rbf").value, rel=1e-12)
    wide = VendiScore()
    wide.update(points(10, 30))
    assert float(wide.compute()) == pytest.approx(vendi_score(points(10, 30)).value, rel=1e-12)


@pytest.mark.peers
@pytest.mark.parametrize("q", [0.5, 1.0, 2.0])  # at infinity theirs is NaN
def test_agrees_with_the_authors_code(q):
    peer = pytest.importorskip("vendi_score.vendi")
    x = points(100, 10) + 0.5
    unit = (x / x.norm(dim=1, keepdim=True)).numpy()
    expected = peer.score_K(unit @ unit.T, q=q)
    assert vendi_score(x, q).value == pytest.approx(expected, rel=1e-6)
