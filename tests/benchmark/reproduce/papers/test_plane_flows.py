"""The laws of cfm-2d are those of the paper's code, and its energies those of known flows."""

import math

import pytest
import torch
from dgmbench.benchmark.contract.model import seeded
from dgmbench.benchmark.reproduce.comparison import Finding, Listing
from dgmbench.benchmark.reproduce.papers import plane_flows


@pytest.mark.parametrize(
    ("law", "spread"),
    [
        (plane_flows.normal, 2.0),
        (plane_flows.ring, 25 + 2),
        (plane_flows.wide_ring, 144 + 2 * 1.5**2),
        (plane_flows.wide_moons, 2 * 49),
    ],
)
def test_laws_have_the_spread_of_the_code(law, spread):
    with seeded(0):
        x = law(200_000)
    assert x.square().sum(1).mean() == pytest.approx(spread, rel=0.01)


def test_moons_keep_their_shape():
    with seeded(0):
        x = plane_flows.wide_moons(100_000)
    # Half circles of radius 1 about (0, 0) and (1, 1/2) have means (0, 2/pi) and (1, 1/2 - 2/pi).
    upper, lower = x[0::2], x[1::2]
    apart = lower.mean(0) - upper.mean(0)
    assert apart[0] / apart[1] == pytest.approx(1 / (0.5 - 4 / math.pi), rel=0.02)
    assert upper.mT.cov().diagonal() == pytest.approx(lower.mT.cov().diagonal(), rel=0.03)


def test_energy_and_ends_of_a_known_flow(monkeypatch):
    model = plane_flows.Between(None, coupled=False)
    monkeypatch.setattr(model, "velocity", lambda x, t: torch.ones_like(x) * torch.tensor([3, 4]))
    points = torch.randn(50, 2)
    ends, energy = model.carry(points)
    assert torch.allclose(ends, points + torch.tensor([3.0, 4.0]), atol=1e-4)
    assert energy == pytest.approx(25, rel=1e-5)


def test_coupling_makes_paths_straighter(monkeypatch):
    # The plan of 128 pairs takes a hundredth of the time of that of 512.
    for name, value in {"EPOCHS": 6, "BATCH": 128, "MANY": 500, "TEST": 300}.items():
        monkeypatch.setattr(plane_flows, name, value)
    found = {
        name: plane_flows.flow("N->8gaussians", coupled, 0)["path_energy"]
        for name, coupled in plane_flows.METHODS.items()
    }
    # W2^2 of these laws is about 15; independent pairs are 29 apart, and their flow's energy less.
    assert 13.5 < found["OT-CFM"] < found["I-CFM"] - 1 < 22


def test_pairs_of_another_scale_are_not_judged(monkeypatch):
    numbers = {"w2": 1.0, "path_energy": 31.0, "normalized_path_energy": 0.05}
    monkeypatch.setattr(plane_flows, "flow", lambda *chosen: numbers)
    monkeypatch.setattr(plane_flows, "TEST", 100)
    found = list(plane_flows.cfm_2d())
    findings = [one for one in found if isinstance(one, Finding)]
    judged = {
        (one.published.source_id, one.published.dataset, one.published.method)
        for one in findings
        if one.ours is not None
    }
    assert judged == {
        *(("tong2024", pair, name) for pair in plane_flows.PAIRS for name in plane_flows.METHODS),
        ("shi2023_dsbm", "moons-8gaussians", "CFM"),
        ("shi2023_dsbm", "moons-8gaussians", "OT-CFM"),
    }
    by_name = {(one.published.dataset, one.published.method): one for one in findings}
    assert by_name["moons->8gaussians", "I-CFM"].verdict != "reproduced"
    (listing,) = [one for one in found if isinstance(one, Listing)]
    methods = [*plane_flows.METHODS, "perfect sampler"]
    assert [row[:2] for row in listing.rows] == [
        (p, m) for p in plane_flows.PAIRS for m in methods
    ]
