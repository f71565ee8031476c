"""The command line. Nothing heavy is imported until a command needs it."""

from __future__ import annotations

import os
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated

import typer

from . import submissions, tables  # their commands are known by being imported
from .app import Arguments, Names, Out, SuiteName, addresses, app, check_records, split

__all__ = ["app", "main", "submissions", "tables"]


def main() -> None:
    """Runs the command line; a user's mistake is one sentence on stderr and exit code 2."""
    try:
        sys.argv[1:] = _plugged(sys.argv[1:])
        app()
    except (ValueError, OSError) as error:
        if os.environ.get("DGMBENCH_TRACEBACK"):
            raise
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(2)


def _plugged(words: list[str]) -> list[str]:
    """Loads plugins, those of installed packages and those of `--plugin`; returns the rest.

    The option may stand anywhere, also before the command.
    """
    given, rest = [], []
    left = iter(words)
    for word in left:
        if word == "--plugin":
            given.append(next(left, ""))
        elif word.startswith("--plugin="):
            given.append(word.partition("=")[2])
        else:
            rest.append(word)
    if not all(given):
        raise ValueError("Expected a file or a module behind --plugin, got none.")
    if given or entry_points(group="dgmbench.plugins"):
        from ..run.plugins import load_installed, load_plugin

        load_installed()
        for where in given:
            load_plugin(where)
    return rest


@app.callback(invoke_without_command=True)
def default(context: typer.Context) -> None:
    """Runs the quick suite where no command is given."""
    if context.invoked_subcommand is None:
        run()


@app.command()
def run(
    suite: Annotated[
        str | None, typer.Option(help="Name of a suite; by default the tasks', else quick.")
    ] = None,
    tasks: Annotated[
        str | None, typer.Option(help="Comma-separated names or addresses; all by default.")
    ] = None,
    models: Annotated[
        str | None, typer.Option(help="Comma-separated names; all by default; none: only yours.")
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(help="file.py:Class of a model of yours, or a baseline's name; repeatable."),
    ] = None,
    arguments: Arguments = None,
    name: Annotated[str, typer.Option("--as", help="Name of --model in the tables.")] = "",
    steps: Annotated[int | None, typer.Option(help="Training steps of --model.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Rows of a batch of --model.")] = None,
    seeds: Annotated[int | None, typer.Option(help="Number of seeds, from 0.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    workers: Annotated[int | None, typer.Option(help="Worker processes.")] = None,
    timeout: Annotated[
        float | None, typer.Option(help="Seconds after which a cell is stopped.")
    ] = None,
    track: Annotated[
        str | None,
        typer.Option(help="Comma-separated among tensorboard, mlflow and wandb."),
    ] = None,
    out: Out = Path("results"),
) -> None:
    """Run a suite; what is done is not done again."""
    from ..run.processes.workers import start_server

    start_server(workers)
    from ..run.plan import make_plan
    from ..run.users.specs import Variant, parsed_arguments
    from . import console

    plan = make_plan(
        suite,
        out=out,
        tasks=addresses(tasks),
        models=split(models),
        user_models=model,
        variant=Variant(parsed_arguments(arguments or []), name, steps, batch_size),
        seeds=seeds,
        device=device,
        workers=workers,
        timeout=timeout,
    )
    sys.exit(console.run(plan, split(track) or ()))


@app.command()
def check(
    model: Annotated[str, typer.Argument(help="file.py:Class, package.module:Class or a name.")],
    arguments: Arguments = None,
    domains: Annotated[
        str | None, typer.Option(help="Comma-separated kinds of points; all by default.")
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Worker processes.")] = None,
) -> None:
    """Check a model on tiny data of every kind before a run is spent on it."""
    from ..run.processes.workers import start_server

    start_server(workers)
    from ..run.users.check import Checked, check_spec
    from ..run.users.specs import parsed_arguments, with_arguments
    from . import console

    spec = with_arguments(model, parsed_arguments(arguments or []))
    found = []
    for findings in check_spec(spec, split(domains), workers):
        console.print_findings(findings)
        found += findings
    sys.exit(console.print_verdict(spec.name, Checked(tuple(found))))


@app.command()
def score(
    samples: Annotated[
        list[Path],
        typer.Argument(
            help=".npz, .npy, .safetensors or image folders; with --metric a results folder."
        ),
    ],
    task: Annotated[str, typer.Option(help="Name or address of the task.")] = "",
    name: Annotated[
        list[str] | None,
        typer.Option(help="Name of the row, one per file; by default mine, or the files' names."),
    ] = None,
    log_prob: Annotated[
        Path | None, typer.Option(help="File with log p of the test rows, in nats.")
    ] = None,
    parameters: Annotated[int | None, typer.Option(help="Of the model.")] = None,
    seconds: Annotated[float | None, typer.Option(help="Of its training.")] = None,
    nfe: Annotated[float | None, typer.Option(help="Network evaluations per sample.")] = None,
    suite: Annotated[
        str | None, typer.Option(help="Whose metrics hold; by default one with the task.")
    ] = None,
    metric: Annotated[
        str | None, typer.Option(help="file.py:Metric: a new column for all that is stored.")
    ] = None,
    out: Out = Path("results"),
) -> None:
    """Score samples beside the models of a suite, or a results folder with a new metric."""
    from ...leaderboards.report import Results, write_report
    from ..run.plan import suite_of
    from ..run.users.sample_files import read_log_prob, read_only_log_prob, read_samples
    from ..run.users.submission import Spent, score_samples
    from ..tasks import outline_of
    from . import console

    if metric is not None:
        sys.exit(_score_again(samples, metric))
    if not task:
        raise ValueError("Expected the task of the samples (--task NAME), got none.")
    names = name or (["mine"] if len(samples) == 1 else [path.stem for path in samples])
    if len(names) != len(samples) or len(set(names)) < len(names):
        raise ValueError(
            f"Expected a --name of its own for each of {len(samples)} files, got "
            f"{', '.join(names)}."
        )
    if len(samples) > 1 and log_prob is not None:
        raise ValueError("Expected one file of samples beside --log-prob, got several.")
    outline, chosen = outline_of(task), suite_of([task], suite)
    spent, tests = Spent(parameters, seconds, nfe), (outline.sizes or {}).get("test")
    root = out / chosen.name
    for path, row in zip(samples, names, strict=True):
        rows = read_samples(path, outline.task.domain)
        found = None if tests is None else read_log_prob(path, tests)
        if log_prob is not None and tests is not None:
            found = read_only_log_prob(log_prob, tests)
        record = score_samples(rows, row, outline, chosen, root, found, spent)
        console.print_scores(record)
    results = Results.read(root)
    console.print_boards({task: results.boards[outline.task.name]}, console.out)
    console.print_files(write_report(results))


def _score_again(folders: list[Path], metric: str) -> int:
    """Scores what is stored with a metric of the user's; returns the exit code."""
    from ...leaderboards.report import Results, write_report
    from ..run.scoring.added import add_metric
    from . import console

    (root, *others) = folders
    if others or not (root / "records").is_dir():
        raise ValueError(f"Expected one folder with records in it beside --metric, got {root}.")
    count = 0
    for record, why in add_metric(root, metric):
        count += not why
        if why:
            print(f"{record.task} / {record.model} / seed {record.seed}: {why}")
    results = Results.read(root)
    console.print_files(write_report(results))
    print(f"{count} cells have the new metric.")
    return 0 if count else 1


@app.command()
def probe(
    results: Annotated[Path, typer.Argument(help="Such as results/quick.")],
    likelihood: Annotated[
        str,
        typer.Option(
            help="ais: annealed importance sampling, of decoders and energies. draws: weighted "
            "draws, of latents or of dequantisation. ode: a flow at two tolerances. parts: what a "
            "variational bound is the sum of."
        ),
    ] = "ais",
    steps: Annotated[int | None, typer.Option(help="ais: steps, 1,000 by default.")] = None,
    chains: Annotated[int | None, typer.Option(help="ais: chains a row, 16 by default.")] = None,
    draws: Annotated[int | None, typer.Option(help="draws, parts: draws of each row.")] = None,
    tolerance: Annotated[
        float | None, typer.Option(help="ode: of the solver, 1e-5 by default.")
    ] = None,
    rows: Annotated[int | None, typer.Option(help="Test rows; all by default.")] = None,
    models: Names = None,
    tasks: Names = None,
    workers: Annotated[int | None, typer.Option(help="Worker processes.")] = None,
) -> None:
    """Tell the likelihood of finished cells in another way; nothing is trained again."""
    from ...leaderboards.report import Results, write_report
    from ..run.bounds.added import add_bound
    from ..run.bounds.ways import question
    from . import console

    given = {"steps": steps, "chains": chains, "draws": draws, "tolerance": tolerance}
    asked = question(likelihood, rows, **given)
    check_records(results)
    count = 0
    for record, why in add_bound(
        results, asked, models=split(models), tasks=split(tasks), workers=workers
    ):
        count += not why
        cell = f"{record.task} / {record.model} / seed {record.seed}"
        if why:
            print(f"{cell}: {why}")
            continue
        for line in console.told_bound(record, asked.name):
            print(f"{cell}: {line}")
    console.print_files(write_report(Results.read(results)))
    print(f"{count} cells have the new number.")
    sys.exit(0 if count else 1)


@app.command()
def reproduce(
    name: Annotated[
        str, typer.Argument(help="Name of a comparison, or a file.py with some; none lists them.")
    ] = "",
    json: Annotated[bool, typer.Option("--json", help="As objects.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Run what was run.")] = False,
    out: Annotated[Path, typer.Option(help="Folder of the results.")] = Path("results/reproduce"),
) -> None:
    """Compare with published numbers: a verdict for each, within a tolerance written before."""
    from ..names import known
    from ..reproduce import COMPARISONS, shown
    from ..reproduce.comparison import measured
    from ..reproduce.users import comparisons_of
    from ..run.processes.guardian import keep_freed_memory

    if not name:
        print(shown.listed(COMPARISONS, out, as_json=json))
        return
    keep_freed_memory()
    mine = name.endswith(".py")
    there = comparisons_of(name) if mine else COMPARISONS
    for one in there if mine else known("comparison", [name], there):
        result = measured(there[one], out, again=again)
        print(shown.told(there[one], result, as_json=json))


@app.command("list")
def list_things(
    what: Annotated[str, typer.Argument(help="tasks, models, metrics or suites.")],
    json: Annotated[bool, typer.Option("--json", help="A list of objects.")] = False,
) -> None:
    """List tasks, models, metrics or suites."""
    from . import catalogue, console

    console.print_list(catalogue.listing(what), as_json=json)


@app.command()
def fetch(
    tasks: Annotated[list[str], typer.Argument(help="Names of tasks, or results.")],
    url: Annotated[
        str, typer.Option(help="Of `fetch results`: the folder with SUITE.jsonl.gz.")
    ] = "",
) -> None:
    """Bring the data of tasks into the data root once, or newer records of the baselines."""
    from ..tasks.readers.fetch import fetch as bring
    from . import console

    for task in tasks:
        if task == "results":
            _fetch_results(url)
            continue
        with console.out.status(f"Fetching {task}"):  # what is out of reach takes half a minute
            found = bring(task)
        print(f"{task}: {', '.join(map(str, found)) or 'nothing to bring'}")


def _fetch_results(url: str) -> None:
    """Brings the records of every suite that an address has."""
    from urllib.error import HTTPError, URLError

    from ...leaderboards.stored import keep_fetched
    from ..suites import SUITES
    from ..tasks.readers.originals import download

    if not url.startswith(("http://", "https://")):
        raise ValueError(f"Expected --url http(s)://folder with SUITE.jsonl.gz, got {url!r}.")
    for suite in SUITES:
        try:
            content = download(f"{url.rstrip('/')}/{suite}.jsonl.gz")
        except HTTPError as error:
            if error.code == 404:
                continue  # no records of this suite were published
            raise ValueError(f"Expected records at {url}, got {error}.") from None
        except URLError as error:
            raise ValueError(f"Expected {url} to be in reach, got {error.reason}.") from None
        print(f"{suite}: {keep_fetched(suite, content)} records")


@app.command()
def show(
    task: Annotated[str, typer.Argument(help="Name of a task; see `list tasks`.")],
    out: Annotated[Path | None, typer.Option(help="Where the PNG goes.")] = None,
) -> None:
    """Write a picture of the data of a task and print its card."""
    from .card import show_task

    path = out or Path(f"{task.replace('/', '-').replace(':', '-')}.png")
    print(show_task(task, path))
    print(f"Wrote {path}")


@app.command()
def speed(
    out: Annotated[Path, typer.Option(help="Folder of the table and the chart.")] = Path(
        "results/speed"
    ),
    repeats: Annotated[int, typer.Option(help="Timed calls a contender.")] = 3,
    cases: Names = None,
) -> None:
    """Time the metrics against other libraries in the same run."""
    from ..speed.race import speed as race

    print(f"Wrote {race(out, repeats, split(cases))}")


@app.command()
def tune(
    suite: SuiteName = "quick",
    trials: Annotated[int, typer.Option(help="Random trials a model and kind, at most.")] = 8,
    models: Names = None,
    tasks: Names = None,
    workers: Annotated[int | None, typer.Option(help="Worker processes.")] = None,
    again: Annotated[bool, typer.Option("--again", help="Repeat what was tried.")] = False,
    steps_only: Annotated[
        bool, typer.Option("--steps-only", help="Keep arguments; fit steps to the class.")
    ] = False,
) -> None:
    """Choose the arguments of the models on validation data; for maintainers of a suite."""
    from ..run.tuning.tune import tune as choose

    who, where = split(models), split(tasks)
    choose(
        suite,
        trials=trials,
        models=who,
        tasks=where,
        workers=workers,
        again=again,
        steps_only=steps_only,
    )
