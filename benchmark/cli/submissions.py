"""Commands of those who hand in and of those who check it: `submit` and `verify`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from .app import Out, SuiteName, app

PANEL = "Hand in"


@app.command(rich_help_panel=PANEL)
def submit(
    model: Annotated[str, typer.Argument(help="Name of the model, as in the tables.")],
    suite: SuiteName = "quick",
    to: Annotated[Path | None, typer.Option(help="The bundle; by default MODEL.zip.")] = None,
    out: Out = Path("results"),
) -> None:
    """Pack a model's records, with all that they were scored from, into one file."""
    from ..run.submissions.bundle import make_bundle

    path = to or Path(f"{model}.zip")
    manifest = make_bundle(out / suite, model, path)
    print(f"Wrote {path}: {model} in {suite}, {len(manifest.files)} files.")


@app.command(rich_help_panel=PANEL)
def verify(
    bundle: Annotated[Path, typer.Argument(help="A file that `submit` wrote.")],
    retrain: Annotated[
        bool, typer.Option("--retrain", help="Train the model, one of the package, again.")
    ] = False,
    into: Annotated[
        Path | None, typer.Option(help="Results folder that gets the records if nothing is wrong.")
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Worker processes of --retrain.")] = None,
) -> None:
    """Check a bundle: form, hashes, versions; scores from its samples; copies of test rows."""
    from ..contract.record import write_record
    from ..run.processes.workers import start_server
    from ..run.submissions.bundle import read_bundle
    from ..run.submissions.verify import verify as verified
    from . import console

    if retrain:
        start_server(workers)
    read = read_bundle(bundle)
    found = verified(read, retrain=retrain, workers=workers)
    console.print_verified(found, read.manifest.model)
    if found.ok and into is not None:
        for record in found.records:
            write_record(record, into / read.manifest.suite)
        print(f"{len(found.records)} records went to {into / read.manifest.suite}.")
    sys.exit(0 if found.ok else 1)
