"""Short tables: the primary metric, the likelihood and the cost, whole, on 80 characters."""

import io

import pytest
from dgmbench.leaderboards.exports.terminal import print_boards, shown
from dgmbench.leaderboards.report import Results
from rich.console import Console


def printed(boards, width):
    file = io.StringIO()
    print_boards(boards, Console(file=file, width=width, highlight=False))
    return file.getvalue().splitlines()


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_no_number_is_cut_at_any_width(results, width):
    found = Results.read(results).boards
    lines = printed(found, width)
    assert max(map(len, lines)) <= width
    assert not any("…" in line for line in lines)


def test_eighty_characters_hold_primary_likelihood_and_cost(results):
    board = Results.read(results).boards["ring-8"]
    assert [one.columns[0].metric for one in shown(board, 80)] == [
        "mmd",
        "nll",
        "training_seconds",
    ]
    (text,) = [line for line in printed({"ring-8": board}, 80) if "nsf" in line]
    assert "flow" not in text and "=" in text
    assert any("more metrics: leaderboard.md, report.html." in x for x in printed({"": board}, 80))


def test_wide_ones_hold_more(results):
    board = Results.read(results).boards["ring-8"]
    assert len(shown(board, 160)) > len(shown(board, 100)) >= 3
    assert any("flow" in line and "nsf" in line for line in printed({"": board}, 120))


def test_no_records_are_told():
    assert printed({}, 80) == ["No records."]
