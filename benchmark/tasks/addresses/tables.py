"""Tables of one's own: `csv:`, `parquet:` and `datasets:` addresses.

What a table is, is decided by rules that are told when it is read:

- a column is dropped where the address says so (`?drop=a,b`, `?target=y`); a constant column, one
  that holds text and one with missing values are refused by name with the remedy;
- where every column holds whole numbers 0..31, rows are levels (bits where they are 0 and 1);
  else all are numbers, prepared as the other tables are (`small.prepare`);
- a fixed permutation is cut into 60 % train, 10 % val, 15 % test and 15 % holdout.
"""

from __future__ import annotations

import csv
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...contract.files import tell
from ...contract.task import Domain, Task
from ...names import known
from ..readers.array_cache import Cached, cached
from ..readers.data_root import damaged
from ..refusals import DISCRETE, TABLE, enumerable, too_few, too_wide
from ..tables.small import prepare
from .source import Source, outlined, split_rows

if TYPE_CHECKING:
    from pandas import DataFrame

MOST_LEVELS = 32  # of a column that counts as levels
FEWEST_ROWS = 40  # of a table: test holds six of them
PREPARED = (
    "Copies of earlier rows are left out; columns are dequantised by their resolution and "
    "standardised"
)


def table_at(address: str) -> Task:
    """Returns the task `csv:path`, `parquet:path` or `datasets:folder`, as the module says.

    Raises:
        ValueError: The file is damaged, or a column is refused: which, and what to do.
    """
    source = Source.of(address)
    found = cached(source.cache_name, source.files, lambda: _table(source))
    if found.arrays["train"].dtype.kind == "u":
        return discrete_task(source, found)
    return real_task(source, found, PREPARED)


def _table(source: Source) -> dict[str, NDArray[Any]]:
    frame = _frame(source)
    if source.kind == "csv" and "header" not in source.options:
        _refuse_nameless(source)
    rows = _numbers(source, frame)
    if len(rows) < FEWEST_ROWS:
        raise ValueError(
            f"Expected at least {FEWEST_ROWS} rows in {source.path}, got {len(rows)}."
        )
    whole = bool((rows == rows.round()).all()) and rows.min() >= 0
    if whole and rows.max() < MOST_LEVELS:
        return split_rows(rows.astype(np.uint8))
    return dict(prepare(rows))


def _frame(source: Source) -> DataFrame:
    try:
        if source.kind == "parquet":
            import pandas as pd

            return pd.read_parquet(source.path)
        if source.kind == "datasets":
            return _saved(source)
        return _csv(source)
    except (OSError, EOFError, ValueError) as error:  # pandas' and Arrow's own are ValueErrors
        raise damaged("a whole table", source.path, error) from error


def _csv(source: Source) -> DataFrame:
    """Columns behind a line of names; between semicolons, numbers may have decimal commas."""
    import pandas as pd

    sep = _separator(source)
    read = partial(pd.read_csv, source.path, sep=sep, skipinitialspace=True, na_values="?")
    header = None if "header" in source.options else "infer"
    frame = read(header=header)
    if sep == ";" and len(_text(frame)) > len(_text(other := read(header=header, decimal=","))):
        return other
    return frame


def _separator(source: Source) -> str:
    with source.path.open("rb") as file:
        head = file.readline(2**16)
    return ";" if b"," not in head and b";" in head else "\t" if b"\t" in head else ","


def _text(frame: DataFrame) -> list[str]:
    """Names of the columns that hold no numbers."""
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    return [
        c for c in frame.columns if not (is_numeric_dtype(frame[c]) or is_bool_dtype(frame[c]))
    ]


def _refuse_nameless(source: Source) -> None:
    """Refuses a first line of numbers, which would be lost as names; a count of columns is one."""
    with source.path.open(newline="", encoding="utf-8-sig") as file:
        line = [cell.strip() for cell in next(csv.reader(file, delimiter=_separator(source)), [])]
    try:
        numbers = [float(cell) for cell in line if cell not in ("", "?")]
    except ValueError:
        return
    counted = [number - numbers[0] for number in numbers] == list(range(len(numbers)))
    if not numbers or (counted and (len(numbers) > 1 or numbers[0] in (0, 1))):
        return
    raise ValueError(
        f"Expected names of columns in the first line of {source.path.name}, got numbers "
        f"({_listed(line)}): write names above it, or read it as a row with ?header=none."
    )


def _saved(source: Source) -> DataFrame:
    """What `datasets.Dataset.save_to_disk` wrote; of several splits, the training one."""
    import datasets

    found = datasets.load_from_disk(str(source.path))
    if isinstance(found, datasets.DatasetDict):
        if "train" not in found:
            raise ValueError(f"Expected a split train, got {', '.join(found)}.")
        found = found["train"]
    return found.to_pandas()


def _numbers(source: Source, frame: DataFrame) -> NDArray[np.float64]:
    """The columns that are used, as numbers; whatever keeps one from that is told by name."""
    frame.columns = [str(name) for name in frame.columns]
    given = source.options
    if frame.empty:
        raise ValueError(f"Expected rows of numbers in {source.path.name}, got none.")
    dropped = [name for name in given.get("drop", "").split(",") if name]
    dropped += [given["target"]] if "target" in given else []
    frame = frame.drop(columns=known("column", dropped, frame.columns))
    text = _text(frame)
    if text and "categorical" not in given:
        raise ValueError(
            f"Expected numbers in {source.path.name}, got something else in {_listed(text)}: "
            f"leave out with ?drop={','.join(text[:3])} or number the values with "
            "?categorical=codes."
        )
    missing = [c for c in frame.columns if frame[c].isna().any()]
    if missing and "missing" not in given:
        counts = [f"{c} ({int(frame[c].isna().sum()):,})" for c in missing]
        raise ValueError(
            f"Expected a value in every cell of {source.path.name}, got missing ones in "
            f"{_listed(counts)}: leave their rows out with ?missing=drop, or the columns with "
            "?drop=."
        )
    if missing:
        before = len(frame)
        frame = frame.dropna()
        tell(f"{before - len(frame):,} of {before:,} rows lack a value and are left out.")
    for column in text:
        try:
            frame = frame.assign(**{column: frame[column].astype("category").cat.codes})
        except TypeError:
            raise ValueError(
                f"Expected one value per cell, got lists in column {column!r} of "
                f"{source.path.name}: leave it out with ?drop={column}."
            ) from None
    rows = frame.to_numpy(np.float64)
    if not np.isfinite(rows).all():
        bad = [c for c, x in zip(frame.columns, rows.T, strict=True) if not np.isfinite(x).all()]
        raise ValueError(f"Expected finite numbers in {source.path.name}, got {_listed(bad)}.")
    if rows.size == 0:
        raise ValueError(f"Expected rows and columns in {source.path.name}, got {rows.shape}.")
    constant = [c for c, x in zip(frame.columns, rows.T, strict=True) if (x == x[0]).all()]
    if constant:
        raise ValueError(
            f"Expected columns that vary in {source.path.name}, got constant {_listed(constant)}: "
            f"leave them out with ?drop={','.join(constant[:3])}."
        )
    return rows


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return ", ".join(names[:8]) + more


def real_task(source: Source, found: Cached, made: str) -> Task:
    """Returns the task of rows of real numbers; `made` says what was made of them."""
    dim = found.arrays["train"].shape[1]
    return outlined(
        source,
        found,
        Domain((dim,)),
        "table",
        {**TABLE, **too_few(len(found.arrays["test"]), dim), **too_wide(dim)},
        f"A row of {dim} numbers",
        f"{made}: the NLL is of those.",
    )


def discrete_task(source: Source, found: Cached) -> Task:
    """Returns the task of rows of levels: bits, or whole numbers from 0."""
    dim = found.arrays["train"].shape[1]
    levels = 1 + max(int(x.max()) for x in found.arrays.values())
    names = "categorical" in source.options and levels > 2
    domain = Domain((dim,), levels, ordered=not names, layout="bits" if levels == 2 else "vector")
    refuses = enumerable(int(domain.num_states)) if domain.is_enumerable else {}
    return outlined(
        source,
        found,
        domain,
        "binary" if levels == 2 else "table",
        {**DISCRETE, **refuses},
        f"A row of {dim} levels 0..{levels - 1}",
        "Every column holds whole numbers from 0, so that they are levels and no numbers.",
        feature_map="one-hot" if levels > 2 else "identity",
    )
