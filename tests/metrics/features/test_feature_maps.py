from __future__ import annotations

import pytest
import torch
from dgmbench.metrics.features import FEATURE_MAPS, feature_map
from dgmbench.metrics.features.linear import PCA, Identity, OneHot, Pixels, RandomProjection


@pytest.fixture
def x() -> torch.Tensor:
    return torch.randint(0, 17, (300, 1, 8, 8), generator=torch.Generator().manual_seed(0))


def offline_maps(x: torch.Tensor) -> dict[str, torch.nn.Module]:
    return {
        "identity": feature_map("identity"),
        "pixels": feature_map("pixels", levels=17),
        "one-hot": feature_map("one-hot", levels=17),
        "pca": feature_map("pca", reference=x, dim=5),
        "random-projection": feature_map("random-projection", dim=7, seed=3),
        "digits-cnn": feature_map("digits-cnn"),
    }


def test_the_names_are_the_contract():
    names = "identity pixels one-hot pca random-projection digits-cnn mnist-cnn stacked-mnist-cnn"
    assert list(FEATURE_MAPS) == [*names.split(), "inception-v3", "dinov2", "clip"]
    assert all(name == kind.name for name, kind in FEATURE_MAPS.items())


def test_an_unknown_name_gets_the_nearest():
    with pytest.raises(ValueError, match=r"got 'digit-cnn'; did you mean 'digits-cnn'\?"):
        feature_map("digit-cnn")


NAMES = ["identity", "pixels", "one-hot", "pca", "random-projection", "digits-cnn"]


@pytest.mark.parametrize("name", NAMES)
def test_a_map_is_frozen_deterministic_and_independent_of_its_batch(name, x):
    phi = offline_maps(x)[name]
    torch.manual_seed(1)
    before = torch.get_rng_state()
    once = phi(x)
    assert torch.equal(torch.get_rng_state(), before)
    assert once.is_floating_point() and once.ndim == 2 and len(once) == len(x)
    assert not once.requires_grad
    phi.train()
    assert not phi.training and torch.equal(phi(x), once)
    phi.batch = 7
    torch.testing.assert_close(phi(x), once, rtol=1e-5, atol=2e-6)
    with pytest.raises(ValueError, match=r"Expected points of shape \(N, \*shape\)"):
        phi(x[:0])


def test_stacked_digits_have_the_features_of_each_digit_side_by_side():
    generator = torch.Generator().manual_seed(0)
    stacks = torch.randint(0, 256, (20, 3, 28, 28), generator=generator)
    one, all_three = feature_map("mnist-cnn"), feature_map("stacked-mnist-cnn", batch=7)
    expected = torch.cat([one(stacks[:, i : i + 1]) for i in range(3)], dim=1)
    torch.testing.assert_close(all_three(stacks), expected, rtol=1e-5, atol=2e-6)
    with pytest.raises(ValueError, match=r"Expected stacks of shape \(N, C, 28, 28\)"):
        all_three(stacks.flatten(1))


def test_fingerprints_tell_what_is_computed_apart(x):
    maps = [*offline_maps(x).values(), feature_map("random-projection", dim=7, seed=4)]
    maps += [feature_map("pca", reference=x[:200], dim=5), feature_map("pca", reference=x, dim=4)]
    assert len({phi.fingerprint() for phi in maps}) == len(maps)
    again = feature_map("pca", reference=x, dim=5)
    again.batch = 3
    assert again.fingerprint() == offline_maps(x)["pca"].fingerprint()


def test_identity_flattens_and_keeps_float64():
    x = torch.arange(12).view(3, 2, 2)
    assert torch.equal(Identity()(x), x.view(3, 4).float())
    assert Identity()(x.double() + 1e-12).dtype == torch.float64


def test_pixels_are_from_0_to_1():
    images = torch.tensor([[[0, 51], [102, 255]]], dtype=torch.uint8)
    assert Pixels(256)(images).tolist() == [pytest.approx([0.0, 0.2, 0.4, 1.0])]
    with pytest.raises(ValueError, match="at least 2 levels, got 1"):
        Pixels(1)


def test_one_hot_makes_euclid_of_hamming():
    x = torch.tensor([[0, 1, 2], [0, 2, 2], [1, 0, 0]])
    distance = torch.cdist(OneHot(3)(x), OneHot(3)(x)).square()
    torch.testing.assert_close(distance, 2 * (x[:, None] != x).sum(2).float())
    with pytest.raises(ValueError, match=r"Expected levels 0\.\.1, got 0\.\.2"):
        OneHot(2)(x)
    with pytest.raises(ValueError, match="at least 2 levels, got 1"):
        OneHot(1)


def test_pca_finds_the_axes_of_a_known_covariance():
    # Exactly rotated: the scores along the axes are +-3, +-2 and +-1 times orthogonal patterns.
    pattern = torch.tensor([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]], dtype=torch.float64)
    generator = torch.Generator().manual_seed(0)
    turn = torch.linalg.qr(torch.randn(3, 3, generator=generator, dtype=torch.float64))[0]
    turn = turn * turn.gather(0, turn.abs().argmax(0, keepdim=True)).sign()
    scores = pattern * torch.tensor([3.0, 2.0, 1.0])
    points = scores @ turn.T + 5
    torch.testing.assert_close(PCA(points, dim=3)(points), scores)
    torch.testing.assert_close(PCA(points, dim=2)(points), scores[:, :2])
    torch.testing.assert_close(PCA(points, 3, whiten=True)(points), pattern * 0.75**0.5)


def test_pca_says_what_it_cannot_do(x):
    with pytest.raises(ValueError, match="Expected 1 to 2 axes"):
        PCA(x[:3], dim=3)
    with pytest.raises(ValueError, match="got 1 of 2 axes without"):
        PCA(torch.eye(3)[:, :1].expand(3, 2), dim=2, whiten=True)
    with pytest.raises(ValueError, match="Expected points of 64 coordinates"):
        PCA(x, dim=3)(x[:, :, :4])


def test_random_projection_keeps_squared_distances_in_expectation():
    x = torch.eye(40)[:2] * 3
    maps = [RandomProjection(dim=16, seed=seed) for seed in range(400)]
    kept = torch.stack([(phi(x)[0] - phi(x)[1]).square().sum() for phi in maps])
    # ||x_0 - x_1||^2 = 18; a squared norm of 16 directions has relative variance 2 / 16.
    assert kept.mean().item() == pytest.approx(18, abs=4 * 18 * (2 / 16 / 400) ** 0.5)
    assert kept.std().item() / 18 == pytest.approx((2 / 16) ** 0.5, rel=0.2)


def test_random_projection_is_linear_and_seeded(x):
    phi = RandomProjection(dim=4, seed=1)
    y = x.double()
    torch.testing.assert_close(phi(2 * y + y.flip(0)), 2 * phi(y) + phi(y).flip(0))
    assert torch.equal(phi(y), RandomProjection(dim=4, seed=1)(y))
    assert not torch.allclose(phi(y), RandomProjection(dim=4, seed=2)(y))
