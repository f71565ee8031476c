from __future__ import annotations

import pytest
import torch
from dgmbench.metrics.features import FeatureCache, FrozenMap, feature_map


class Counting(FrozenMap):
    name = "counting"

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0
        self.register_buffer("scale", torch.ones(()))

    def features(self, x):
        self.calls += 1
        return x.flatten(1).double() * self.scale


@pytest.fixture
def cache(tmp_path) -> FeatureCache:
    return FeatureCache(tmp_path / "features")


def test_features_are_computed_once(cache):
    phi, x = Counting(), torch.arange(6.0).view(3, 2)
    first, second = cache(phi, x), cache(phi, x.clone())
    assert phi.calls == 1
    assert torch.equal(first, x.double()) and torch.equal(second, first)
    assert second.dtype == torch.float64


def test_everything_that_decides_the_features_decides_the_file(cache):
    phi, x = Counting(), torch.arange(6.0).view(3, 2)
    paths = {cache.path(phi, x)}
    for other in (x + 1e-6, x.double(), x.view(2, 3), x.flip(0), x.view(3, 2, 1)):
        paths.add(cache.path(phi, other))
    phi.scale += 1
    paths.add(cache.path(phi, x))
    phi.version = 2
    paths.add(cache.path(phi, x))
    paths.add(cache.path(feature_map("identity"), x))
    assert len(paths) == 9
    assert all("counting" not in path.name for path in paths)


def test_layout_in_memory_does_not_count(cache):
    x = torch.arange(6.0).view(3, 2)
    assert cache.path(Counting(), x.T.contiguous().T) == cache.path(Counting(), x)


def test_a_broken_file_is_computed_anew(cache):
    phi, x = Counting(), torch.ones(3, 2)
    cache(phi, x)
    path = cache.path(phi, x)
    path.write_bytes(path.read_bytes()[:20])
    assert torch.equal(cache(phi, x), x.double()) and phi.calls == 2
    cache(phi, x)
    assert phi.calls == 2


def test_nothing_half_written_stays(cache, monkeypatch):
    def fails(source, target):
        raise OSError("disk full")

    monkeypatch.setattr("os.replace", fails)
    with pytest.raises(OSError, match="disk full"):
        cache(Counting(), torch.ones(3, 2))
    assert list(cache.folder.iterdir()) == []
