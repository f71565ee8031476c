"""Commands that read records and write tables: `compare`, `report`, `table`, `cards`, `status`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .app import Names, Out, SuiteName, app, check_records, split

if TYPE_CHECKING:
    from ...leaderboards.report import Results

PANEL = "Tables"


@app.command(rich_help_panel=PANEL)
def compare(
    model: Annotated[str, typer.Argument(help="Name of the model, as in the tables.")],
    against: Annotated[str, typer.Option(help="Comma-separated names, or all.")] = "all",
    suite: SuiteName = "quick",
    tasks: Names = None,
    metrics: Names = None,
    out: Out = Path("results"),
    form: Annotated[str, typer.Option("--format", help="text, md, tex or json.")] = "text",
    picture: Annotated[
        Path | None, typer.Option(help="Quality against compute, as .png, .pdf or .svg.")
    ] = None,
) -> None:
    """Compare a model with others: differences, intervals, p-values, costs."""
    from ...leaderboards.exports import comparison, front
    from ...leaderboards.stored import beside
    from ...leaderboards.tables.compare import compare as compared
    from ..contract.record import read_records
    from ..names import known
    from ..suites import SUITES

    known("suite", [suite], SUITES)
    known("format", [form], comparison.FORMATS)
    if picture is not None:
        front.checked_path(picture)
    others = None if against == "all" else split(against)
    records = beside(read_records(out / suite), suite)
    found = compared(records, model, others, split(metrics), split(tasks))
    print(comparison.rendered(found, form), end="" if form != "text" else "\n")
    if picture is not None:
        front.draw(found, picture)
        print(f"Wrote {picture}", file=sys.stderr)


@app.command(rich_help_panel=PANEL)
def report(
    results: Annotated[
        list[Path],
        typer.Argument(
            help="Results folders, such as results/quick; with --site also names of suites, whose "
            "records came with the package."
        ),
    ],
    site: Annotated[
        Path | None, typer.Option(help="Folder for one offline site over all that is named.")
    ] = None,
) -> None:
    """Render tables and report again from the records, or a site over several suites."""
    from ...leaderboards.report import Results, write_report
    from . import console

    if site is not None:
        print(f"Wrote {_write_site(results, site)}")
        return
    for folder in results:
        check_records(folder)
    for folder in results:
        console.print_files(write_report(Results.read(folder)))


def _write_site(sources: list[Path], site: Path) -> Path:
    from ...leaderboards.page.published import papers
    from ...leaderboards.site.site import write_site
    from ...leaderboards.stored import RESULTS

    found: dict[str, Results] = {}
    for source in sources:
        results = _results_or_suite(source)
        if not results.records:
            raise ValueError(f"Expected records in {source}, got none that can be read.")
        suite = results.records[0].suite
        if suite in found:
            raise ValueError(
                f"Expected each suite once, got {suite} twice: {found[suite].root} and {source}."
            )
        found[suite] = results
    roots = [*(results.root.parent for results in found.values()), RESULTS]
    return write_site(found, papers(root / "reproduce" for root in dict.fromkeys(roots)), site)


def _results_or_suite(source: Path) -> Results:
    """Reads a results folder, or the records of a suite that came with the package."""
    from ...leaderboards.report import Results
    from ...leaderboards.stored import stored_records

    if source.is_dir() or not stored_records(str(source)):
        check_records(source)
        return Results.read(source)
    from ..run.scoring.task_files import outlined  # outlines need torch, records do not
    from ..tasks import TASKS, outline_of

    names = dict.fromkeys(record.task for record in stored_records(str(source)))
    tasks = {name: outlined(outline_of(name)) for name in names if name in TASKS}
    return Results.of_package(str(source), tasks)


@app.command(rich_help_panel=PANEL)
def table(
    results: Annotated[Path, typer.Argument(help="Such as results/quick.")],
    task: Annotated[str, typer.Option(help="Name of the task.")],
    columns: Annotated[
        str | None, typer.Option(help="Comma-separated metrics; by default the few that say most.")
    ] = None,
    models: Names = None,
    digits: Annotated[
        int | None, typer.Option(help="Behind the point; by default what the errors justify.")
    ] = None,
    transpose: Annotated[bool, typer.Option("--transpose", help="Models as columns.")] = False,
    form: Annotated[
        str, typer.Option("--format", help="md, tex, csv, or parquet (needs --to).")
    ] = "md",
    to: Annotated[Path | None, typer.Option(help="The file; by default it is printed.")] = None,
) -> None:
    """Write one table for a paper: chosen metrics and models of one task."""
    from ...leaderboards.exports.paper_table import (
        FORMATS,
        PARQUET,
        Chosen,
        paper_parquet,
        paper_table,
    )
    from ...leaderboards.report import Results
    from ..contract.files import write_atomically
    from ..names import known

    check_records(results)
    boards = Results.read(results).boards
    known("task", [task], boards)
    known("format", [form], (*FORMATS, PARQUET))
    chosen = Chosen(split(columns), split(models), digits, transpose)
    if form == PARQUET:
        if to is None:
            raise ValueError("Expected a file for Parquet (--to FILE), got none.")
        if transpose or digits is not None:
            raise ValueError(
                "Expected no --transpose and no --digits with Parquet, got them: it holds whole "
                "numbers, a row per model."
            )
        content = paper_parquet(boards[task], chosen)
    else:
        content = paper_table(boards[task], form, chosen).encode()
    if to is None:
        print(content.decode(), end="")
    else:
        write_atomically(to, content)
        print(f"Wrote {to}")


@app.command(rich_help_panel=PANEL)
def figures(
    results: Annotated[Path, typer.Argument(help="Such as results/quick.")],
    tasks: Names = None,
    form: Annotated[str, typer.Option("--format", help="pdf, svg or png.")] = "pdf",
    to: Annotated[Path, typer.Option(help="Folder for the files.")] = Path("figures"),
) -> None:
    """Draw figures for a paper: numbers with error bars, compute, evaluations, ranks, scores."""
    from ...leaderboards.exports.figures import FORMATS, write_figures
    from ...leaderboards.report import Results
    from ..names import known
    from . import console

    check_records(results)
    known("format", [form], FORMATS)
    boards = Results.read(results).boards
    chosen = known("task", split(tasks) or list(boards), boards)
    console.print_files(write_figures({task: boards[task] for task in chosen}, to, form))


@app.command(rich_help_panel=PANEL)
def cards(
    results: Annotated[Path, typer.Argument(help="Such as results/quick.")],
    models: Names = None,
    to: Annotated[Path, typer.Option(help="Folder; each model gets one of its own in it.")] = Path(
        "cards"
    ),
) -> None:
    """Write model cards with results as the Hugging Face hub reads them (model-index)."""
    from ...leaderboards.exports.hub_cards import hub_cards, image_tasks
    from ...leaderboards.report import Results
    from ..contract.files import folder_for, write_atomically
    from ..contract.record import safe_name
    from ..names import known

    check_records(results)
    read = Results.read(results)
    images = image_tasks({name: task.shape for name, task in read.tasks.items()})
    written = hub_cards(read.boards, images)
    for model in known("model", split(models) or list(written), written):
        path = folder_for(to) / safe_name(model) / "README.md"
        write_atomically(path, written[model].encode())
        print(f"Wrote {path}")


@app.command(rich_help_panel=PANEL)
def status(results: Annotated[Path, typer.Argument(help="Such as results/quick.")]) -> None:
    """Count the cells of a results folder by status and list the failures."""
    from . import console

    check_records(results)
    console.print_status(results)
