from __future__ import annotations

import csv
import io
import math
import sys
import warnings
from dataclasses import replace
from operator import matmul

import pytest
from dgmbench.benchmark.speed import annealing as speed_annealing
from dgmbench.benchmark.speed import cases as speed_cases
from dgmbench.benchmark.speed import peers as speed_peers
from dgmbench.benchmark.speed import race as speed
from dgmbench.benchmark.speed import training as speed_training
from dgmbench.benchmark.speed import worker as speed_worker
from dgmbench.benchmark.speed.cases import CASES, Case, Contender
from dgmbench.benchmark.speed.report import Timing, draw, print_timings, write_markdown
from rich.console import Console
from torch.utils.flop_counter import FlopCounterMode

FRECHET = CASES["frechet-10k-64"]
PEERS = (
    Contender("absent", FRECHET.ours, "no_such_package"),
    Contender("broken", matmul),  # (N, d) times (N, d) raises
)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """One small case with contenders that work, are not there, or fail."""
    out = tmp_path_factory.mktemp("speed") / "new"
    tiny = replace(FRECHET, n=60, d=3, peers=PEERS, seconds=1e-9, megabytes=1e9)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(speed, "CASES", {tiny.name: tiny})
        patch.setattr(speed, "matrix_product_rate", lambda: 1e9)
        path = speed.speed(out, repeats=2)
    with path.open() as file:
        return path, list(csv.DictReader(file))


def test_the_table_has_a_row_for_everyone(run):
    path, rows = run
    assert path.name == "speed.csv"
    assert [row["contender"] for row in rows] == ["dgmbench", "absent", "broken"]
    assert {row["case"] for row in rows} == {"frechet-10k-64"}
    statuses = [row["status"] for row in rows]
    assert statuses == ["ok", "not installed", "failed (exit code 1)"]


def test_what_ran_has_times_memory_and_value(run):
    _, rows = run
    want = FRECHET.ours(*speed_cases.features(60, 3))
    ours = rows[0]
    assert 0 < float(ours["fastest"]) <= float(ours["seconds"]) <= float(ours["slowest"])
    assert ours["repeats"] == "2" and float(ours["megabytes"]) >= 0 and float(ours["cpu"]) >= 0
    assert float(ours["value"]) == pytest.approx(want, rel=1e-9)
    assert rows[1]["seconds"] == rows[2]["seconds"] == "" and rows[1]["repeats"] == "0"
    floor = (2 * 60 * 9 + (2 / 3 + 2 + 8 / 3) * 27) / 1e9
    assert all(float(row["floor"]) == pytest.approx(floor) for row in rows)


def test_aims_are_judged_on_our_row_only(run):
    _, rows = run
    assert rows[0]["aim"] == "under 1e-09 s; under 1e+09 MB"
    assert rows[0]["missed"] == "under 1e-09 s"
    assert all(row["aim"] == "" for row in rows[1:])


def test_the_chart_is_a_picture_and_the_table_is_markdown(run):
    path, _ = run
    assert path.with_name("speed.png").read_bytes().startswith(b"\x89PNG")
    assert "| frechet-10k-64 |" in path.with_name("speed.md").read_text()


def timings(*seconds: float) -> list[Timing]:
    return [Timing("case", f"c{i}", seconds=s, floor=0.1) for i, s in enumerate(seconds)]


def test_ratios_are_to_the_fastest_peer():
    peers = (Contender("a", matmul), Contender("b", matmul, aim=0.4))
    case = Case("case", 2, 2, matmul, peers, lambda n, d: 1.0, faster=3)
    rows = timings(1.0, 9.0, 3.5)
    speed.judge(case, rows)
    assert rows[0].aim == "3x faster than fastest peer; at most 2.5x b"
    assert rows[0].missed == ""
    rows = timings(1.5, 9.0, 3.5)
    speed.judge(case, rows)
    assert rows[0].missed == "3x faster than fastest peer"
    rows = timings(10.0, 9.0, 3.5)
    speed.judge(case, rows)
    assert rows[0].missed == rows[0].aim


def test_an_aim_of_one_is_no_slower():
    case = Case("case", 2, 2, matmul, (Contender("a", matmul),), lambda n, d: 1.0, faster=1)
    rows = timings(1.0, 1.5)
    speed.judge(case, rows)
    assert rows[0].aim == "no slower than fastest peer" and rows[0].missed == ""


def test_the_markdown_table_has_a_row_a_case(tmp_path):
    ours, fast, absent = timings(0.05, 1.0, float("nan"))
    ours.megabytes, fast.megabytes, absent.status = 12.3, 4.0, "not installed"
    ours.aim, ours.missed = "3x faster than c1; under 1 MB", "under 1 MB"
    write_markdown([[ours, fast, absent], timings(2.0)], 5e10, tmp_path / "speed.md")
    lines = (tmp_path / "speed.md").read_text().splitlines()
    assert lines[2] == (
        "| case | 50 ms (12 MB) | c1 1 s (4 MB), 20x<br>c2 not installed "
        "| 3x faster than c1; under 1 MB | all but: under 1 MB |"
    )
    ours.missed = ours.aim
    write_markdown([[ours]], 5e10, tmp_path / "missed.md")
    assert (tmp_path / "missed.md").read_text().splitlines()[2].endswith("| no |")
    assert lines[3] == "| case | 2 s (nan MB) |  |  |  |"
    assert len({line.count("|") for line in lines[:4]}) == 1
    assert "50 GFLOP/s" in lines[5]


def test_peers_that_are_not_there_set_no_aim():
    case = Case("case", 2, 2, matmul, (Contender("a", matmul),), lambda n, d: 1.0, faster=3)
    rows = timings(1.0, float("nan"))
    rows[1].status = "not installed"
    speed.judge(case, rows)
    assert rows[0].aim == rows[0].missed == ""


def test_ours_without_a_time_misses_its_aims():
    case = Case("case", 2, 2, matmul, (), lambda n, d: 1.0, seconds=1.0)
    rows = timings(float("nan"))
    speed.judge(case, rows)
    assert rows[0].missed == "under 1 s"


def test_the_printed_table_shows_who_is_missing(tmp_path):
    rows = timings(0.5, 1.0, float("nan"))
    rows[2].status = "not installed"
    rows[0].aim = "2x fastest peer"
    console = Console(file=io.StringIO(), width=150)
    print_timings([rows], 5e10, console)
    text = console.file.getvalue()
    assert "not installed" in text and "2x" in text and "50 GFLOP/s" in text and "reached" in text
    draw([rows], tmp_path / "speed.png")
    assert (tmp_path / "speed.png").stat().st_size > 1000


def test_a_case_without_a_floor_is_drawn_without_a_warning(tmp_path):
    rows = timings(0.5, 1.0)
    for row in rows:
        row.floor = 0.0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        draw([rows], tmp_path / "speed.png")
    assert (tmp_path / "speed.png").stat().st_size > 1000


def test_a_contender_that_takes_too_long_is_stopped(monkeypatch):
    monkeypatch.setattr(speed, "TIMEOUT", 0.0)
    run = speed.Run(FRECHET, Contender("slow", FRECHET.ours))
    run.warm()
    run.process.join(30)
    assert not run.process.is_alive()
    run.turn()
    assert run.finish(floor=1.0).status == "timed out"


def test_unknown_cases_and_no_repeats_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"Expected cases among frechet-10k-2048, .*got 'fid'"):
        speed.speed(tmp_path, cases=["fid"])
    with pytest.raises(ValueError, match="Expected at least 1 repeat, got 0"):
        speed.speed(tmp_path, repeats=0)


def test_every_case_has_a_floor_and_an_aim():
    assert len(CASES) == 29
    for case in CASES.values():
        # A training step has no product that it could not do without.
        assert (case.flops(case.n, case.d) > 0) == ("steps" not in case.name), case.name
        aims = [case.faster, case.seconds, *(peer.aim for peer in case.peers)]
        assert any(aim is not None for aim in aims), case.name


@pytest.fixture
def peers_path(monkeypatch):
    """The folder of peers in sight for one test, and none of their modules after it."""
    before = set(sys.modules)
    monkeypatch.setattr(sys, "path", [*sys.path, str(speed_worker.PEERS)])
    yield
    for name in set(sys.modules) - before:
        if name.split(".")[0] in {"torchvision", "torch_fidelity", "pytorch_fid"}:
            del sys.modules[name]


@pytest.mark.peers
@pytest.mark.parametrize(
    "case, peer",
    [
        (case, peer)
        for case in CASES.values()
        for peer in case.peers
        if case.d <= 512 and "steps" not in case.name
    ],
    ids=lambda part: part.name,
)
def test_peers_and_we_compute_the_same_number(case, peer, peers_path):
    """With 1,000 points a KID subset is everything, so no draw is left but POT's directions."""
    pytest.importorskip(peer.package)
    x, y = speed_cases.features(1000, 8)
    tolerance = 0.1 if peer.package == "ot" else 2e-4
    assert peer.call(x, y) == pytest.approx(case.ours(x, y), rel=tolerance)


@pytest.mark.peers
@pytest.mark.parametrize("name", [n for n in CASES if "steps" in n and "gfn" not in n])
def test_our_steps_do_as_much_as_those_of_peers(name, peers_path):
    """Their masked net has no direct connections, and learns less for it."""
    case = CASES[name]
    (peer,) = case.peers
    pytest.importorskip(peer.package)
    x, y = speed_cases.features(case.n, case.d)
    theirs = peer.call(x, y)
    assert case.ours(x, y) <= theirs + 0.05 * abs(theirs)


@pytest.mark.parametrize("name", [n for n in CASES if n.startswith("gfn")])
def test_our_gflownets_learn_in_their_steps(name):
    """An untrained policy's law is 1.36 away from the target's."""
    x, y = speed_cases.features(1000, 2)
    objective = name.removesuffix("-steps-8x8")
    untrained, trained = (speed_training.gfn(objective, x, y, steps=k) for k in (1, 200))
    assert trained < 0.6 * untrained


@pytest.mark.peers
def test_their_gflownet_learns_as_much_as_ours(peers_path):
    case = CASES["gfn-tb-steps-8x8"]
    (peer,) = case.peers
    pytest.importorskip(peer.package)
    x, y = speed_cases.features(case.n, case.d)
    theirs = peer.call(x, y)
    assert theirs < 0.5
    assert case.ours(x, y) <= theirs + 0.05


@pytest.mark.peers
def test_the_stand_in_for_torchvision_leads_nowhere(peers_path):
    speed_peers.without_torchvision()
    import torchvision.transforms.functional as functional
    from torchvision.datasets import CIFAR10

    assert isinstance(functional.resize, type) and isinstance(CIFAR10, type)


@pytest.mark.parametrize(
    "name",
    ["nsf-steps-2", "made-steps-64", "flow-matching-steps-2", "maf-steps-2", "ot-cfm-steps-2"],
)
def test_the_steps_that_are_timed_train(name, monkeypatch):
    """A hundred steps more lower the loss: what is timed is work."""
    case = CASES[name]
    rows = speed_cases.features(2000, case.d)
    losses = []
    for steps in (1, 100):
        monkeypatch.setattr(speed_training, "STEPS", steps)
        losses.append(case.ours(*rows))
    assert losses[1] < losses[0] - 0.01


def test_annealing_is_timed_beside_its_products(monkeypatch):
    """The products are those of the decoder, as torch counts the ones of the chains."""
    monkeypatch.setattr(speed_annealing, "TEMPERATURES", 2)
    x, y = speed_cases.features(3, 20)
    counted = {}
    for name in ("ais", "products"):
        with FlopCounterMode(display=False) as counter:
            assert math.isfinite(getattr(speed_annealing, name)(x, y))
        counted[name] = counter.get_total_flops()
    assert counted["products"] == speed_annealing.flops(3, 20)
    assert counted["ais"] == pytest.approx(counted["products"], rel=0.01)
