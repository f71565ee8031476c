"""Names that users type, and the nearest known one where they mistype."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches


def snake(name: str) -> str:
    """Returns the name of a function for that of a class: "MyMetric" is "my_metric"."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def known(what: str, given: Iterable[str], names: Iterable[str]) -> list[str]:
    """Returns the given names if each is known.

    Args:
        what: What the names are of ("task", "model", ...), for the message.
        given: What the user typed.
        names: What there is.

    Raises:
        ValueError: A name is not known; the nearest known one is told.
    """
    names, given = list(names), list(given)
    for name in given:
        if name not in names:
            near = get_close_matches(name, names, n=1, cutoff=0.4)
            hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(names)}."
            raise ValueError(f"Expected a known {what}, got {name}; {hint}")
    return given
