"""Published numbers: read with their source, judged within a tolerance, kept with a verdict."""

import json
import math
from dataclasses import replace

import pytest
from dgmbench.benchmark.cli import main as cli
from dgmbench.benchmark.reproduce import COMPARISONS, shown
from dgmbench.benchmark.reproduce.comparison import (
    Comparison,
    Finding,
    Listing,
    Result,
    measured,
    order,
    part,
)
from dgmbench.benchmark.reproduce.papers import known_answers
from dgmbench.benchmark.reproduce.papers.known_answers import EDGE, prdc_gaussians
from dgmbench.benchmark.reproduce.published import FOLDER, one, published, those
from dgmbench.benchmark.tasks.rewards.hypergrid import Hypergrid
from dgmbench.metrics import frechet_distance

ROW = one("metric_validation", dataset="3x3 matrix with one 0.9 pair")


@pytest.mark.parametrize("file", sorted(path.stem for path in FOLDER.glob("*.csv")))
def test_every_published_number_is_one_with_its_source(file):
    rows = published(file)
    assert rows
    for row in rows:
        assert math.isfinite(row.value)
        assert row.source_id and row.metric and row.seen_at
        assert row.direction in ("lower", "higher", "none")


def test_rows_are_found_by_their_fields():
    assert ROW.value == 2.1573 and ROW.verified
    assert len(those("metric_validation", source_id="friedman2023_vendi")) > 2
    with pytest.raises(ValueError, match="Expected one row"):
        one("metric_validation", source_id="friedman2023_vendi")
    with pytest.raises(ValueError, match="did you mean"):
        published("metric_validations")


def test_a_verdict_is_within_the_tolerance_of_what_was_seen():
    assert Finding(ROW, 2.1574, tolerance=2e-4).verdict == "reproduced"
    assert Finding(ROW, 2.17, tolerance=1e-4).verdict == "off"
    assert Finding(ROW, None).verdict == "not comparable"
    assert Finding(ROW, 99.0, by_sign=True).verdict == "reproduced"
    assert Finding(ROW, -1e-9, by_sign=True).verdict == "off"
    from_memory = replace(ROW, verified=False)
    assert Finding(from_memory, 2.1573, tolerance=1).verdict == "not comparable"


def test_an_order_is_judged_by_the_sign_of_the_mean_difference():
    better = replace(ROW, method="new", value=ROW.value - 1)
    found = order(better, ROW, [1.0, 2.0, 4.0], [2.0, 2.5, 4.0])
    assert (found.published.method, found.published.metric) == (
        f"new less {ROW.method}",
        ROW.metric,
    )
    assert found.published.value == pytest.approx(-1) and found.published.uncertainty is None
    assert (found.ours, found.verdict) == (-0.5, "reproduced")
    assert found.stderr == pytest.approx(0.5 / 3**0.5)
    assert order(better, ROW, [2.0, 3.0], [1.0, 2.5]).verdict == "off"
    found = order(ROW, replace(ROW, metric="another"), [1.0, 2.0], [0.0, 1.0])
    assert found.published.metric == f"{ROW.metric} less another"


def result(*findings):
    return Result("x", findings, 1.0, "key")


def test_the_whole_is_reproduced_where_all_are():
    good, bad, none = (Finding(ROW, x, tolerance=0.1) for x in (2.1, 9.0, None))
    assert result(good, none).verdict == "reproduced"
    assert result(good, bad).verdict == "1 of 2 reproduced"
    assert result(none).verdict == "not comparable"


def comparison(values):
    def measure():
        yield Finding(ROW, values.pop(0), 0.1, 0.2, "a note")

    return Comparison("mine", "Paper", "Summary.", "a second", "0.2", "nothing", measure)


def test_a_result_is_kept_and_comes_back(tmp_path):
    made = measured(comparison([2.0]), tmp_path)
    assert Result.read(tmp_path / "mine.json") == made
    assert made.environment["hardware"] and made.created
    (tmp_path / "mine.json").write_text("{}")
    with pytest.raises(ValueError, match="run it with --again"):
        Result.read(tmp_path / "mine.json")


def test_what_was_run_with_the_same_code_is_not_run_again(tmp_path):
    vendi = COMPARISONS["vendi"]
    first = measured(vendi, tmp_path)
    assert measured(vendi, tmp_path) == first
    assert measured(vendi, tmp_path, again=True).findings == first.findings
    old = replace(first, key="of other code", findings=())
    old.write(tmp_path)
    assert measured(vendi, tmp_path).findings == first.findings


def test_the_vendi_score_is_the_authors():
    found = list(COMPARISONS["vendi"].measure())
    assert [f.verdict for f in found] == ["reproduced", "reproduced"]


def test_hypergrids_agree_but_where_floating_point_errs():
    found = list(COMPARISONS["hypergrid-exact"].measure())
    assert len(found) > 100
    off = [f for f in found if f.verdict == "off"]
    assert off and all(f.note == EDGE for f in off)
    assert all(f.published.dataset.startswith("Hypergrid 16^") for f in off)
    # By enumeration, in whole numbers: 3/10 < |x/15 - 1/2| has no x on its edge.
    states = Hypergrid(2, 16, 0.1)
    every = [(a, b) for a in range(16) for b in range(16)]
    ring = [p for p in every if all(3 * 15 * 2 < 10 * abs(2 * x - 15) < 8 * 15 for x in p)]
    assert len(ring) == len(states.values[2]) ** 2 == 4


def test_people_are_recomputed_from_their_rows(monkeypatch):
    import os

    if not os.path.exists(f"{os.environ.get('DGMBENCH_DATA', '')}/oracles"):
        pytest.skip("needs the participants' rows in the data root")
    found = Result("human-error", tuple(COMPARISONS["human-error"].measure()), 0.0, "")
    assert found.counts["reproduced"] == 39 and found.counts["off"] == 2
    assert all(f.note for f in found.findings if f.verdict == "off")


def test_missing_rows_are_one_sentence(monkeypatch, tmp_path):
    monkeypatch.setenv("DGMBENCH_DATA", str(tmp_path))
    with pytest.raises(ValueError, match="layer6ai-labs/dgm-eval"):
        list(COMPARISONS["human-error"].measure())


def test_the_population_frechet_distance_is_the_papers():
    first = next(iter(COMPARISONS["fid-bias"].measure()))
    assert first.ours == pytest.approx(1123.0447, abs=1e-3)
    assert first.verdict == "reproduced"


@pytest.mark.slow
def test_the_frechet_distance_errs_by_the_number_of_samples():
    """In 64 dimensions: the bias of m samples is near its first-order term in 1/m."""
    reference = known_answers._with_moments(1.0, 1.0, 64)
    exact = frechet_distance(known_answers._with_moments(0.0, 1.0, 64), reference).value
    few, more = (
        known_answers._sampled_fid("P1", size, 64, reference, 0) - exact
        for size in (5_000, 20_000)
    )
    assert few > 2 * more > 0


def test_prdc_of_a_law_against_itself():
    found = {f.published.metric: f for f in prdc_gaussians(draws=2, n=500, dim=20)}
    assert set(found) == {"precision", "recall", "density", "coverage"}
    assert found["density"].ours == pytest.approx(1, abs=0.15)


def call(monkeypatch, capsys, folder, *words, code=0):
    monkeypatch.chdir(folder)
    monkeypatch.setattr("sys.argv", ["run_all.py", "reproduce", *words])
    with pytest.raises(SystemExit) as left:
        cli.main()
    found = capsys.readouterr()
    assert left.value.code == code, found.err
    return found


def test_the_command_lists_runs_and_takes_a_file_of_ones_own(monkeypatch, capsys, tmp_path):
    told = call(monkeypatch, capsys, tmp_path, "vendi").out
    assert "published 2.1573 | ours 2.1573" in told and "Verdict: reproduced" in told
    listed = json.loads(call(monkeypatch, capsys, tmp_path, "--json").out)
    assert {row["name"]: row["verdict"] for row in listed}["vendi"] == "reproduced"
    assert set(listed[0]) == {"name", "paper", "cost", "verdict"}
    (tmp_path / "my_paper.py").write_text(
        "from dgmbench.benchmark.reproduce.comparison import Comparison, Finding\n"
        "from dgmbench.benchmark.reproduce.published import one\n"
        "ROW = one('metric_validation', dataset='3x3 matrix with one 0.9 pair')\n"
        "MINE = Comparison('mine', 'Me 2026', 'Mine.', 'no time', 'none', '',\n"
        "                  lambda: [Finding(ROW, 3.0, 0.1, 0.2)])\n"
    )
    told = call(monkeypatch, capsys, tmp_path, "my_paper.py").out
    assert "ours 3 ± 0.1, difference 0.843 | off" in told
    assert "0 of 1 reproduced" in told
    whole = json.loads(call(monkeypatch, capsys, tmp_path, "vendi", "--json").out)
    assert whole["verdict"] == "reproduced" and whole["paper"].startswith("Friedman")
    told = call(monkeypatch, capsys, tmp_path, "vendy", code=2).err
    assert "did you mean vendi" in told
    (tmp_path / "empty.py").write_text("x = 1\n")
    assert "Expected a Comparison" in call(monkeypatch, capsys, tmp_path, "empty.py", code=2).err


# Those that take hours and have not been run: they are listed as such.
NOT_RUN = {
    "pacgan-ring",
    "pacgan-grid",
    "veegan-grid",
    "stacked-mnist",
    "kid-mnist",
}


@pytest.mark.parametrize("name", COMPARISONS)
def test_every_comparison_that_was_run_comes_with_the_package(name, tmp_path):
    if name in NOT_RUN:
        assert shown.state(COMPARISONS[name], tmp_path) is None
        return
    found = Result.read(shown.KEPT / f"{name}.json")
    assert found.name == name and found.environment["hardware"]
    assert shown.state(COMPARISONS[name], tmp_path) == found


def test_edited_numbers_make_an_old_result(monkeypatch, tmp_path):
    for name in ("metric_validation", "others"):
        (tmp_path / f"{name}.csv").write_text("x")
    monkeypatch.setattr("dgmbench.benchmark.reproduce.comparison.FOLDER", tmp_path)
    first, of_any = COMPARISONS["vendi"].key, comparison([]).key
    (tmp_path / "others.csv").write_text("y")
    assert COMPARISONS["vendi"].key == first and comparison([]).key != of_any
    (tmp_path / "metric_validation.csv").write_text("y")
    assert COMPARISONS["vendi"].key != first


def test_a_comparison_that_is_cut_off_goes_on_after_the_parts_it_has(tmp_path):
    computed = []

    def piece(k):
        computed.append(k)
        if len(computed) == 2:
            raise KeyboardInterrupt
        return {"value": k}

    def measure():
        for k in (1, 2):
            found = part(f"draw {k}", lambda k=k: piece(k))
            yield Finding(ROW, found["value"], tolerance=1.0)

    cut = replace(comparison([]), measure=measure)
    with pytest.raises(KeyboardInterrupt):
        measured(cut, tmp_path)
    whole = measured(cut, tmp_path)
    assert computed == [1, 2, 2]
    assert [finding.ours for finding in whole.findings] == [1, 2]
    assert not list((tmp_path / "parts").iterdir())
    assert part("outside of a comparison", lambda: 3) == 3


def test_a_listing_is_kept_and_printed_in_columns(tmp_path):
    def measure():
        yield Finding(ROW, 2.1573, tolerance=1e-3)
        yield Listing("Ours", ("metric", "letter"), [("precision", "T"), ("a longer name", "F")])

    listing = replace(comparison([]), measure=measure)
    result = measured(listing, tmp_path)
    assert Result.read(tmp_path / f"{listing.name}.json") == result
    assert shown.told(listing, result, as_json=False).splitlines()[-5:-1] == [
        "Ours:",
        "  metric         letter",
        "  precision      T",
        "  a longer name  F",
    ]


def test_missing_images_are_one_sentence(monkeypatch, tmp_path):
    monkeypatch.setenv("DGMBENCH_DATA", str(tmp_path))
    with pytest.raises(ValueError, match="fetch mnist"):
        list(COMPARISONS["ndb-mnist"].measure())


def test_a_metric_that_ranks_as_people_do_agrees_with_them(monkeypatch):
    from dgmbench.benchmark.reproduce.papers import human_ranks

    rows = [
        replace(ROW, dataset="d", method=f"m{i}", metric=metric, value=value, direction=direction)
        for i in range(5)
        for metric, value, direction in (
            ("human_error_rate", i / 10, "higher"),
            ("fd", 9.0 - i, "lower"),
            ("recall", -1.0 * i, "higher"),
        )
    ]
    monkeypatch.setattr(
        human_ranks,
        "those",
        lambda _, **f: [r for r in rows if r.metric == f.get("metric", r.metric)],
    )
    (listing,) = human_ranks.human_ranks()
    cells = {row[0]: row[1] for row in listing.rows}
    assert cells["fd"].startswith("+1.00") and cells["recall"].startswith("-1.00")
