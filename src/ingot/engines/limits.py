"""What one query may use, and the errors of a query that needs more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ingot.errors import QueryError

if TYPE_CHECKING:
    import pyarrow as pa

_MIB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds of one query."""

    memory_mb: int
    threads: int
    timeout_s: float
    max_rows: int
    max_answer_mb: int = 2048


class Size:
    """Rows and bytes of one answer so far."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._rows = self._bytes = 0

    def add(self, rows: pa.RecordBatch | pa.Table) -> None:
        """Count more rows of the answer.

        Raises:
            QueryError: There are more of them, or more bytes, than an answer may have.
        """
        self._rows += rows.num_rows
        self._bytes += rows.nbytes
        if self._rows > self._limits.max_rows:
            raise too_many_rows(self._limits)
        if self._bytes > self._limits.max_answer_mb * _MIB:
            raise too_many_bytes(self._limits)


def out_of_memory(limits: Limits) -> QueryError:
    """Return the error of a query that needs more memory than it may use."""
    return QueryError(
        f"The query needs more than {limits.memory_mb} MB of memory (setting "
        "query_memory_mb). Ask for less, or raise the setting."
    )


def out_of_time(limits: Limits) -> QueryError:
    """Return the error of a query that takes longer than it may."""
    return QueryError(
        f"The query took longer than {limits.timeout_s:g} s (setting query_timeout_s). "
        "Ask for less, or raise the setting."
    )


def too_many_rows(limits: Limits) -> QueryError:
    """Return the error of an answer with more rows than it may have."""
    return QueryError(
        f"The answer has more than {limits.max_rows:,} rows (setting query_max_rows). "
        "Add a LIMIT or a WHERE, or raise the setting."
    )


def too_many_bytes(limits: Limits) -> QueryError:
    """Return the error of an answer with more bytes than it may have."""
    return QueryError(
        f"The answer has more than {limits.max_answer_mb:,} MB (setting query_max_answer_mb). "
        "Select fewer columns or rows, or raise the setting."
    )
