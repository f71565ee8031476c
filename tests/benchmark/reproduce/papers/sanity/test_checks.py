"""The sanity checks: what the experiments draw, what the rules ask, how letters come together."""

import numpy as np
import pytest
from dgmbench.benchmark.reproduce.papers.sanity import checks as sc
from dgmbench.benchmark.reproduce.papers.sanity.experiments import _ball, _overlapping, _torus
from dgmbench.benchmark.reproduce.published import those

PLACES = np.linspace(-3, 3, 7)


def values(*numbers):
    return np.array(numbers, dtype=float)


@pytest.mark.parametrize(
    ("rule", "good", "bad"),
    [
        (sc.at(0, 1), (0, 0, 0, 0.96, 0, 0, 0), (1, 1, 1, 0.9, 1, 1, 1)),
        (sc.at(sc.FIRST, 0), (0.04, 1, 1, 1, 1, 1, 1), (0.06, 0, 0, 0, 0, 0, 0)),
        (sc.bell(0), (0, 0.2, 0.6, 1, 0.6, 0.2, 0), (0, 0.2, 0.6, 0.4, 0.8, 0.2, 0)),
        (sc.bell(0), (0.05, 0, 0.35, 0.3, 0.3, 0.2, 0.05), (0.2, 0, 0.3, 0.3, 0.3, 0.2, 0.2)),
        (sc.falls, (1, 1.05, 1, 0.5, 0, 0, 0), (1, 1, 1, 0.5, 0.3, 0.5, 0.9)),
        (sc.rises, (0, 0, 0, 0.5, 1, 1.05, 1), (1, 0, 0, 0.5, 1, 1, 1)),
        (sc.falls_by(0.5), (1, 1, 1, 0.8, 0, 0, 0), (1, 1, 1, 0.95, 0, 0, 0)),
        (sc.flat, (0.5, 0.52, 0.5, 0.5, 0.48, 0.5, 0.5), (0.5, 0.5, 0.56, 0.5, 0.5, 0.5, 0.5)),
        (sc.settles, (0, 1, 0, 0.5, 0.5, 0.5, 0.5), (0, 0, 0, 0, 0, 0, 0.5)),
    ],
)
def test_a_rule_passes_what_shows_it_and_fails_what_does_not(rule, good, bad):
    assert rule(PLACES, values(*good)) is True
    assert rule(PLACES, values(*bad)) is False


def test_what_is_far_beyond_the_data_counts_or_does_not():
    assert sc.wide(sc.LAST)(PLACES, values(0, 0, 0, 0, 0, 0, 0.97)) == "high"
    assert sc.wide(sc.LAST)(PLACES, values(0, 0, 0, 0, 0, 0, 0.03)) == "low"
    assert sc.wide(sc.LAST)(PLACES, values(0, 0, 0, 0, 0, 0, 0.5)) is False
    shape = sc.low_or_high(sc.bell(0), sc.rises)
    assert shape(PLACES, values(0, 0.2, 0.6, 1, 0.6, 0.2, 0)) == "low"
    assert shape(PLACES, values(0, 0.2, 0.6, 1, 1, 1, 1)) == "high"


def test_letters_are_of_all_groups_together():
    check = sc.Check("x", sc.mean_difference, {sc.BOUNDS: ([sc.at(0, 1)], [sc.wide(0)])})
    one, nought, half = ((PLACES, np.full(7, v)) for v in (1.0, 0.0, 0.5))
    assert sc.judged(check, "precision", {"a": one, "b": one}) == {sc.BOUNDS: "T"}
    assert sc.judged(check, "precision", {"a": one, "b": nought}) == {sc.BOUNDS: "F"}
    assert sc.judged(check, "recall", {"a": one, "b": one}) == {sc.BOUNDS: "H"}
    assert sc.judged(check, "recall", {"a": nought, "b": nought}) == {sc.BOUNDS: "L"}
    for mixed in ({"a": one, "b": nought}, {"a": one, "b": half}):
        assert sc.judged(check, "recall", mixed) == {sc.BOUNDS: "F"}


@pytest.mark.parametrize("check", sc.CHECKS, ids=lambda check: check.title)
def test_the_places_of_a_group_rise_and_points_are_finite(check):
    last: dict = {}
    for group, place, real, synthetic in check.draws(np.random.default_rng(0)):
        assert place >= last.get(group, -np.inf)
        last[group] = place
        assert np.isfinite(real).all() and np.isfinite(synthetic).all()
        assert real.shape[1:] == synthetic.shape[1:]
    assert last


def test_the_laws_are_those_of_the_paper():
    g = np.random.default_rng(0)
    ball, torus = 0.8 * _ball(g, 50_000, 3), _torus(g, 50_000)
    assert np.linalg.norm(ball, axis=1).max() <= 0.8 < 0.9 <= np.linalg.norm(torus, axis=1).min()
    # Of a ball's points (1/2)^3 are within half its radius.
    assert (np.linalg.norm(ball, axis=1) < 0.4).mean() == pytest.approx(1 / 8, abs=0.01)
    cube = _overlapping(g, 50_000, 8)
    assert (cube < 1).all(axis=1).mean() == pytest.approx(0.2, abs=0.01)


def test_neighbours_are_chosen_by_the_expected_coverage():
    # Naeem et al., lemma 2: 1 - prod (n - i) / (2 n - i) is 0.969 at k = 5 and 0.938 at k = 4.
    assert sc._enough_neighbours(1000) == 5
    assert sc._enough_neighbours(100) == 5


def test_published_letters_are_of_metrics_and_checks_that_there_are():
    rows = those("sanity_checks")
    titles = {(desideratum, check.title) for check in sc.CHECKS for desideratum in check.asks}
    assert {(row.metric, row.dataset) for row in rows} <= titles
    assert {row.method for row in rows} <= set(sc.FIDELITY.values())
    assert 15 < sum(row.verified for row in rows) < len(rows)


def test_a_small_check_end_to_end():
    """Two modes against one is the cheapest that asks for letters of both kinds."""
    check = next(c for c in sc.CHECKS if c.title == "Mode Dropping + Invention")
    found = {m: sc.judged(check, m, groups) for m, groups in sc.curves(check, 1).items()}
    assert set(found) == {*sc.FIDELITY, *sc.DIVERSITY}
    assert found["precision"] == found["density"] == {sc.PURPOSE: "T", sc.BOUNDS: "T"}
    assert found["alpha_precision"][sc.PURPOSE] == "F"
