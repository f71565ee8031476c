"""Silence for libraries that log an error which they also raise."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def critical_logs_only(*libraries: str) -> Iterator[None]:
    """Lets nothing but critical messages of these libraries through; restores them after.

    Args:
        libraries: Names of their loggers.
    """
    loggers = [logging.getLogger(name) for name in libraries]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
