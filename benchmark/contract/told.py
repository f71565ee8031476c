"""What an error says, in one short sentence that any table and file can hold."""

from __future__ import annotations

from .record import MOST, clipped

# What CUDA, torch on the CPU and NumPy say where there is no memory left.
_NO_MEMORY = ("out of memory", "t allocate memory", "unable to allocate")


def told(error: BaseException, most: int = MOST) -> str:
    """Returns the type of an error and the beginning of what it says, on one line.

    Args:
        error: Any error, also one that fails to say what it is.
        most: Characters at most.
    """
    try:
        said = str(error)
    except BaseException:  # a user's class may raise here, too
        said = ""
    kind = type(error).__name__
    return clipped(f"{kind}: {said}" if said else kind, most)


def no_memory(error: BaseException) -> bool:
    """Whether an error says that there is no memory left."""
    return isinstance(error, MemoryError) or any(w in told(error).lower() for w in _NO_MEMORY)
