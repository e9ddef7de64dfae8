"""What a run did: one result per unit, and the exit code that follows from them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from ingot.errors import HeldVersionError, exit_code

if TYPE_CHECKING:
    from datetime import date

    from ingot.errors import IngotError


class Result(StrEnum):
    """What became of one day of one table."""

    LOADED = "loaded"
    HELD = "held"
    REFUSED = "refused"
    FAILED = "failed"
    MISSING = "missing"
    """Expected by the calendar and the publication rule, but not at the source."""


@dataclass(frozen=True, slots=True)
class DayResult:
    """One unit of work of a run."""

    table: str
    dataset: str
    date: date
    result: Result
    rows: int = 0
    rows_refused: int = 0
    seconds: float = 0.0
    error: IngotError | None = None

    @property
    def advice(self) -> str:
        """What happened and what to do, for a unit that is not loaded."""
        return str(self.error) if self.error else ""


@dataclass(frozen=True, slots=True)
class LoadReport:
    """Everything that a run did, in order."""

    run: str
    days: tuple[DayResult, ...]
    seconds: float
    notices: tuple[str, ...] = ()
    errors: tuple[IngotError, ...] = field(default=())
    """Errors that belong to no single day (a listing that failed)."""

    @property
    def exit_code(self) -> int:
        """The first of 5, 2, 3, 4 that occurred, else 0."""
        return exit_code([*self.errors, *(d.error for d in self.days if d.error is not None)])

    def of(self, result: Result) -> tuple[DayResult, ...]:
        """Return the days with this result."""
        return tuple(d for d in self.days if d.result is result)

    @property
    def rows(self) -> int:
        """Rows loaded."""
        return sum(d.rows for d in self.days if d.result in {Result.LOADED, Result.HELD})

    def joined(self, other: LoadReport) -> LoadReport:
        """Return both reports as one."""
        return LoadReport(
            run=self.run,
            days=(*self.days, *other.days),
            seconds=self.seconds + other.seconds,
            notices=(*self.notices, *other.notices),
            errors=(*self.errors, *other.errors),
        )


def held_error(reason: str, landing_id: int) -> HeldVersionError:
    """Return why a version is held, and how a person decides on it."""
    return HeldVersionError(
        f"{reason}. Look at it, then run: ingot landings accept {landing_id} (or reject)"
    )
