"""Tasks by address: tables, arrays and texts of the user's own."""

from __future__ import annotations

from collections.abc import Callable

from ...contract.task import Task
from .arrays import arrays_at
from .tables import table_at
from .texts import text_at

READERS: dict[str, Callable[[str], Task]] = {
    "csv": table_at,
    "parquet": table_at,
    "datasets": table_at,
    "npz": arrays_at,
    "text": text_at,
}
