"""Tables in plain text whose last column is running text, readable on narrow terminals."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator

GAP = "  "  # between columns
BESIDE = 28  # characters that running text needs to stand beside other columns


def fits(rows: list[list[str]], width: int) -> bool:
    """Returns whether running text in the last column has room beside the others."""
    return _left(rows, width) >= BESIDE


def aligned(rows: list[list[str]], width: int, *, beside: bool) -> Iterator[str]:
    """Yields the lines of a table whose last column is running text.

    Args:
        rows: A text for each column; the first row has the headings.
        width: Characters of a line.
        beside: Whether the running text stands beside the others, or on lines of its own.
    """
    indent = width - _left(rows, width) if beside else 4
    for row in rows:
        cells = zip(row[:-1], _widths(rows), zip(*rows, strict=True), strict=False)
        head = GAP.join(
            text.rjust(n) if _numeric(column[1:]) else text.ljust(n) for text, n, column in cells
        )
        text = textwrap.wrap(row[-1], width - indent) or [""]
        yield (head + GAP + text.pop(0) if beside else head).rstrip()
        if beside or row is not rows[0]:  # running text below needs no heading
            yield from (" " * indent + line for line in text)


def _widths(rows: list[list[str]]) -> list[int]:
    return [max(map(len, column)) for column in zip(*(row[:-1] for row in rows), strict=True)]


def _left(rows: list[list[str]], width: int) -> int:
    """Returns the characters that the other columns leave to the running text."""
    return width - sum(n + len(GAP) for n in _widths(rows))


def _numeric(texts: Iterable[str]) -> bool:
    return all(text.replace(",", "").isdigit() for text in texts)
