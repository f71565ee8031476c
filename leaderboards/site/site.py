"""`report` of several suites: a folder of pages that opens without a network.

index.html        who leads in each suite, by how much, how sure, at which cost
<suite>.html      the suite's own page
models/<m>.html   a card per model, with every record
published.html    comparisons with papers
failures.html     what did not run, over all suites
reading.html      how to read numbers, marks and bold
records/          every record as JSON
search.js         what the search box looks through
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from markupsafe import Markup

from ...benchmark.contract.files import folder_for, write_atomically
from ...benchmark.contract.record import SETTLED, cell_name, safe_name
from ..hardware import machines
from ..page.page import render_page
from ..page.published import Paper
from ..page.ranks_plot import ranks_plot
from ..page.rendering import Links, model_page, render
from ..report import Results
from ..tables.standings import Standings, standings
from .model_cards import Card, cards

_FIXED = {
    "models.html": "Models",
    "published.html": "Published",
    "failures.html": "Failures",
    "reading.html": "How to read",
}


def write_site(found: Mapping[str, Results], published: Sequence[Paper], to: Path) -> Path:
    """Writes the site of several suites; returns its first page.

    Args:
        found: By suite, its records and tables.
        published: Comparisons with papers (`published.papers`).
        to: The folder; pages of an earlier site in it are replaced.

    Raises:
        ValueError: No suite, a suite of a name that one of the site's own pages has, or a file
            where the folder is to be.
    """
    taken = [suite for suite in found if _page(suite) in {"index.html", *_FIXED}]
    if not found or taken:
        raise ValueError(
            "Expected suites whose names are none of the site's own pages, got "
            f"{', '.join(taken) or 'none'}."
        )
    folder_for(to)
    overall = {suite: standings(results.boards) for suite, results in found.items()}
    addresses = {suite: _records(suite, results) for suite, results in found.items()}
    about = cards(found, overall, addresses)
    pages = {"index.html": "Overview", **{_page(suite): suite for suite in found}, **_FIXED}
    known = frozenset(about)

    def links(here: str, top: str = "./") -> Links:
        return Links(top, pages, here, known)

    written = {
        "index.html": _index(found, overall, links("index.html")),
        "models.html": render(
            "models.html", links("models.html"), title="Models", cards=about, overall=overall
        ),
        "published.html": render(
            "published.html", links("published.html"), title="Published", published=published
        ),
        "failures.html": _failures(found, links("failures.html")),
        "reading.html": render("reading.html", links("reading.html"), title="How to read"),
        "search.js": _places(found, about, published),
    }
    for suite, results in found.items():
        written[_page(suite)] = render_page(
            f"Suite {suite}", machines(results.records), results.records, results.tasks,
            results.boards, results.root, links=links(_page(suite)),
        )  # fmt: skip
        for record in results.records:
            address = addresses[suite][id(record)]
            written[address] = record.model_dump_json(indent=1, exclude_defaults=True)
    for model, card in about.items():
        here = links(model_page(model), "../")
        written[model_page(model)] = render("model.html", here, title=model, card=card)
    for name, text in written.items():
        (to / name).parent.mkdir(parents=True, exist_ok=True)
        write_atomically(to / name, text.encode())
    return to / "index.html"


def _page(suite: str) -> str:
    return f"{safe_name(suite)}.html"


def _records(suite: str, results: Results) -> dict[int, str]:
    """Where each record's JSON lies, by the record's identity."""
    return {
        id(r): f"records/{safe_name(suite)}/{cell_name(*r.cell)}.json" for r in results.records
    }


def _index(found: Mapping[str, Results], overall: Mapping[str, Standings], links: Links) -> str:
    models = {r.model for results in found.values() for r in results.records}
    return render(
        "index.html",
        links,
        title="dgmbench",
        suites=[
            {
                "name": suite,
                "page": _page(suite),
                "standings": overall[suite],
                "tasks": list(results.boards),
                "seeds": sorted({r.seed for r in results.records}),
                "models": len({r.model for r in results.records if r.family != "control"}),
                "failures": sum(r.status not in SETTLED for r in results.records),
                "newest": max(r.created for r in results.records),
                "ranks": Markup(ranks_plot(critical) if critical else ""),
            }
            for suite, results in found.items()
            for critical in [overall[suite].critical]
        ],
        models=len(models),
        records=sum(len(results.records) for results in found.values()),
    )


def _failures(found: Mapping[str, Results], links: Links) -> str:
    records = {suite: results.records for suite, results in found.items()}
    return render(
        "failures.html",
        links,
        title="Failures",
        failures={s: [r for r in rs if r.status not in SETTLED] for s, rs in records.items()},
        refusals={s: [r for r in rs if r.status == "not admitted"] for s, rs in records.items()},
    )


def _places(
    found: Mapping[str, Results], about: Mapping[str, Card], published: Sequence[Paper]
) -> str:
    """What the search box finds: title, kind, address from the top."""
    places: list[tuple[str, str, str]] = []
    for model, card in about.items():
        kind = f"model, {card.first.family} {card.title}".strip()
        places.append((model, kind, model_page(model)))
    for suite, results in found.items():
        places.append((suite, "suite", _page(suite)))
        places += [
            (task, f"task of {suite}", f"{_page(suite)}#task-{safe_name(task)}")
            for task in results.boards
        ]
    places += [
        (
            paper.name,
            f"comparison {paper.about['paper']}",
            f"published.html#{safe_name(paper.name)}",
        )
        for paper in published
    ]
    # The characters that would end a script element are none of JSON's own.
    return f"const PLACES = {json.dumps(places).replace('<', chr(92) + 'u003c')};\n"
