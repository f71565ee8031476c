"""Blob and HDGM are the laws of the paper, and a comparison counts what a test rejects."""

import pytest
import torch
from dgmbench.benchmark.contract.model import seeded
from dgmbench.benchmark.reproduce.comparison import Finding
from dgmbench.benchmark.reproduce.papers import two_samples


@pytest.mark.parametrize("name", ["Blob", "HDGM"])
def test_the_two_laws_of_a_pair_differ_within_modes_alone(name):
    draw = two_samples.DATA[name]
    with seeded(0):
        x, y = draw(40_000 if name == "HDGM" else 9_000, True), draw(40_000, False)
    assert torch.allclose(x.mean(0), y.mean(0), atol=0.03)


@pytest.mark.parametrize(("mode", "across"), [(0, -0.02), (3, -0.026), (4, 0.0), (8, 0.026)])
def test_modes_of_blob_have_the_covariances_of_the_code(monkeypatch, mode, across):
    place = torch.tensor([mode // 3, mode % 3])
    monkeypatch.setattr(torch, "randint", lambda high, size: place.expand(size))
    with seeded(0):
        y = two_samples.blob(10_000, False)
    factor = torch.linalg.cholesky(torch.tensor([[0.03, across], [across, 0.03]]).double())
    assert torch.allclose(torch.cov(y.mT), factor.mT @ factor, atol=1e-3)
    assert torch.allclose(y.mean(0), place.double(), atol=0.01)


def test_modes_of_hdgm_have_opposite_correlations():
    with seeded(0):
        y = two_samples.hdgm(50_000, False)
    for part, wanted in ((y[:50_000], 0.5), (y[50_000:], -0.5)):
        found = torch.corrcoef(part.mT)
        assert found[0, 1] == pytest.approx(wanted, abs=0.02)
        assert found.fill_diagonal_(0)[2:].abs().max() < 0.03
    assert y[50_000:].mean(0) == pytest.approx([0.5] * 10, abs=0.03)


def test_power_is_the_share_of_rejections(monkeypatch):
    seen = []

    def every_other(x, y):
        seen.append((len(x), len(y)))
        return len(seen) % 2 == 0

    monkeypatch.setattr(two_samples, "TESTS", {"MMD-G": every_other})
    monkeypatch.setattr(two_samples, "PER_MODE", {"Blob": 5, "HDGM": 4})
    monkeypatch.setattr(two_samples, "PAIRS", 10)
    blob, hdgm, levels = two_samples.two_sample_power()
    assert isinstance(blob, Finding) and blob.ours == hdgm.ours == 0.5
    assert blob.published.value == 1.0 and blob.verdict == "off"
    assert [row[2].split()[0] for row in levels.rows] == ["0.50", "0.50"]
    assert set(seen) == {(45, 45), (8, 8)}
