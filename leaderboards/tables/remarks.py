"""What is said of several seeds in one sentence."""

from __future__ import annotations

import re
from collections.abc import Iterable

_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")


def ranged(texts: Iterable[str]) -> list[str]:
    """Returns texts without repeats; those that differ in their first number alone become one.

    Args:
        texts: Remarks of seeds, as "2.0 core-minutes" and "1.7 core-minutes", which become
            "1.7 to 2.0 core-minutes".
    """
    found: dict[tuple[str, str], dict[str, float]] = {}
    for text in texts:
        number = _NUMBER.search(text)
        if number is None:
            found[text, ""] = {}
            continue
        digits = number.group().rstrip(",")
        around = (text[: number.start()], text[number.start() + len(digits) :])
        found.setdefault(around, {})[digits] = float(digits.replace(",", ""))
    return [before + _range(numbers) + after for (before, after), numbers in found.items()]


def _range(numbers: dict[str, float]) -> str:
    if not numbers:
        return ""
    least, most = min(numbers, key=numbers.__getitem__), max(numbers, key=numbers.__getitem__)
    return least if numbers[least] == numbers[most] else f"{least} to {most}"
