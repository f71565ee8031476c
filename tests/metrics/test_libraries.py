"""Agreement with independent implementations in the libraries that dgmbench itself rests on.

What is compared is what the metric does not take from the library. SciPy's Wasserstein distances
are of order 1, ours of order 2: there is nothing to compare. Tolerances as in `test_peers.py`.
"""

from __future__ import annotations

import math

import numpy as np
import ot
import pytest
import torch
from dgmbench.benchmark.speed.peers import Features
from dgmbench.metrics.distance.c2st import c2st
from dgmbench.metrics.distance.cmmd import cmmd
from dgmbench.metrics.distance.frechet import frechet_distance
from dgmbench.metrics.distance.inception_score import inception_score
from dgmbench.metrics.distance.kernel_distance import kernel_distance
from dgmbench.metrics.distance.mmd import GaussianKernel, mmd, mmd_test
from dgmbench.metrics.diversity.modes import mode_coverage
from dgmbench.metrics.diversity.ndb import ndb
from dgmbench.metrics.diversity.prdc import prdc
from dgmbench.metrics.exact.kl import kl_to_truth
from dgmbench.metrics.likelihood.nll import bits_per_dim, nll
from dgmbench.metrics.memorisation import feature_likelihood
from dgmbench.metrics.memorisation.authenticity import authenticity
from dgmbench.metrics.memorisation.nearest_neighbour_ratio import nearest_neighbour_ratio
from dgmbench.metrics.numerics.clusters import cluster_centers
from dgmbench.metrics.numerics.neighbours import nearest_neighbours
from dgmbench.metrics.numerics.sorting import shuffled_order
from scipy import stats
from scipy.spatial.distance import jensenshannon
from sklearn.linear_model import LogisticRegression
from sklearn.metrics.pairwise import laplacian_kernel, polynomial_kernel, rbf_kernel
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import PredefinedSplit, cross_val_score
from sklearn.neighbors import KernelDensity, NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, normalize
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.inception import InceptionScore
from torchmetrics.image.kid import KernelInceptionDistance
from torchmetrics.text import Perplexity


def of_torchmetrics(metric, x, y):
    metric = metric.set_dtype(torch.float64)
    metric.update(y, real=True)
    metric.update(x, real=False)
    return metric.compute()


@pytest.mark.parametrize(
    ("n", "m", "d", "offset", "tolerance"),
    [
        (300, 200, 1, 0.0, 1e-12),
        (300, 200, 2, 0.0, 1e-12),
        (200, 300, 16, 0.0, 1e-12),
        (500, 400, 64, 0.0, 1e-12),
        # Theirs, from here on: moments that are not centred lose 1e8 of 1e16 at an offset of 1e4,
        # and eigenvalues of a product that should be 0 come out at 1e-16 and have roots of 1e-8.
        (300, 200, 16, 1e4, 1e-6),
        (60, 50, 80, 0.0, 1e-6),
    ],
)
def test_frechet_is_that_of_torchmetrics(pair, n, m, d, offset, tolerance):
    x, y = pair(n, m, d, offset)
    found = of_torchmetrics(FrechetInceptionDistance(feature=Features(d)), x, y)
    assert frechet_distance(x, y).value == pytest.approx(float(found), rel=tolerance)


@pytest.mark.parametrize(("n", "m", "d"), [(300, 200, 2), (200, 300, 16), (500, 400, 64)])
def test_frechet_is_the_square_of_pots_bures_distance(pair, n, m, d):
    x, y = (side.numpy() for side in pair(n, m, d))
    found = ot.gaussian.bures_wasserstein_distance(x.mean(0), y.mean(0), np.cov(x.T), np.cov(y.T))
    assert frechet_distance(*pair(n, m, d)).value == pytest.approx(found**2, rel=1e-12)


@pytest.mark.filterwarnings("ignore:Metric `Kernel Inception Distance`")
@pytest.mark.parametrize(
    ("n", "d", "offset", "tolerance"),
    # Theirs at 100: means of cubes of 1e4 are subtracted from each other.
    [(200, 1, 0.0, 1e-12), (300, 64, 0.0, 1e-12), (200, 8, 100.0, 1e-10)],
)
def test_one_subset_of_all_points_is_that_of_torchmetrics(pair, n, d, offset, tolerance):
    x, y = pair(n, n, d, offset)
    metric = KernelInceptionDistance(feature=Features(d), subsets=1, subset_size=n)
    found = float(of_torchmetrics(metric, x, y)[0])
    assert kernel_distance(x, y).value == pytest.approx(found, rel=tolerance)


@pytest.mark.filterwarnings("ignore:Metric `InceptionScore`", "ignore:std")
@pytest.mark.parametrize("scale", [0.1, 1.0, 10.0])
def test_the_inception_score_is_that_of_torchmetrics(scale):
    logits = scale * torch.randn(300, 7, dtype=torch.float64)
    metric = InceptionScore(feature=Features(7), splits=1).set_dtype(torch.float64)
    metric.update(logits)
    ours = inception_score(logits.softmax(dim=1)).value
    assert ours == pytest.approx(float(metric.compute()[0]), rel=1e-12)


def test_nll_is_the_logarithm_of_torchmetrics_perplexity():
    logits = 3 * torch.randn(8, 20, 11, dtype=torch.float64)
    tokens = torch.randint(11, (8, 20))
    metric = Perplexity().set_dtype(torch.float64)
    metric.update(logits, tokens)
    log_prob = logits.log_softmax(dim=2).gather(2, tokens[..., None])[..., 0]
    ours = nll(log_prob.sum(dim=1)).value / 20
    assert ours == pytest.approx(math.log(float(metric.compute())), rel=1e-12)


def unbiased(kernel, x, y):
    xx, yy = kernel(x, x), kernel(y, y)
    n, m = len(x), len(y)
    within = (xx.sum() - np.trace(xx)) / (n * (n - 1)) + (yy.sum() - np.trace(yy)) / (m * (m - 1))
    return within - 2 * kernel(x, y).mean()


@pytest.mark.parametrize(("n", "m", "d"), [(80, 120, 1), (120, 80, 20)])
def test_kernels_are_those_of_scikit_learn(pair, n, m, d):
    x, y = pair(n, m, d)

    def gaussian(a, b):
        return rbf_kernel(a, b, gamma=1 / (2 * 1.5**2))

    def laplace(a, b):
        return torch.as_tensor(laplacian_kernel(a, b, gamma=0.3))

    def cubic(a, b):
        return polynomial_kernel(a, b, degree=3, gamma=1 / d, coef0=1)

    def wide(a, b):
        return rbf_kernel(normalize(a), normalize(b), gamma=1 / 200)

    for ours, kernel in (
        (mmd(x, y, GaussianKernel(1.5)), gaussian),
        (mmd(x, y, laplace), lambda a, b: laplace(a, b).numpy()),
        (kernel_distance(x, y), cubic),
    ):
        assert ours.value == pytest.approx(unbiased(kernel, x.numpy(), y.numpy()), rel=1e-11)
    # The kernels of CMMD are all close to 1: theirs and ours lose three digits.
    expected = 1000 * unbiased(wide, x.numpy(), y.numpy())
    assert cmmd(x, y).value == pytest.approx(expected, rel=1e-9)


def test_the_p_value_is_that_of_all_relabellings(pair):
    x, y = pair(6, 6, 2)
    gram = rbf_kernel(torch.cat([x, y]).numpy(), gamma=1 / 2)

    def statistic(i, j):
        return unbiased(lambda a, b: gram[np.ix_(a, b)], i.astype(int), j.astype(int))

    exact = stats.permutation_test(
        (np.arange(6), np.arange(6, 12)), statistic, n_resamples=np.inf, alternative="greater"
    ).pvalue
    assert 0.02 < exact < 0.98
    ours = mmd_test(x, y, GaussianKernel(1.0), permutations=2000)
    assert abs(ours.value - exact) < 4 * math.sqrt(exact * (1 - exact) / 2000)


def test_c2st_is_the_cross_validation_of_scikit_learn(pair):
    x, y = pair(60, 60, 3)
    points = torch.cat([x[shuffled_order(x, 0)], y[shuffled_order(y, 1)]]).numpy()
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    folds = PredefinedSplit(np.tile(np.arange(60) % 5, 2))
    accuracy = cross_val_score(model, points, np.repeat([1, 0], 60), cv=folds)
    assert c2st(x, y, "logistic").value == pytest.approx(accuracy.mean(), abs=1e-12)


@pytest.mark.parametrize(("n", "m", "d", "offset"), [(150, 250, 2, 0), (200, 100, 30, 1e5)])
def test_neighbours_are_those_of_a_ball_tree(pair, n, m, d, offset):
    x, y = pair(n, m, d, offset)
    tree = NearestNeighbors(algorithm="ball_tree").fit(y.numpy())
    distance, index = tree.kneighbors(x.numpy(), 7)
    ours, ours_index = nearest_neighbours(x, y, 7)
    assert np.allclose(ours, distance, rtol=1e-12, atol=0)
    assert np.array_equal(ours_index, index)


@pytest.mark.parametrize(("d", "offset"), [(2, 0.0), (30, 1e4)])
def test_metrics_of_neighbours_are_those_of_a_ball_tree(pair, d, offset):
    x, y = (side.numpy() for side in pair(75, 100, d, offset))

    def tree(points):
        return NearestNeighbors(algorithm="ball_tree").fit(points)

    def radius(points, k):
        return tree(points).kneighbors(None, k)[0][:, -1]

    precise = [tree(x).radius_neighbors(y[[j]], r)[1][0] for j, r in enumerate(radius(y, 5))]
    recalled = [tree(y).radius_neighbors(x[[i]], r)[1][0] for i, r in enumerate(radius(x, 5))]
    expected = {
        "precision": len(np.unique(np.concatenate(precise))) / 75,
        "recall": len(np.unique(np.concatenate(recalled))) / 100,
        "density": sum(map(len, precise)) / (5 * 75),
        "coverage": np.mean([len(inside) > 0 for inside in precise]),
    }
    for name, estimate in prdc(*pair(75, 100, d, offset)).items():
        assert estimate.value == pytest.approx(expected[name], abs=1e-12)
    near, owner = (found[:, 0] for found in tree(y).kneighbors(x, 1))
    samples, train = pair(75, 100, d, offset)
    share = (near > radius(y, 1)[owner]).mean()
    assert authenticity(samples, train).value == pytest.approx(share, abs=1e-12)
    usual = tree(y[30:]).kneighbors(y[:30], 1)[0]
    ratio = np.median(tree(y[30:]).kneighbors(x, 1)[0]) / np.median(usual)
    ours = nearest_neighbour_ratio(samples, train[:30], train[30:]).value
    assert ours == pytest.approx(ratio, rel=1e-12)


@pytest.mark.parametrize("d", [1, 10])
def test_the_mixture_of_fld_is_a_kernel_density(pair, d):
    centers, y = pair(80, 60, d)
    expected = KernelDensity(bandwidth=0.7).fit(centers.numpy()).score_samples(y.numpy())
    log_variance = torch.full((80,), 2 * math.log(0.7), dtype=torch.float64)
    ours = feature_likelihood._log_likelihood(y, centers, log_variance)
    ours = ours - d / 2 * math.log(2 * math.pi)
    assert np.allclose(ours, expected, rtol=1e-10)


def test_likelihoods_are_those_of_a_fitted_mixture(pair):
    x, y = (side.numpy() for side in pair(200, 150, 3))
    model, other = (GaussianMixture(2, random_state=0).fit(side) for side in (x, y))
    log_q, log_p = (torch.as_tensor(m.score_samples(y)) for m in (model, other))
    assert nll(log_q).value == pytest.approx(-model.score(y), rel=1e-12)
    assert bits_per_dim(log_q, 3).value == pytest.approx(-model.score(y) / math.log(8), rel=1e-12)
    expected = other.score(y) - model.score(y)
    assert kl_to_truth(log_q, log_p).value == pytest.approx(expected, rel=1e-12)


def test_bins_are_tested_as_a_table_of_two_by_two(pair):
    x, y = pair(400, 300, 2)
    nearest = NearestNeighbors(n_neighbors=1).fit(cluster_centers(y, 12, 0).numpy())
    n_b, m_b = (
        np.bincount(nearest.kneighbors(side.numpy())[1][:, 0], minlength=12) for side in (x, y)
    )
    tables = (((n, 400 - n), (m, 300 - m)) for n, m in zip(n_b, m_b, strict=True))
    p_values = [stats.chi2_contingency(table, correction=False).pvalue for table in tables]
    found = ndb(x, y, bins=12)
    assert 0 < found["ndb"].value < 12
    assert found["ndb"].value == sum(p < 0.05 for p in p_values)
    assert found["js"].value == pytest.approx(jensenshannon(n_b / 400, m_b / 300) ** 2, rel=1e-12)


def test_the_reverse_kl_of_modes_is_that_of_scipy():
    labels = torch.randint(-1, 9, (200,))
    counts = np.bincount(labels[labels >= 0], minlength=12)
    expected = stats.entropy(counts, np.full(12, 1 / 12))
    assert mode_coverage(labels, 12)["reverse_kl"].value == pytest.approx(expected, rel=1e-12)
