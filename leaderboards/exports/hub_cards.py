"""Model cards as the Hugging Face hub reads them: `model-index` metadata above the card's text.

Every number is a mean over seeds, with its standard error, its seeds and its protocol beside it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from ...benchmark.contract.model_card import card
from ...benchmark.contract.record import Record
from ..tables.board import Board
from ..tables.columns import Column
from ..tables.entry import Entry

GENERATION = "unconditional-image-generation"  # the hub's name of a task on images
OTHER = "other"


def hub_cards(boards: Mapping[str, Board], images: frozenset[str] = frozenset()) -> dict[str, str]:
    """Returns the card of every model that is no control, by its name.

    Args:
        boards: The tables of each task.
        images: Names of the tasks whose points are images.
    """
    records: dict[str, list[Record]] = {}
    for board in boards.values():
        for record in board.records:
            if record.status == "ok" and record.family != "control":
                records.setdefault(record.model, []).append(record)
    return {
        model: f"---\n{_metadata(model, found[0], boards, images)}---\n\n{card(found)}"
        for model, found in records.items()
    }


def _metadata(
    model: str, record: Record, boards: Mapping[str, Board], images: frozenset[str]
) -> str:
    from huggingface_hub import EvalResult, ModelCardData  # it takes a while

    results = [
        EvalResult(
            task_type=GENERATION if task in images else OTHER,
            dataset_type=task,
            dataset_name=task,
            metric_type=column.metric,
            metric_name=column.label,
            metric_value=entry.value,
            metric_args=_arguments(column, entry),
        )
        for task, board in boards.items()
        for row in board.models
        if row.model == model
        for column, entry in row.cells.items()
        if entry.value is not None and math.isfinite(entry.value)
    ]
    tags = ["dgmbench", "generative-model", record.family]
    return str(ModelCardData(model_name=model, tags=tags, eval_results=results).to_yaml()) + "\n"


def _arguments(column: Column, entry: Entry) -> dict[str, float | int | str]:
    found: dict[str, float | int | str] = {"seeds": entry.seeds}
    if entry.stderr is not None and math.isfinite(entry.stderr):
        found["stderr"] = entry.stderr
    told = {"unit": column.unit, "mark": entry.mark, "protocol": column.protocol}
    return found | {name: text for name, text in told.items() if text}


def image_tasks(shapes: Mapping[str, Sequence[int]]) -> frozenset[str]:
    """Returns the names of tasks whose points are laid out as `(C, H, W)`, by their shapes."""
    return frozenset(task for task, shape in shapes.items() if len(shape) == 3)
