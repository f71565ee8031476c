"""Tables of real numbers: four that scikit-learn carries, four from the data root.

One preparation for all, so that a density exists and rows are not given away:

1. rows with a missing value and exact copies of an earlier row are dropped;
2. each column gets uniform noise as wide as its resolution, the smallest difference of two of its
   values (columns are rounded when measured; on rounded values a density can be made as high as
   one likes, Uria et al. 2013, arXiv:1306.0186, section 4);
3. a fixed permutation is cut into train (60 %), val (10 %), test (15 %) and holdout (15 %);
4. columns are standardised by the mean and standard deviation of train.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...contract.task import Card, Domain, Task
from ..outline import Loaded, Outline
from ..readers.data_root import damaged, sha256, verify
from ..refusals import TABLE
from ..split import cut, tensors

if TYPE_CHECKING:
    from pandas import DataFrame

ABALONE = "length diameter height whole shucked viscera shell rings".split()
WINE_QUALITY = (
    "fixed_acidity volatile_acidity citric_acid residual_sugar chlorides free_sulfur_dioxide "
    "total_sulfur_dioxide density ph sulphates alcohol quality"
).split()
ADULT = (
    "age workclass fnlwgt education education_num marital occupation relationship race sex "
    "capital_gain capital_loss hours_per_week country income"
).split()
HOUSING = (
    "longitude latitude housing_median_age total_rooms total_bedrooms population households "
    "median_income median_house_value"
).split()

# Files under tabular/, names of all columns (None: in the header), the columns that are used.
FILES: dict[str, tuple[list[str], list[str] | None, list[str]]] = {
    "abalone": (["abalone"], ["sex", *ABALONE], ABALONE),
    "california-housing": (["california_housing"], None, HOUSING),
    "wine-quality": (["winequality_red", "winequality_white"], WINE_QUALITY, WINE_QUALITY),
    "adult": (
        ["adult_train", "adult_test"],
        ADULT,
        ["age", "fnlwgt", "education_num", "capital_gain", "capital_loss", "hours_per_week"],
    ),
}

# Columns of those that scikit-learn carries.
EMBEDDED = {"wine": 13, "breast-cancer": 30, "diabetes": 10, "iris": 4}

# Rows that are neither copies nor lack a value.
ROWS = {
    "wine": 178,
    "breast-cancer": 569,
    "diabetes": 442,
    "iris": 149,
    "abalone": 4_177,
    "california-housing": 20_433,
    "wine-quality": 5_318,
    "adult": 48_361,
}

# Of the numbers as they were read, before any preparation.
SHA256 = {
    "wine": "8edcf3903afd97c64d51e0212eb10b213f7943da650574d1c055b836c5c35d37",
    "breast-cancer": "6b202a2072f9a0385f405a8f8605b1b06f6f36ae6d23d9cd6cbbc0974a416bc7",
    "diabetes": "3108d770fbdb92eb6386b2f489879a126bc8c379a2d9f8bbd931ca876b9e2320",
    "iris": "012f498fe9c8b3b34212c3c5d98e1f03f2f79931cd49349beb1bad64dcf164a7",
    "abalone": "35ae826d2c93c66ac2d1de8b4305d564ca9e70cc7d0fed2adb494a02d8c38edf",
    "california-housing": "c98f356b6346af2081bd03d517119b32523f739b71d69531b5f54046202444a6",
    "wine-quality": "0b4bf3a31905d3ea1c58bd119bf27d454fc69ec98237f88a5992868a988ead11",
    "adult": "013411d757368ec153af735f653a7f5a2ba01b4e5af1485ec42d393bb1272e5e",
}

UCI = "UCI Machine Learning Repository, CC BY 4.0"
CITATIONS = {
    "wine": "Aeberhard & Forina 1991, doi:10.24432/C5PC7J",
    "breast-cancer": "Wolberg et al. 1995, doi:10.24432/C5DW2B",
    "diabetes": "Efron et al. 2004, Least Angle Regression",
    "iris": "Fisher 1936, doi:10.24432/C56C76",
    "abalone": "Nash et al. 1994, doi:10.24432/C55C7W",
    "california-housing": "Pace & Barry 1997; the variant of A. Geron",
    "wine-quality": "Cortez et al. 2009, doi:10.24432/C56S3T",
    "adult": "Becker & Kohavi 1996, doi:10.24432/C5XW20",
}
ABOUT = {
    "wine": " from the chemistry of an Italian wine",
    "breast-cancer": " from the cell nuclei in a breast biopsy",
    "diabetes": " from the health record of a diabetic",
    "iris": ", sepals and petals of an iris flower",
    "abalone": ", size and weight of a sea snail",
    "california-housing": " from a district of California in the census of 1990",
    "wine-quality": " from the chemistry and the taste of a Portuguese wine",
    "adult": " from a person's answers in the US census of 1994",
}
EXTRA = {
    "adult": " Nine rows of ten have neither capital gain nor loss: two spikes decide the NLL.",
    "california-housing": " Incomes and prices are cut off at a maximum: spikes there.",
    "diabetes": " Columns come centred and scaled by scikit-learn.",
}


def read_csv(path: Path, names: list[str] | None) -> DataFrame:
    """Returns a table, gzipped or not; `?` and empty cells are missing values.

    Args:
        path: The file.
        names: Names of all columns, or None where the first line has them.

    Raises:
        ValueError: The file is damaged.
    """
    import pandas as pd  # slow to import, and other tasks do without

    try:
        return pd.read_csv(path, names=names, skipinitialspace=True, na_values="?")
    except (OSError, EOFError, zlib.error, ValueError) as error:  # pandas' own are ValueErrors
        raise damaged("a whole table", path, error) from error


def choose(frame: DataFrame, columns: Sequence[str], where: str) -> NDArray[np.float64]:
    """Returns the columns of that name as numbers, shape `(N, D)`.

    Raises:
        ValueError: There is no such column, or it holds something else than numbers.
    """
    from pandas.api.types import is_numeric_dtype

    for column in columns:
        if column not in frame.columns:
            known = ", ".join(map(str, frame.columns))
            raise ValueError(f"Expected a column of {where} among {known}, got {column!r}.")
        if not is_numeric_dtype(frame[column]):
            raise ValueError(f"Expected numbers in column {column!r} of {where}, got text.")
    return frame[list(columns)].to_numpy(np.float64)


def embedded(name: str) -> NDArray[np.float64]:
    """Returns a table that scikit-learn carries."""
    from sklearn import datasets  # slow to import, and other tasks do without

    loaders = {
        "wine": datasets.load_wine,
        "breast-cancer": datasets.load_breast_cancer,
        "diabetes": datasets.load_diabetes,
        "iris": datasets.load_iris,
    }
    return np.asarray(loaders[name]().data, np.float64)


def from_root(
    name: str, paths: Sequence[Path], columns: Sequence[str] | None = None
) -> NDArray[np.float64]:
    """Returns a table of the data root.

    Args:
        name: One of `FILES`.
        paths: Its files.
        columns: The columns wanted; None takes those of the task.
    """
    import pandas as pd

    _, names, own = FILES[name]
    frame = pd.concat([read_csv(path, names) for path in paths], ignore_index=True)
    return choose(frame, own if columns is None else columns, name)


def resolution(column: NDArray[np.float64]) -> float:
    """Returns the smallest difference of two values of a column, 0 where all are equal.

    Differences below 1e-9 of the range are rounding errors of decimal numbers, not a resolution.
    """
    values = np.unique(column)
    steps = np.diff(values)
    steps = steps[steps > 1e-9 * (values[-1] - values[0])]
    return float(steps.min()) if len(steps) else 0.0


def sizes(n: int) -> dict[str, int]:
    """Returns the rows of each split of n rows."""
    val, test = n // 10, 15 * n // 100
    return {"train": n - val - 2 * test, "val": val, "test": test, "holdout": test}


def prepare(rows: NDArray[np.float64]) -> dict[str, NDArray[np.float32]]:
    """Returns the splits of a table, prepared as the module says, float32 `(N, D)` each."""
    rows = rows[np.isfinite(rows).all(1)]
    _, first = np.unique(rows, axis=0, return_index=True)
    rows = rows[np.sort(first)]
    widths = np.array([resolution(column) for column in rows.T])
    rows = rows + widths * np.random.RandomState(1).random_sample(rows.shape)
    counts = sizes(len(rows))
    parts = [rows[part] for part in cut(len(rows), list(counts.values()))]
    mean, std = parts[0].mean(0), parts[0].std(0)
    if not std.all():
        raise ValueError(f"Expected columns that vary, got a constant column {np.argmin(std)}.")
    return {k: ((x - mean) / std).astype(np.float32) for k, x in zip(counts, parts, strict=True)}


def table(name: str, columns: Sequence[str] | None = None) -> Outline:
    """Returns a table as a task.

    Args:
        name: One of `ROWS`.
        columns: For the tables of `FILES`, the columns wanted; None takes those of the task. With
            other columns other rows are copies, so the sizes are not known beforehand.
    """
    own = FILES[name][2] if name in FILES else [""] * EMBEDDED[name]
    dim = len(own if columns is None else columns)

    def read(*paths: Path) -> Loaded:
        raw = from_root(name, paths, columns) if name in FILES else embedded(name)
        checksum = verify(name, SHA256.get(name) if columns is None else None, sha256(raw))
        return Loaded(tensors(prepare(raw)), checksum)

    task = Task(
        name=name,
        version=1,
        domain=Domain((dim,)),
        kind="table",
        primary="mmd",
        refuses=TABLE,
        card=card(name, dim),
    )
    files = tuple(f"tabular/{file}.csv.gz" for file in FILES[name][0]) if name in FILES else ()
    return Outline(task, sizes(ROWS[name]) if columns is None else None, read, files)


def card(name: str, dim: int) -> Card:
    """Returns the card of a table of `dim` columns."""
    return Card(
        summary=f"A row of {dim} numbers{ABOUT[name]}.",
        source="carried by scikit-learn" if name not in FILES else UCI,
        licence="CC BY 4.0" if name not in ("diabetes", "california-housing") else "none stated",
        citation=CITATIONS[name],
        pitfalls="Rows with missing values and copies of earlier rows are dropped. The NLL is of "
        "dequantised, standardised columns and compares with no published one."
        + EXTRA.get(name, ""),
    )
