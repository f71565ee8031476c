"""Agreement with the metrics of other libraries, installed as the extra `peers`.

All features are float64, so that what is left of a difference is the rounding of an algorithm and
not of its input. A tolerance says whose error it allows; ours are bounded in the tests of offsets
and closed forms of each metric.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from dgmbench.benchmark.speed.peers import without_torchvision
from dgmbench.metrics.distance.energy_distance import energy_distance
from dgmbench.metrics.distance.frechet import frechet_distance
from dgmbench.metrics.distance.inception_score import inception_score
from dgmbench.metrics.distance.kernel_distance import kernel_distance
from dgmbench.metrics.distance.mmd import GaussianKernel, mmd
from dgmbench.metrics.distance.sinkhorn import sinkhorn_divergence
from dgmbench.metrics.diversity.prdc import prdc
from dgmbench.metrics.diversity.vendi import vendi_score
from sklearn.metrics.pairwise import rbf_kernel

pytestmark = pytest.mark.peers

SHAPES = [(300, 200, 2), (200, 300, 16), (500, 400, 64)]  # their roots fail at d = 1


@pytest.fixture
def torch_fidelity():
    """Imports a module of torch-fidelity, which does not get to see a torchvision."""

    def module(name):
        without_torchvision()
        pytest.importorskip("torch_fidelity", reason="the extra `peers` has no torch-fidelity")
        return pytest.importorskip(f"torch_fidelity.{name}")

    return module


@pytest.fixture
def pytorch_fid():
    without_torchvision()
    return pytest.importorskip("pytorch_fid.fid_score")


@pytest.fixture
def geomloss():
    return pytest.importorskip("geomloss")


def frechet_of_torch_fidelity(fid, x, y):
    sides = [fid.fid_features_to_statistics(side) for side in (x, y)]
    return fid.fid_statistics_to_metric(*sides, False)["frechet_inception_distance"]


def frechet_of_pytorch_fid(fid, x, y):
    sides = [(f.mean(axis=0), np.cov(f, rowvar=False)) for f in (x.numpy(), y.numpy())]
    return float(fid.calculate_frechet_distance(*sides[0], *sides[1]))


@pytest.mark.parametrize(("n", "m", "d"), SHAPES)
def test_frechet_is_that_of_torch_fidelity(pair, torch_fidelity, n, m, d):
    fid, (x, y) = torch_fidelity("metric_fid"), pair(n, m, d)
    assert frechet_distance(x, y).value == pytest.approx(
        frechet_of_torch_fidelity(fid, x, y), rel=1e-12
    )


@pytest.mark.parametrize(("n", "m", "d"), SHAPES)
def test_frechet_is_that_of_pytorch_fid(pair, pytorch_fid, n, m, d):
    x, y = pair(n, m, d)
    assert frechet_distance(x, y).value == pytest.approx(
        frechet_of_pytorch_fid(pytorch_fid, x, y), rel=1e-12
    )


@pytest.mark.parametrize(
    ("n", "d", "offset", "tolerance"),
    [
        (60, 80, 0.0, 1e-7),  # theirs: the root of a singular product keeps half of the digits
        (300, 16, 1e4, 1e-11),  # the input's: 1e-16 of 1e4 in each coordinate of the means
    ],
)
def test_frechet_at_the_edges(pair, torch_fidelity, pytorch_fid, n, d, offset, tolerance):
    fid, (x, y) = torch_fidelity("metric_fid"), pair(n, n - 10, d, offset)
    ours = frechet_distance(x, y).value
    assert ours == pytest.approx(frechet_of_torch_fidelity(fid, x, y), rel=tolerance)
    assert ours == pytest.approx(frechet_of_pytorch_fid(pytorch_fid, x, y), rel=tolerance)


@pytest.mark.parametrize(
    ("n", "d", "offset", "tolerance"),
    [
        (200, 1, 0.0, 1e-12),
        (200, 2, 0.0, 1e-12),
        (300, 64, 0.0, 1e-12),
        (200, 8, 10.0, 1e-12),
        (200, 8, 100.0, 1e-10),  # theirs: means of cubes of 1e4 are subtracted from each other
    ],
)
def test_one_subset_of_all_points_is_that_of_torch_fidelity(
    pair, torch_fidelity, n, d, offset, tolerance
):
    kid, (x, y) = torch_fidelity("metric_kid"), pair(n, n, d, offset)
    found = kid.kid_features_to_metric(x, y, kid_subsets=1, kid_subset_size=n, verbose=False)
    expected = found["kernel_inception_distance_mean"]
    assert kernel_distance(x, y).value == pytest.approx(expected, rel=tolerance)


@pytest.mark.parametrize("scale", [0.1, 1.0, 10.0])
def test_the_inception_score_is_that_of_torch_fidelity(torch_fidelity, scale):
    logits = scale * torch.randn(300, 7, dtype=torch.float64)
    found = torch_fidelity("metric_isc").isc_features_to_metric(logits, splits=1)
    ours = inception_score(logits.softmax(dim=1)).value
    assert ours == pytest.approx(found["inception_score_mean"], rel=1e-12)


@pytest.mark.parametrize("k", [1, 5])
@pytest.mark.parametrize(
    ("n", "m", "d", "offset"), [(300, 200, 1, 0), (200, 300, 40, 0), (200, 300, 8, 1e5)]
)
def test_precision_and_recall_are_those_of_torch_fidelity(
    pair, torch_fidelity, n, m, d, offset, k
):
    x, y = pair(n, m, d, offset)
    found = torch_fidelity("metric_prc").prc_features_to_metric(
        x, y, prc_neighborhood=k, save_cpu_ram=True, verbose=False
    )
    for name in ("precision", "recall"):  # theirs: a mean of whole numbers in float32
        assert prdc(x, y, k)[name].value == pytest.approx(found[name], abs=1e-7)


@pytest.mark.parametrize("k", [1, 3, 10])
@pytest.mark.parametrize(("n", "m", "d", "offset"), [(150, 250, 1, 0), (200, 100, 20, 1e5)])
def test_prdc_is_that_of_its_authors_at_any_k_and_offset(pair, n, m, d, offset, k):
    peer = pytest.importorskip("prdc")
    x, y = pair(n, m, d, offset)
    expected = peer.compute_prdc(y.numpy(), x.numpy(), nearest_k=k)
    for name, estimate in prdc(x, y, k).items():
        assert estimate.value == pytest.approx(expected[name], abs=1e-12)


@pytest.mark.parametrize("q", [0.1, 0.5, 1.0, 2.0, 4.0])
@pytest.mark.parametrize("width", [0.5, 2.0])
def test_the_vendi_score_of_a_gaussian_kernel_is_its_authors(pair, q, width):
    # Ours leaves out what the pivoted factor does not reach, 1e-12 of the trace: below order 1 the
    # smallest eigenvalues count the most.
    peer = pytest.importorskip("vendi_score.vendi")
    x = pair(120, 10, 5)[0]
    expected = peer.score_K(rbf_kernel(x.numpy(), gamma=1 / (2 * width**2)), q=q)
    ours = vendi_score(x, q, "rbf", width).value
    assert ours == pytest.approx(expected, rel=1e-10 if q >= 1 else 1e-6)


@pytest.mark.parametrize("q", [0.1, 1.0, 4.0])
def test_the_vendi_score_of_more_dimensions_than_points_is_its_authors(pair, q):
    # Of full rank: where eigenvalues are zero, theirs at q < 1 counts the rounding of each.
    peer = pytest.importorskip("vendi_score.vendi")
    x = pair(40, 10, 60)[0]
    unit = (x / x.norm(dim=1, keepdim=True)).numpy()
    assert vendi_score(x, q).value == pytest.approx(peer.score_K(unit @ unit.T, q=q), rel=1e-12)


@pytest.mark.parametrize(("n", "m", "d"), [(100, 120, 2), (120, 100, 10)])
def test_the_energy_distance_is_that_of_geomloss(pair, geomloss, n, m, d):
    # Theirs: no distance is let below 1e-4, not even that of a point and itself.
    x, y = pair(n, m, d)
    expected = 2 * float(geomloss.SamplesLoss("energy", backend="tensorized")(x, y))
    expected += 1e-4 * (1 / n + 1 / m)
    assert energy_distance(x, y, unbiased=False).value == pytest.approx(expected, rel=1e-11)


@pytest.mark.parametrize(
    ("n", "m", "d", "offset"), [(100, 120, 1, 0), (120, 100, 10, 0), (100, 120, 10, 1e3)]
)
def test_the_biased_mmd_is_that_of_geomloss(pair, geomloss, n, m, d, offset):
    # Theirs: distances of rows at an offset, not centred, lose 1e6 of 1e16.
    x, y = pair(n, m, d, offset)
    loss = geomloss.SamplesLoss("gaussian", blur=1.5, backend="tensorized")
    ours = mmd(x, y, GaussianKernel(1.5), unbiased=False).value
    assert ours == pytest.approx(2 * float(loss(x, y)), rel=1e-9 if offset else 1e-12)


@pytest.mark.parametrize(("n", "m", "d"), [(60, 70, 1), (60, 70, 2), (70, 60, 10)])
@pytest.mark.parametrize("e", [1.0, 4.0])
def test_the_sinkhorn_divergence_is_that_of_geomloss(pair, geomloss, n, m, d, e):
    # Its cost is half of the squared distance, so e = 2 blur^2. Theirs: the blur is let down to
    # its value step by step, with one iteration at each and no test of convergence; with steps
    # four times finer the largest difference falls from 1.4e-5 to 8e-7.
    x, y = pair(n, m, d)
    loss = geomloss.SamplesLoss(
        "sinkhorn", p=2, blur=math.sqrt(e / 2), scaling=0.998, backend="tensorized"
    )
    ours = sinkhorn_divergence(x, y, e, iterations=20_000, tolerance=1e-10).value
    assert ours == pytest.approx(2 * float(loss(x, y)), rel=2e-5)
