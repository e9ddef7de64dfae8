"""The options that say which trade dates: --from and --to, or --date."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from ingot.cli.context import trade_date, trade_dates
from ingot.cli.options import From, To
from ingot.errors import QueryError

if TYPE_CHECKING:
    from datetime import date


@dataclass(frozen=True, slots=True)
class Span:
    """Trade dates from a first to a last one."""

    first: From = None
    last: To = None

    def dates(self, today: date) -> dict[str, date]:
        """Return the half-open span as `start` and `end`; all up to today by default."""
        start, end = trade_dates(self.first, self.last, today)
        return {"start": start, "end": end}

    def open_dates(self, today: date) -> dict[str, date | None]:
        """Return the span as `start` and `end`, without a date for what is not given."""
        found = self.dates(today)
        return {
            "start": found["start"] if self.first else None,
            "end": found["end"] if self.last else None,
        }


@dataclass(frozen=True, slots=True)
class SpanOrDate(Span):
    """Trade dates from a first to a last one, or one alone."""

    only: Annotated[
        str | None, typer.Option("--date", metavar="DATE", help="Only this trade date.")
    ] = None

    def dates(self, today: date) -> dict[str, date]:
        """Return the half-open span as `start` and `end`; all up to today by default."""
        if self.only is None:
            return Span.dates(self, today)
        if self.first or self.last:
            raise QueryError("--date was given with --from or --to. Write one of the two.")
        day = trade_date("--date", self.only)
        return Span(day.isoformat(), day.isoformat()).dates(today)
