"""Records on disk: whole or not there, the newest of a cell wins."""

import math
from datetime import UTC, datetime, timedelta

from dgmbench.benchmark.contract.record import Record, Score, read_all, read_records, write_record

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def record(**changes):
    given = {
        "suite": "s", "task": "t", "task_version": 1, "model": "m", "family": "flow", "seed": 0,
        "created": NOW,
    }  # fmt: skip
    return Record(**{**given, **changes})


def test_round_trip_keeps_infinity_and_emptiness(tmp_path):
    scores = (
        Score(metric="nll", value=math.inf, mark="="),
        Score(metric="mmd", reason="no such thing"),
    )
    write_record(record(scores=scores), tmp_path)
    (read,) = read_records(tmp_path)
    assert read.scores == scores


def test_the_newest_record_of_a_cell_wins_and_the_old_one_stays(tmp_path):
    write_record(record(keys={"score": "b"}, reason="new", created=NOW), tmp_path)
    old = NOW - timedelta(days=1)
    write_record(record(keys={"score": "c"}, reason="old", created=old), tmp_path)
    assert [r.reason for r in read_records(tmp_path)] == ["new"]
    assert len(list(read_all(tmp_path))) == 2


def test_a_file_that_is_no_record_is_named(tmp_path, capsys):
    (tmp_path / "records").mkdir()
    (tmp_path / "records" / "x.json").write_text("{}")
    assert read_records(tmp_path) == []
    assert "x.json" in capsys.readouterr().err


def test_what_others_wrote_is_short_and_without_control_characters():
    text = "a\x00b\x1b[31mc\r\nd" + "x" * 200_000
    score = Score(metric="m", reason=text, note=text)
    for found in (score.reason, score.note):
        assert len(found) <= 500 and found.startswith("a b [31mc d") and found.isprintable()
