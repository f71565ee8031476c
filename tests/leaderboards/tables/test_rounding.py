from __future__ import annotations

import math

import pytest
from dgmbench.leaderboards.tables.rounding import rounded, with_prefix


@pytest.mark.parametrize(
    ("value", "stderr", "text"),
    [
        (0.123456, 0.0123, "0.123 ± 0.012"),
        (0.123456, 0.0996, "0.12 ± 0.10"),  # the error gains a digit when it is rounded
        (0.123456, 0.0994, "0.123 ± 0.099"),
        (1.0, 0.5, "1.00 ± 0.50"),
        (15321.0, 1234.0, "15300 ± 1200"),
        (15351.0, 99.6, "15350 ± 100"),
        (-0.00001, 0.012, "0.000 ± 0.012"),  # never minus zero
        (-0.25, 0.012, "-0.250 ± 0.012"),
        (1.234e-8, 2.5e-9, "(1.23 ± 0.25)e-8"),
        (1234567.0, 30000.0, "(1.235 ± 0.030)e6"),
        (0.000017, 0.000050, "0.000017 ± 0.000050"),
        (2.3456789, 1e-9, "2.345679 ± 1.0e-9"),
        (8.0, 0.0, "8 ± 0"),
        (0.0, 0.0, "0 ± 0"),
        (0.123456, None, "0.1235"),
        (0.123456, math.nan, "0.1235"),
        (1.5e-9, None, "1.5e-9"),
        (math.inf, 1.0, "∞"),
        (-math.inf, None, "-∞"),
    ],
)
def test_digits_follow_the_error_bar(value, stderr, text):
    assert rounded(value, stderr).text == text


@pytest.mark.parametrize(("value", "stderr"), [(math.nan, 1.0), (1.0, -0.1)])
def test_what_is_no_number_is_refused(value, stderr):
    with pytest.raises(ValueError, match="Expected a number"):
        rounded(value, stderr)


@pytest.mark.parametrize(
    ("value", "stderr", "unit", "text"),
    [
        (12_345_678.0, None, "B", "12.3 MB"),
        (999.0, None, "", "999"),
        (6.0, None, "", "6"),
        (1_500_000.0, None, "", "1.50 M"),
        (999_999.0, None, "", "1.00 M"),
        (0.0123, None, "s", "12.3 ms"),
        (0.5, None, "", "0.500"),
        (5.0, 0.25, "s", "5.00 ± 0.25 s"),
        (42_540.0, 320.0, "", "42.54 ± 0.32 k"),
        (0.0, None, "B", "0 B"),
    ],
)
def test_costs_carry_si_prefixes(value, stderr, unit, text):
    assert with_prefix(value, stderr, unit).text == text
