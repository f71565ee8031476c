"""Tables, arrays and texts of one's own: csv:, parquet:, datasets:, npz: and text: addresses.

What a table is, is decided by rules that are told when it is read:

- a column is dropped where the address says so (`?drop=a,b`, `?target=y`); a constant column, one
  that holds text and one with missing values are refused by name with the remedy;
- where every column holds whole numbers 0..31, rows are levels (bits where they are 0 and 1);
  else all are numbers, prepared as the other tables are (`small.prepare`);
- a fixed permutation is cut into 60 % train, 10 % val, 15 % test and 15 % holdout.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import numpy as np
from numpy.typing import NDArray

from ...contract.files import tell
from ...contract.task import Card, Domain, Task
from ...names import known
from ..discrete.sequences import LENGTH, windows
from ..outline import Loaded, Outline
from ..readers.array_cache import Cached, cached
from ..readers.data_root import damaged
from ..readers.npz import read_npz
from ..refusals import DISCRETE, IMAGES, TABLE, enumerable, too_few, too_wide
from ..split import cut, tensors
from .small import prepare, sizes

if TYPE_CHECKING:
    from pandas import DataFrame

OPTIONS = {
    "csv": ("target", "drop", "missing", "categorical"),
    "parquet": ("target", "drop", "missing", "categorical"),
    "datasets": ("target", "drop", "missing", "categorical"),
    "npz": (),
    "text": (),
}
MOST_LEVELS = 32  # of a column that counts as levels
FEWEST_ROWS = 40  # of a table: test holds six of them


@dataclass(frozen=True)
class Source:
    """An address in its parts.

    Attributes:
        address: The whole.
        kind: "csv", "parquet", "datasets", "npz" or "text".
        path: The file or folder.
        options: What stands behind the question mark.
    """

    address: str
    kind: str
    path: Path
    options: Mapping[str, str]

    @classmethod
    def of(cls, address: str) -> Source:
        """Takes an address apart.

        Raises:
            ValueError: No path, a path that is not there, or an unknown option.
        """
        kind, _, rest = address.partition(":")
        where, _, asked = rest.partition("?")
        options = dict(parse_qsl(asked, keep_blank_values=True))
        if not where:
            raise ValueError(f"Expected {kind}:path, got no path.")
        if options or asked:
            known(f"option of {kind}:", options or [asked], OPTIONS[kind] or ("none",))
        for name, words in (("missing", ("drop",)), ("categorical", ("codes",))):
            if options.get(name, words[0]) not in words:
                raise ValueError(f"Expected {name}={words[0]}, got {name}={options[name]}.")
        path = Path(where).expanduser()
        if not path.exists():
            raise ValueError(f"Expected a file or folder at {path}, got none.")
        return cls(address, kind, path, options)

    @property
    def files(self) -> list[Path]:
        """The files that it consists of."""
        if self.path.is_dir():
            return sorted(p for p in self.path.rglob("*") if p.is_file())
        return [self.path]

    @property
    def cache_name(self) -> str:
        """A file name for what is read from it."""
        digest = hashlib.sha256(self.address.encode()).hexdigest()[:8]
        stem = "".join(c if c.isalnum() or c in "-_." else "-" for c in self.path.name)[:60]
        return f"{self.kind}-{stem}-{digest}"


def table_at(address: str) -> Task:
    """Returns the task `csv:path`, `parquet:path` or `datasets:folder`, as the module says.

    Raises:
        ValueError: The file is damaged, or a column is refused: which, and what to do.
    """
    source = Source.of(address)
    found = cached(source.cache_name, source.files, lambda: _table(source))
    return _discrete(source, found) if found.arrays["train"].dtype.kind == "u" else _real(
        source, found
    )  # fmt: skip


def _table(source: Source) -> dict[str, NDArray[Any]]:
    rows = _numbers(source, _frame(source))
    if len(rows) < FEWEST_ROWS:
        raise ValueError(
            f"Expected at least {FEWEST_ROWS} rows in {source.path}, got {len(rows)}."
        )
    whole = bool((rows == rows.round()).all()) and rows.min() >= 0
    if whole and rows.max() < MOST_LEVELS:
        return _split(rows.astype(np.uint8))
    return dict(prepare(rows))


def _split(rows: NDArray[Any]) -> dict[str, NDArray[Any]]:
    counts = sizes(len(rows))
    return {k: rows[i] for k, i in zip(counts, cut(len(rows), list(counts.values())), strict=True)}


def _frame(source: Source) -> DataFrame:
    import pandas as pd

    try:
        if source.kind == "parquet":
            return pd.read_parquet(source.path)
        if source.kind == "datasets":
            return _saved(source)
        with source.path.open("rb") as file:
            head = file.readline(2**16)
        sep = ";" if b"," not in head and b";" in head else "\t" if b"\t" in head else ","
        return pd.read_csv(source.path, sep=sep, skipinitialspace=True, na_values="?")
    except (OSError, EOFError, ValueError) as error:  # pandas' and Arrow's own are ValueErrors
        raise damaged("a whole table", source.path, error) from error


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
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    frame.columns = [str(name) for name in frame.columns]
    given = source.options
    dropped = [name for name in given.get("drop", "").split(",") if name]
    dropped += [given["target"]] if "target" in given else []
    frame = frame.drop(columns=known("column", dropped, frame.columns))
    text = [
        c for c in frame.columns if not (is_numeric_dtype(frame[c]) or is_bool_dtype(frame[c]))
    ]
    if text and "categorical" not in given:
        raise ValueError(
            f"Expected numbers in {source.path.name}, got text in {_listed(text)}: leave them out "
            f"with ?drop={','.join(text[:3])} or number their values with ?categorical=codes."
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


def _real(source: Source, found: Cached) -> Task:
    dim = found.arrays["train"].shape[1]
    return _outlined(
        source,
        found,
        Domain((dim,)),
        "table",
        {**TABLE, **too_few(len(found.arrays["test"]), dim), **too_wide(dim)},
        f"A row of {dim} numbers",
        "Copies of earlier rows are left out; columns are dequantised by their resolution and "
        "standardised: the NLL is of those.",
    )


def _discrete(source: Source, found: Cached) -> Task:
    dim = found.arrays["train"].shape[1]
    levels = 1 + max(int(x.max()) for x in found.arrays.values())
    names = "categorical" in source.options and levels > 2
    domain = Domain((dim,), levels, ordered=not names, layout="bits" if levels == 2 else "vector")
    refuses = enumerable(int(domain.num_states)) if domain.is_enumerable else {}
    return _outlined(
        source,
        found,
        domain,
        "binary" if levels == 2 else "table",
        {**DISCRETE, **refuses},
        f"A row of {dim} levels 0..{levels - 1}",
        "Every column holds whole numbers from 0, so that they are levels and no numbers.",
        feature_map="one-hot" if levels > 2 else "identity",
    )


def arrays_at(address: str) -> Task:
    """Returns the task `npz:path`: one array, or arrays called train, test and perhaps val.

    Shape `(N, D)` is a vector, `(N, H, W)` and `(N, C, H, W)` an image. Whole numbers up to 255
    are levels; other numbers of vectors are standardised by the training rows.

    Raises:
        ValueError: The file is damaged, or holds other arrays.
    """
    source = Source.of(address)
    found = cached(source.cache_name, source.files, lambda: _arrays(source))
    train = found.arrays["train"]
    if train.dtype.kind == "f":
        return _real(source, found)
    if train.ndim == 2:
        return _discrete(source, found)
    levels = 2 if max(int(x.max()) for x in found.arrays.values()) < 2 else 256
    domain, rows = Domain(train.shape[1:], levels), len(found.arrays["test"])
    return _outlined(
        source,
        found,
        domain,
        "image",
        {**IMAGES, **too_wide(domain.dim), **too_few(rows, domain.dim)},
        f"An image of shape {'x'.join(map(str, domain.shape))}",
        "Distances are between raw pixels.",
        feature_map="pixels",
    )


def _arrays(source: Source) -> dict[str, NDArray[Any]]:
    given = read_npz(source.path)
    names = ", ".join(given) or "none"
    if len(given) == 1:
        (rows,) = given.values()
        parts = _split(rows) if rows.ndim > 1 else {"train": rows}
    elif {"train", "test"} <= set(given) <= {"train", "val", "test", "holdout"}:
        parts = dict(given)
        if "val" not in parts:
            tell("There is no array val: a tenth of train is.")
            train, tenth = parts["train"], len(parts["train"]) // 10
            chosen = cut(len(train), [len(train) - tenth, tenth])
            parts |= {"train": train[chosen[0]], "val": train[chosen[1]]}
    else:
        raise ValueError(
            f"Expected one array, or train, val and test, in {source.path}, got {names}."
        )
    return _typed(source, parts)


def _typed(source: Source, parts: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    shapes = {x.shape[1:] for x in parts.values()}
    kinds = {x.dtype.kind for x in parts.values()}
    ndim = parts["train"].ndim
    if len(shapes) > 1 or ndim not in (2, 3, 4) or not kinds <= set("fiub"):
        told = ", ".join(f"{k} {x.dtype} {x.shape}" for k, x in parts.items())
        raise ValueError(f"Expected numbers (N, D), (N, H, W) or (N, C, H, W), got {told}.")
    if min(map(len, parts.values())) < 1 or parts["train"].size == 0:
        raise ValueError(f"Expected rows in every split of {source.path}, got none in one.")
    low = min(float(x.min()) for x in parts.values())
    high = max(float(x.max()) for x in parts.values())
    if not np.isfinite([low, high]).all():
        raise ValueError(f"Expected finite numbers in {source.path}, got {low:g}..{high:g}.")
    whole = all(bool((x == np.round(x)).all()) for x in parts.values())
    most = MOST_LEVELS if ndim == 2 else 256
    if whole and low >= 0 and high < most:
        parts = {k: x.astype(np.uint8) for k, x in parts.items()}
        return {k: x[:, None] if ndim == 3 else x for k, x in parts.items()}
    if ndim > 2:
        raise ValueError(
            f"Expected images of whole numbers 0..255 in {source.path}, got {low:g}..{high:g}"
            f"{'' if whole else ' with fractions'}."
        )
    mean, std = parts["train"].mean(0), parts["train"].std(0)
    if not std.all():
        raise ValueError(f"Expected columns that vary, got a constant column {np.argmin(std)}.")
    return {k: ((x - mean) / std).astype(np.float32) for k, x in parts.items()}


def text_at(address: str) -> Task:
    """Returns the task `text:path`: windows of 64 characters, the text cut 80/5/5/10 in its order.

    Raises:
        ValueError: No UTF-8, fewer than 100 windows, or more than 256 characters in its alphabet.
    """
    source = Source.of(address)
    found = cached(source.cache_name, source.files, lambda: _characters(source))
    levels = 1 + max(int(x.max()) for x in found.arrays.values())
    return _outlined(
        source,
        found,
        Domain((LENGTH,), levels, ordered=False, layout="sequence"),
        "sequence",
        DISCRETE,
        f"{LENGTH} characters, an alphabet of {levels}",
        "The last tenth of the text is the test. Windows start anywhere in a word.",
        feature_map="one-hot",
    )


def _characters(source: Source) -> dict[str, NDArray[Any]]:
    try:
        text = source.path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise damaged("a text in UTF-8", source.path, error) from error
    codes = np.frombuffer(text.encode("utf-32-le"), np.uint32)
    alphabet, symbols = np.unique(codes, return_inverse=True)
    if len(alphabet) > 256:
        raise ValueError(
            f"Expected a text of at most 256 different characters, got {len(alphabet):,} in "
            f"{source.path}: write it with fewer (lower case, no accents)."
        )
    if len(symbols) < 100 * LENGTH or len(alphabet) < 2:
        raise ValueError(
            f"Expected a text of at least {100 * LENGTH:,} characters, got {len(symbols):,}."
        )
    ends = [len(symbols) * percent // 100 for percent in (80, 85, 90)]
    parts = zip(("train", "val", "holdout", "test"), np.split(symbols, ends), strict=True)
    return {split: windows(part).astype(np.uint8) for split, part in parts}


def _outlined(
    source: Source,
    found: Cached,
    domain: Domain,
    kind: str,
    refuses: Mapping[str, str],
    summary: str,
    pitfalls: str,
    feature_map: str = "identity",
) -> Task:
    counts = {split: len(x) for split, x in found.arrays.items()}
    name = source.path.name
    card = Card(
        summary=f"{summary}, from {name}.",
        source=f"the {'folder' if source.path.is_dir() else 'file'} {name}",
        licence="see its source",
        pitfalls=f"The split is ours. {pitfalls}",
    )
    task = Task(
        name=source.address, version=1, domain=domain, kind=kind, primary="mmd",
        refuses=dict(refuses), card=card, feature_map=feature_map,
    )  # fmt: skip
    return Outline(task, counts, lambda: Loaded(tensors(found.arrays), found.checksum)).load()


READERS: dict[str, Callable[[str], Task]] = {
    "csv": table_at,
    "parquet": table_at,
    "datasets": table_at,
    "npz": arrays_at,
    "text": text_at,
}
