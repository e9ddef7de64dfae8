"""The machine's clock, held against the latest moment that the lake has recorded.

A new known time that is before a recorded one may change an answer that was given already, so a
clock that was set back stops what stamps known times. Landings whose time a person stated do not
count.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from ingot.errors import ClockSkewError
from ingot.storage.landing.records import ClockAccepted
from ingot.storage.ledger.state_schema import from_us, to_us

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable
    from datetime import datetime

    from ingot.storage.landing.records import Record
    from ingot.storage.ledger.state_db import StateCache

TOLERANCE: Final = timedelta(minutes=5)
"""Clocks of machines that are kept in step differ by less."""
_MOMENTS: Final = (
    ("first_seen_us", "versions", "known_basis <> 'stated'"),
    ("known_from_us", "versions", "known_basis <> 'stated'"),
    ("decided_us", "decisions", "true"),
    ("at_us", "clocks", "true"),
)


class ClockCheck:
    """Gives the moments to record; one for each process."""

    def __init__(
        self, state: StateCache, add: Callable[[Callable[[int], Record]], None], *, accept: bool
    ) -> None:
        self._state = state
        self._add = add
        self._accept = accept
        self.vouched = False
        """True once this process went on by a clock that a person vouched for."""

    def moment(self, now: datetime) -> datetime:
        """Return `now`, or the latest recorded moment where the clock is a little behind it.

        Raises:
            ClockSkewError: It is further behind, and no person vouched for the clock.
        """
        recorded = self._state.read(_latest)
        if recorded is None or recorded <= now:
            return now
        if recorded - now <= TOLERANCE:
            return recorded
        if not self._accept:
            raise ClockSkewError(now, recorded)
        self.vouched = True
        first = self._state.read(lambda db: _first_after(db, now))
        self._add(lambda number: ClockAccepted(number, now, first, recorded))
        return now


def _latest(connection: sqlite3.Connection) -> datetime | None:
    """Return the latest recorded moment, without those that a person declared wrong."""
    found = [
        connection.execute(
            f"SELECT max({column}) FROM {table} WHERE {kept} AND NOT EXISTS "
            f"(SELECT 1 FROM clocks c WHERE {table}.{column} BETWEEN c.first_us AND c.last_us)"
        ).fetchone()[0]
        for column, table, kept in _MOMENTS
    ]
    return max((from_us(us) for us in found if us is not None), default=None)


def _first_after(connection: sqlite3.Connection, now: datetime) -> datetime:
    found = [
        connection.execute(
            f"SELECT min({column}) FROM {table} WHERE {kept} AND {column} > ?", (to_us(now),)
        ).fetchone()[0]
        for column, table, kept in _MOMENTS
    ]
    return min(from_us(us) for us in found if us is not None)
