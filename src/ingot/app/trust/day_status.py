"""What became of each day that a vendor publishes: there, late, refused, or not finished here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from statistics import median
from typing import TYPE_CHECKING, Final

from ingot.app.inventory.markets import markets_of
from ingot.app.inventory.undecided import named, waiting
from ingot.model.landing import Decision, Outcome
from ingot.quality import coverage as rules

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from ingot.app.context.lake_context import Parts
    from ingot.model.landing import Landing, LandingState
    from ingot.tables.dataset import Dataset

FETCH: Final = "ingest"
"""The vendor's file has to be fetched (again)."""
DECIDE: Final = "decide"
"""A person has to accept or reject a held version."""
BUILD: Final = "build"
"""What is loaded has to be refined."""
_ONE_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Day:
    """One calendar day of one dataset."""

    source: str
    dataset: str
    kind: str
    """minutes or days."""
    trade_date: date
    state: str
    evidence: str
    rows: int = 0
    todo: str = ""
    """What would help: ingest, decide or build; empty for nothing."""
    file: str = ""
    """The vendor's file meant, as far as its name is known."""
    size_bytes: int = 0
    """Of it; of one like it, where it never came."""

    @property
    def is_unfinished(self) -> bool:
        """Return True if it landed and the lake has not finished its own work on it."""
        return self.state == rules.UNKNOWN and bool(self.todo)


def days_of(parts: Parts, start: date | None, end: date, known_at: datetime) -> tuple[Day, ...]:
    """Return every calendar day in `[start, end)` of every dataset of bars that landed.

    Args:
        parts: The lake.
        start: First day; by default the first that landed of the dataset's market.
        end: The day after the last.
        known_at: The moment whose knowledge is used.
    """
    found: list[Day] = []
    for market in markets_of(parts):
        versions = {d.name: parts.ledger.states(market.source, d.name) for d in market.datasets}
        landed = [s.landing.file_date for states in versions.values() for s in states]
        for dataset in market.datasets:
            kind = rules.MINUTES if dataset is market.minutes else rules.DAYS
            watch = _Watch(
                parts, market.source, dataset, kind, versions[dataset.name], known_at=known_at
            )
            found += watch.between(start or min(landed), end)
    return tuple(found)


class _Watch:
    """Looks at the days of one dataset."""

    def __init__(
        self,
        parts: Parts,
        source: str,
        dataset: Dataset,
        kind: str,
        versions: Sequence[LandingState],
        *,
        known_at: datetime,
    ) -> None:
        self._parts, self._source, self._dataset, self._kind = parts, source, dataset, kind
        self._known_at = known_at
        self._by_date: dict[date, list[LandingState]] = {}
        for state in versions:
            if state.landing.known_from <= known_at:
                self._by_date.setdefault(state.landing.file_date, []).append(state)
        self._latest = [states[-1].landing for states in self._by_date.values()]
        table = dataset.silver.name if dataset.silver else ""
        dones = parts.ledger.done_all(table, source=source, dataset=dataset.name)
        self._done = {done.unit.scope.start: done for done in dones}

    def between(self, start: date, end: date) -> Iterator[Day]:
        day = start
        while day < end:
            yield self._day(day)
            day += _ONE_DAY

    def _day(self, day: date) -> Day:
        states = self._by_date.get(day, [])
        if not states:
            return self._absent(day)
        last = states[-1]
        if any(s.in_force_from and s.in_force_from <= self._known_at for s in states):
            return self._in_force(day, states)
        if last.outcome is None:
            return self._made(day, rules.UNKNOWN, "landed, not loaded", FETCH, last.landing)
        reason = self._reason(last)
        if last.outcome is Outcome.HELD and last.decision is not Decision.REJECTED:
            why = f"held: {reason}" if reason else "held"
            return self._made(day, rules.REFUSED, why, DECIDE, last.landing)
        return self._made(day, rules.REFUSED, f"refused whole: {reason}", FETCH, last.landing)

    def _absent(self, day: date) -> Day:
        if not self._parts.calendar.is_trade_date(day):
            return self._made(day, rules.CLOSED, "no session")
        due = self._dataset.due(day)
        if due is not None and due > self._known_at:
            return self._made(day, rules.UNKNOWN, f"not due before {due:%Y-%m-%d %H:%M} UTC")
        when = f"; it was due on {due:%Y-%m-%d %H:%M} UTC" if due else ""
        return self._made(day, rules.LATE, f"the vendor's file has not landed{when}", FETCH)

    def _in_force(self, day: date, states: Sequence[LandingState]) -> Day:
        done = self._done.get(day)
        used = [
            s.landing
            for s in states
            if s.in_force_from is not None and s.in_force_from <= self._known_at
        ]
        latest = max(used, key=lambda v: v.ordinal)
        if done is None or latest.landing_id not in done.landing_ids:
            return self._made(day, rules.UNKNOWN, "loaded, not refined", BUILD, latest)
        state = rules.PRESENT if self._parts.calendar.is_trade_date(day) else rules.CLOSED
        held = [s for s in waiting(states) if s.outcome is Outcome.HELD]
        evidence = "; ".join(f"{named(s)} is held: {self._reason(s)}" for s in held)
        found = self._made(day, state, evidence, DECIDE if held else "", latest)
        return replace(found, rows=done.rows_out)

    def _made(
        self, day: date, state: str, evidence: str, todo: str = "", landing: Landing | None = None
    ) -> Day:
        size = landing.size_bytes if landing else self._usual_bytes() if todo else 0
        return Day(
            source=self._source,
            dataset=self._dataset.name,
            kind=self._kind,
            trade_date=day,
            state=state,
            evidence=evidence,
            todo=todo,
            file=landing.key if landing else self._key(day) if todo else "",
            size_bytes=size,
        )

    def _reason(self, state: LandingState) -> str:
        landing = state.landing
        for done in self._parts.ledger.done_all(
            self._dataset.bronze.name, source=self._source, dataset=self._dataset.name
        ):
            if done.unit.scope.landing_id == landing.landing_id:
                return done.reason
        return ""

    def _usual_bytes(self) -> int:
        return int(median([v.size_bytes for v in self._latest])) if self._latest else 0

    def _key(self, day: date) -> str:
        """Return the name that the vendor would give the file, as it named another."""
        if not self._latest:
            return ""
        like = min(self._latest, key=lambda v: abs(v.file_date - day))
        dated = like.key.replace(like.file_date.isoformat(), day.isoformat())
        return dated.replace(f"/{like.file_date:%Y/%m}/", f"/{day:%Y/%m}/")
