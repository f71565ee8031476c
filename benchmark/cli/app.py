"""The command line's application, and what its commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup


class Commands(TyperGroup):
    """Commands for which a file that ends too early is an error, not a user who has left."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except EOFError as error:
            raise ValueError(
                f"Expected a whole file, got one that was cut short: {error}."
            ) from error


app = typer.Typer(
    cls=Commands,
    add_completion=False,
    no_args_is_help=False,
    pretty_exceptions_enable=False,
    help="Benchmark deep generative models: every family, the same tasks, an error bar on every "
    "number. Without a command: run --suite quick. With --plugin FILE.py, any command knows the "
    "tasks, metrics, suites and feature maps of yours that the file defines.",
)

Names = Annotated[str | None, typer.Option(help="Comma-separated names; all by default.")]
Out = Annotated[Path, typer.Option(help="Folder above the suite's own.")]
Arguments = Annotated[
    list[str] | None,
    typer.Option("--set", help="Arguments of the model, such as hidden=256,lr=1e-3."),
]
SuiteName = Annotated[str, typer.Option(help="Name of a suite; see `list suites`.")]


def split(names: str | None) -> list[str] | None:
    """Returns the names in "a,b"; None for None."""
    return None if names is None else [name.strip() for name in names.split(",") if name.strip()]


def addresses(text: str | None) -> list[str] | None:
    """Returns the tasks in "a,b"; commas in an address's options ("?drop=x,y") are its own."""
    from ..tasks import TASKS

    found: list[str] = []
    for word in split(text) or []:
        if found and "?" in found[-1] and ":" not in word and word not in TASKS:
            found[-1] += f",{word}"
        else:
            found.append(word)
    return None if text is None else found


def check_records(results: Path) -> None:
    """Refuses a folder that is no results folder.

    Raises:
        ValueError: It holds no records.
    """
    if not (results / "records").is_dir():
        raise ValueError(f"Expected a folder with records in it, got {results}.")
