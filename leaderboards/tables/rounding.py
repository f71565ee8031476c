"""Numbers as they are printed: as many digits as the error bar justifies, and no more."""

from __future__ import annotations

import math
from typing import NamedTuple

_PREFIXES = {-3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T"}
_MOST_DECIMALS = 6


class Rounded(NamedTuple):
    """A printed number.

    Attributes:
        value: Digits of the value.
        error: Digits of the standard error; empty where none is known.
        exponent: Power of ten that multiplies both.
        suffix: SI prefix and unit, or empty.
    """

    value: str
    error: str = ""
    exponent: int = 0
    suffix: str = ""

    @property
    def text(self) -> str:
        """The number on one line, such as "0.123 ± 0.045" or "(1.2 ± 0.3)e-8"."""
        both = f"{self.value} ± {self.error}" if self.error else self.value
        if self.exponent:
            both = f"({both})e{self.exponent}" if self.error else f"{both}e{self.exponent}"
        return f"{both} {self.suffix}" if self.suffix else both


def rounded(value: float, stderr: float | None) -> Rounded:
    """Rounds a value to the place of the second significant digit of its standard error.

    Args:
        value: The number; infinite is allowed.
        stderr: Its standard error; None, NaN or infinite where none is known. An unknown or zero
            error leaves four significant digits.

    Raises:
        ValueError: The value is NaN or the standard error negative.
    """
    if math.isnan(value) or (stderr is not None and stderr < 0):
        raise ValueError(f"Expected a number and a standard error >= 0, got {value}, {stderr}.")
    if math.isinf(value):
        return Rounded("∞" if value > 0 else "-∞")
    if stderr is None or not math.isfinite(stderr):
        return _plain(value, "")
    if stderr == 0:
        return _plain(value, "0")
    size = _exponent(max(abs(value), stderr))
    if size >= 6 or (size < -3 and 1 - _exponent(stderr) > _MOST_DECIMALS):
        scale = 10.0**size
        return rounded(value / scale, stderr / scale)._replace(exponent=size)
    return _fixed(value, stderr)


def fixed(value: float, stderr: float | None, decimals: int) -> Rounded:
    """Rounds a value and its error to a number of digits behind the point.

    Args:
        value: The number; infinite is allowed.
        stderr: Its standard error; None or NaN where none is known.
        decimals: Digits, 0 or more.
    """
    if math.isinf(value):
        return rounded(value, None)
    known = stderr is not None and math.isfinite(stderr)
    return Rounded(_digits(value, decimals), _digits(stderr or 0.0, decimals) if known else "")


def _fixed(value: float, stderr: float) -> Rounded:
    decimals = 1 - _exponent(stderr)
    if decimals > _MOST_DECIMALS:  # an error below what a table can show
        return Rounded(_digits(value, _MOST_DECIMALS), f"{stderr:.1e}".replace("e-0", "e-"))
    return Rounded(_digits(value, decimals), _digits(stderr, decimals))


def _exponent(x: float) -> int:
    """The power of ten of x > 0 once it is rounded to two digits: 0.0996 is 0.10."""
    return int(f"{x:.1e}".split("e")[1])


def _digits(x: float, decimals: int) -> str:
    text = f"{round(x, decimals):.{max(decimals, 0)}f}"
    return text.lstrip("-") if not text.strip("-0.") else text


def _plain(value: float, error: str) -> Rounded:
    if value == round(value) and abs(value) < 1e6:
        return Rounded(str(round(value)), error)
    mantissa, _, exponent = f"{value:.4g}".partition("e")
    return Rounded(mantissa, error, int(exponent or 0))


def with_prefix(value: float, stderr: float | None, unit: str) -> Rounded:
    """Rounds a cost and writes it with an SI prefix: 12345678 bytes are 12.3 MB.

    Args:
        value: The cost, in `unit`.
        stderr: Its standard error, or None; then three significant digits are left.
        unit: Unit symbol behind the prefix; may be empty.
    """
    if not math.isfinite(value) or value == 0:
        return rounded(value, stderr)._replace(suffix=unit)
    size = int(f"{value:.2e}".split("e")[1])  # once rounded: 999.6 k is 1.00 M
    power = min(max(3 * (size // 3), -3 if unit == "s" else 0), 12)
    scaled = value / 10**power
    if stderr:
        number = rounded(scaled, stderr / 10**power)
    else:
        number = Rounded(_three(scaled, whole=power == 0 and value == round(value)))
    return number._replace(suffix=f"{_PREFIXES[power]}{unit}")


def _three(x: float, whole: bool) -> str:
    """Three significant digits, or all of a whole number: 1.50, 12.3, 999."""
    decimals = 0 if whole else max(2 - int(f"{x:.2e}".split("e")[1]), 0)
    return f"{x:.{decimals}f}"
