"""Sessions as text: what is landed, and read back without the calendar library."""

from __future__ import annotations

import csv
import re
from datetime import date
from functools import cached_property, lru_cache
from io import StringIO
from itertools import pairwise
from operator import le, lt
from typing import TYPE_CHECKING, Final

from ingot.errors import CorruptFileError, SchemaDriftError
from ingot.model.calendar import SESSIONS, Calendar, Session

if TYPE_CHECKING:
    from collections.abc import Iterable

COLUMNS: Final = ("calendar", "trade_date", "session", "start_ns", "end_ns", "digest")
"""The header: the columns of silver.sessions, in its order."""


def render(calendar: Calendar) -> bytes:
    """Return the calendar as CSV: UTF-8, LF, a header, a row per session by start.

    The same calendar gives the same bytes.
    """
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(
        (s.calendar, s.trade_date.isoformat(), s.session, s.start_ns, s.end_ns, calendar.digest)
        for s in calendar.sessions
    )
    return text.getvalue().encode()


@lru_cache(maxsize=4)
def parse(content: bytes) -> Calendar:
    """Return the calendar that `render` wrote.

    Raises:
        SchemaDriftError: The header is another one.
        CorruptFileError: There is no row, a row cannot be read, rows of several calendars or
            digests are mixed, or sessions are out of order or overlap.
    """
    try:
        lines = csv.reader(StringIO(content.decode(), newline=""), strict=True)
        header = next(lines, [])
        _check_header(header)
        found = list(lines)
    except (UnicodeDecodeError, csv.Error) as exc:
        raise CorruptFileError(f"The landed sessions are not CSV in UTF-8: {exc}.") from exc
    return _whole(found) or _calendar([_row(fields, n) for n, fields in enumerate(found, start=1)])


@lru_cache(maxsize=4)
def landed_calendar(content: bytes) -> Calendar:
    """Return the calendar of a landing that `render` wrote; a year is parsed at its first use.

    Decades have tens of thousands of sessions, and most reads need those of a few days.

    Raises:
        SchemaDriftError: The header is another one.
        CorruptFileError: As for `parse`; for a row, when its year is used.
    """
    text = content.decode("utf-8", "replace")
    header, _, rows = text.partition("\n")
    first = rows.partition("\n")[0].split(",")
    if header != ",".join(COLUMNS) or len(first) != len(COLUMNS) or '"' in rows:
        return parse(content)
    return _Landed(first[0], first[-1], text.removeprefix(header), content)


class _Landed(Calendar):
    """A calendar over the rows of a landing, each after its line feed."""

    _rows: str
    _content: bytes
    _years: dict[int, Calendar | None]

    def __init__(self, name: str, digest: str, rows: str, content: bytes) -> None:
        given = {"_rows": rows, "_content": content, "_years": {}}
        self.__dict__ |= {"name": name, "digest": digest, **given}

    @cached_property
    def sessions(self) -> tuple[Session, ...]:
        """All sessions."""
        return parse(self._content).sessions

    def dates_of(self, session: str) -> tuple[date, ...]:
        """Return the trade dates that have a session of this name, ascending."""
        is_there = f",{session}," in self._rows
        found = re.findall(rf"\n[^,\n]*,([^,\n]*),{session},", self._rows) if is_there else ()
        try:
            return tuple(sorted(set(map(date.fromisoformat, found))))
        except ValueError:
            return parse(self._content).dates_of(session)

    def of_date(self, trade_date: date) -> tuple[Session, ...]:
        """Return the sessions of one trade date, by start."""
        year = trade_date.year
        if year not in self._years:
            begins = f"\n{self.name},{year:04}-"
            first, last = self._rows.find(begins), self._rows.rfind(begins)
            lines = self._rows[first + 1 : self._rows.find("\n", last + 1)].split("\n")
            rows = [line.split(",") for line in lines]
            self._years[year] = (_whole(rows) or parse(self._content)) if first >= 0 else None
        found = self._years[year]
        return found.of_date(trade_date) if found else ()


def diff(old: Calendar, new: Calendar) -> tuple[date, ...]:
    """Return the trade dates on which the two calendars differ, ascending.

    Only the span that both cover counts, from the later of their first trade dates to the
    earlier of their last ones: what a longer span adds is not a change.
    """
    if not old.trade_dates or not new.trade_dates:
        return ()
    first = max(old.trade_dates[0], new.trade_dates[0])
    last = min(old.trade_dates[-1], new.trade_dates[-1])
    days = {*old.trade_dates, *new.trade_dates}
    return tuple(
        sorted(day for day in days if first <= day <= last and old.of_date(day) != new.of_date(day))
    )


def _whole(rows: list[list[str]]) -> Calendar | None:
    """Return the calendar of rows that are all in order, made by the column; None otherwise."""
    try:
        calendars, days, sessions, starts, ends, digests = zip(*rows, strict=True)
        dates = {day: date.fromisoformat(day) for day in set(days)}
        starts_ns, ends_ns = tuple(map(int, starts)), tuple(map(int, ends))
    except ValueError:
        return None
    names = set(zip(calendars, digests, strict=True))
    is_in_order = (
        len(names) == 1
        and set(sessions) <= set(SESSIONS)
        and all(map(lt, starts_ns, ends_ns))
        and all(map(le, ends_ns, starts_ns[1:]))
    )
    if not is_in_order:
        return None
    [(name, digest)] = names
    columns = (calendars, map(dates.__getitem__, days), sessions, starts_ns, ends_ns)
    return Calendar(name, tuple(map(Session._make, zip(*columns, strict=True))), digest)


def _check_header(header: Iterable[str]) -> None:
    names = tuple(header)
    if names != COLUMNS:
        raise SchemaDriftError(
            "the landed sessions",
            missing=[name for name in COLUMNS if name not in names],
            unexpected=[name for name in names if name not in COLUMNS],
        )


def _row(fields: list[str], number: int) -> tuple[Session, str]:
    try:
        calendar, trade_date, session, start_ns, end_ns, digest = fields
        row = Session(calendar, date.fromisoformat(trade_date), session, int(start_ns), int(end_ns))
    except ValueError as exc:
        raise CorruptFileError(
            f"Row {number} of the landed sessions cannot be read: {','.join(fields)!r}."
        ) from exc
    if session not in SESSIONS or row.start_ns >= row.end_ns:
        raise CorruptFileError(
            f"Row {number} of the landed sessions is not a session: {','.join(fields)!r}."
        )
    return row, digest


def _calendar(rows: list[tuple[Session, str]]) -> Calendar:
    named = {(session.calendar, digest) for session, digest in rows}
    if len(named) != 1:
        found = ", ".join(f"{name} {digest}" for name, digest in sorted(named)) or "no row"
        raise CorruptFileError(
            f"The landed sessions hold {found}; a file is of one calendar and one digest."
        )
    for number, ((one, _), (other, _)) in enumerate(pairwise(rows), start=2):
        if other.start_ns < one.end_ns:
            raise CorruptFileError(
                f"Row {number} of the landed sessions starts before row {number - 1} ends."
            )
    [(name, digest)] = named
    return Calendar(name, tuple(session for session, _ in rows), digest)
