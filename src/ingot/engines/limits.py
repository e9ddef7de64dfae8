"""What one question may use, and what is said when it wants more."""

from __future__ import annotations

from dataclasses import dataclass

from ingot.errors import QueryError


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds of one question."""

    memory_mb: int
    threads: int
    timeout_s: float
    max_rows: int


def out_of_memory(limits: Limits) -> QueryError:
    """Return the error of a question that needs more memory than it may use."""
    return QueryError(
        f"The question needs more than {limits.memory_mb} MB of memory (setting "
        "query_memory_mb). Ask for less, or raise the setting."
    )


def out_of_time(limits: Limits) -> QueryError:
    """Return the error of a question that takes longer than it may."""
    return QueryError(
        f"The question took longer than {limits.timeout_s:g} s (setting query_timeout_s). "
        "Ask for less, or raise the setting."
    )


def too_many_rows(limits: Limits) -> QueryError:
    """Return the error of an answer with more rows than it may have."""
    return QueryError(
        f"The answer has more than {limits.max_rows:,} rows (setting query_max_rows). "
        "Add a LIMIT or a WHERE, or raise the setting."
    )
