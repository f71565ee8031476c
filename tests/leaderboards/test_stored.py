"""Records that come with the package stand beside a new model, marked; never without one."""

import gzip
import sys
import threading
from datetime import UTC, datetime
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from dgmbench.benchmark.cli import main as cli
from dgmbench.benchmark.contract import files
from dgmbench.benchmark.contract.record import Provenance, Record, Score
from dgmbench.leaderboards import stored
from dgmbench.leaderboards.exports.markdown import leaderboard_md
from dgmbench.leaderboards.hardware import machines
from dgmbench.leaderboards.tables.board import boards

WHEN = datetime(2025, 1, 2, 3, 4, tzinfo=UTC)
ENVIRONMENT = Provenance(commit="0123abc", dgmbench="0.1.0", hardware="2 cores")


def record(model, task="ring-8", **further):
    fields = {
        "suite": "quick",
        "task": task,
        "task_version": 1,
        "model": model,
        "family": "flow",
        "seed": 0,
        "rows": "abc",
        "environment": ENVIRONMENT,
        "created": WHEN,
        "scores": (Score(metric="mmd", value=0.1, stderr=0.01, direction="lower"),),
    }
    return Record(**{**fields, **further})


@pytest.fixture
def package(tmp_path, monkeypatch):
    monkeypatch.setattr(stored, "RESULTS", tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    stored.stored_records.cache_clear()
    kept = [
        record("nsf"),
        record("oracle", family="control"),
        record("nsf", task="digits"),
        record("mine", family="user"),
        record("vae", status="failed", reason="no"),
    ]
    (tmp_path / "quick.jsonl.gz").write_bytes(stored.packed(kept))
    yield tmp_path
    stored.stored_records.cache_clear()


def test_what_is_packed_comes_back_marked_without_users_and_failures(package):
    found = stored.stored_records("quick")
    assert [(r.model, r.task) for r in found] == [
        ("nsf", "ring-8"),
        ("oracle", "ring-8"),
        ("nsf", "digits"),
    ]
    assert all(r.stored for r in found)
    assert found[0].model_copy(update={"stored": False}) == record("nsf")
    assert stored.stored_records("another") == ()


def test_packing_depends_on_the_records_alone(package):
    found = stored.packed([record("nsf")])
    assert found[4:8] == bytes(4)  # no time in the header of gzip
    assert found == stored.packed([record("nsf", files={})])


def test_a_new_model_gets_the_stored_ones_beside_it(package):
    found = stored.with_stored([record("mine", family="user")])
    assert [r.model for r in found] == ["mine", "nsf", "oracle"]
    board = boards(found)["ring-8"]
    assert {row.model: row.standing for row in board.rows} == {
        "nsf": "stored",
        "mine": "",
        "oracle": "ceiling, stored",
    }
    text = leaderboard_md({"ring-8": board}, "title", machines(found))
    assert "nsf (stored)" in text and "mine (stored)" not in text
    assert "came with dgmbench 0.1.0, run at commit 0123abc on 2 cores" in text


def test_what_ran_here_goes_before_what_is_stored(package):
    found = stored.with_stored([record("mine", family="user"), record("nsf", seed=3)])
    assert [(r.model, r.seed) for r in found if r.model == "nsf"] == [("nsf", 3)]


def test_a_run_of_baselines_alone_stays_alone(package):
    assert len(stored.with_stored([record("nsf")])) == 1


@pytest.mark.parametrize("other", [{"rows": "xyz"}, {"task_version": 2}])
def test_another_version_of_a_task_does_not_compare_and_that_is_said(
    package, other, capsys, monkeypatch
):
    monkeypatch.setattr(files, "_TOLD", set())
    assert len(stored.with_stored([record("mine", family="user", **other)])) == 1
    said = capsys.readouterr().err
    assert "of ring-8 left out" in said and ("other rows" in said) == ("rows" in other)


def test_a_damaged_file_is_one_sentence(package):
    for content in (b"no gzip", gzip.compress(b'{"suite": 3}\n')):
        (package / "quick.jsonl.gz").write_bytes(content)
        stored.stored_records.cache_clear()
        with pytest.raises(ValueError, match="install or fetch them again"):
            stored.with_stored([record("mine", family="user")])


def test_newer_records_go_before_those_of_the_package(package, capsys):
    later = record("new", created=datetime(2026, 1, 1, tzinfo=UTC))
    assert stored.keep_fetched("quick", stored.packed([later])) == 1
    assert [r.model for r in stored.stored_records("quick")] == ["new"]
    older = record("old", created=datetime(2020, 1, 1, tzinfo=UTC))
    stored.keep_fetched("quick", stored.packed([older]))
    assert "nsf" in [r.model for r in stored.stored_records("quick")]
    (stored.fetched_folder() / "quick.jsonl.gz").write_bytes(b"damaged")
    stored.stored_records.cache_clear()
    assert "nsf" in [r.model for r in stored.stored_records("quick")]
    assert "those of the package are used" in capsys.readouterr().err


def test_what_is_fetched_is_checked(package):
    for content in (b"<html>", stored.packed([]), stored.packed([record("x", suite="toy2d")])):
        with pytest.raises(ValueError, match="Expected"):
            stored.keep_fetched("quick", content)


def test_records_are_fetched_from_an_address(package, tmp_path, monkeypatch, capsys):
    folder = tmp_path / "published"
    folder.mkdir()
    later = record("new", created=datetime(2026, 1, 1, tzinfo=UTC))
    (folder / "quick.jsonl.gz").write_bytes(stored.packed([later]))
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/"
        monkeypatch.setattr(sys, "argv", ["run_all.py", "fetch", "results", "--url", url])
        with pytest.raises(SystemExit) as left:
            cli.main()
        server.shutdown()
    assert (left.value.code, capsys.readouterr().out) == (0, "quick: 1 records\n")
    assert [r.model for r in stored.stored_records("quick")] == ["new"]
    monkeypatch.setattr(sys, "argv", ["run_all.py", "fetch", "results"])
    with pytest.raises(SystemExit) as left:
        cli.main()
    assert left.value.code == 2 and "Expected --url" in capsys.readouterr().err
