"""Where a dataset's versions are refined to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import date


def _same_date(file_date: date) -> tuple[date, ...]:
    return (file_date,)


@dataclass(frozen=True, slots=True)
class Refinement:
    """Where a dataset's versions are refined to, which decides whether they are settled."""

    source: str
    dataset: str
    table: str | None
    """The silver table; None for a dataset whose bronze is the end."""
    trade_dates: Callable[[date], Iterable[date]] = _same_date
    """The dates of `table` that a file of this date feeds."""
    per_day: bool = True
    """False where a version's rows have any dates: any unit that read it has refined it."""
