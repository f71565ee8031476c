"""The first screen: who leads, and a diagram of mean ranks."""

from datetime import UTC, datetime
from html.parser import HTMLParser

from dgmbench.benchmark.contract.record import Record, Score
from dgmbench.leaderboards.exports.markdown import leaderboard_md
from dgmbench.leaderboards.page.page import render_page
from dgmbench.leaderboards.page.ranks_plot import ranks_plot
from dgmbench.leaderboards.tables.across_tasks import critical_difference
from dgmbench.leaderboards.tables.board import boards

WHEN = datetime(2025, 1, 2, tzinfo=UTC)


def records(tasks=6, seeds=3):
    """Four models whose order is the same on every task, between an oracle and noise."""
    values = {"a<b>": 0.1, "second": 0.2, "third": 0.5, "fourth": 0.7}
    found = []
    for task in range(tasks):
        for model, value in {"oracle": 0.0, "noise": 1.0, **values}.items():
            control = model in ("oracle", "noise")
            score = Score(
                metric="mmd", value=value, stderr=0.004, direction="lower", protocol="p", n=500
            )
            found += [
                Record(
                    suite="s", task=f"task-{task}", task_version=1, model=model, seed=seed,
                    family="control" if control else "flow", created=WHEN, scores=(score,),
                    is_floor=model == "noise",
                )
                for seed in range(seeds)
            ]  # fmt: skip
    return found


def page(found):
    return render_page("Title", [("commit", ["c"])], found, {}, boards(found), root="/nowhere")


class Texts(HTMLParser):
    """Collects the texts of a page."""

    def __init__(self):
        super().__init__()
        self.texts = []

    def handle_data(self, data):
        self.texts += [data.strip()] if data.strip() else []


def texts(html):
    parser = Texts()
    parser.feed(html)
    return parser.texts


def test_the_first_screen_says_who_leads_by_how_much_and_how_sure():
    html = page(records())
    first = html.split('id="reading"')[0]
    (sentence,) = [text for text in texts(first) if "leads" in text]
    assert sentence.startswith("Of 4 models that learn from samples and have all 6 tasks, a<b> ")
    assert "0.900 ± 0.002, 0.100 ± 0.002 ahead of second (rank 1)" in sentence
    assert "<b>" not in first.split("</style>")[1]
    assert first.count('class="num heat"') == 4 * 6


def test_markdown_has_the_same_numbers():
    text = leaderboard_md(boards(records()), "Title", [])
    assert text.index("## Overview") < text.index("## task-0")
    line = next(line for line in text.splitlines() if line.startswith("| flow | second"))
    assert [cell.strip() for cell in line.split("|")[3:6]] == ["0.800 ± 0.002", "2", "0.80"]


def test_one_task_has_no_overview():
    assert 'id="overview"' not in page(records(tasks=1))
    assert "## Overview" not in leaderboard_md(boards(records(tasks=1)), "Title", [])


def test_ranks_are_drawn_in_order_with_bars_over_those_that_are_alike():
    drawn = ranks_plot(critical_difference([[0.9, 0.5, 0.1]] * 8, ["a", "<b>", "c"]))
    assert "&lt;b&gt; 2.00" in drawn and "<b>" not in drawn
    assert drawn.count('class="group"') == 2
    assert "Mean ranks over 8 tasks: a 1.00" in drawn
    apart = ranks_plot(critical_difference([[0.9, 0.5, 0.1]] * 40, ["a", "b", "c"]))
    assert 'class="group"' not in apart
