"""What vendors changed and who used the old value; and what changed answers after the fact."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from ingot.app.digests import TRANSFORM
from ingot.app.exports import manifests
from ingot.app.listed import listed
from ingot.app.query import Reader
from ingot.export.question import decoded
from ingot.model.landing import KnownBasis
from ingot.model.time import Interval
from ingot.query import revisions as asked
from ingot.query.bars import BarsRequest
from ingot.tables import gold
from ingot.tables.view import HISTORY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import date, datetime

    from ingot.app.parts import Parts
    from ingot.export.manifest import Manifest
    from ingot.model.landing import Landing
    from ingot.model.work import Done
    from ingot.query.answer import Answer

_INSTANT: Final = pa.timestamp("us", tz="UTC")
_COLUMNS: Final = (
    ("exception", pa.string()),
    ("affects", pa.string()),
    ("source", pa.string()),
    ("dataset", pa.string()),
    ("first_date", pa.date32()),
    ("last_date", pa.date32()),
    ("answers_from", _INSTANT),
    ("happened_at", _INSTANT),
    ("landing_id", pa.int64()),
    ("why", pa.string()),
)
_MADE_OF: Final = {
    "1m": {"silver.minute_bars", gold.DAILY_BARS.name, gold.PERFORMANCE.name},
    "1d": {"silver.day_bars", gold.PERFORMANCE.name},
}


def revisions(
    parts: Parts,
    *,
    symbol: str | None,
    start: date,
    end: date,
    interval: str | None = None,
    since: datetime | None = None,
    known_at: str | date | datetime | None = None,
) -> Answer:
    """Return what was revised of trade dates in `[start, end)`, oldest revision first.

    Each row says what used the old value: the silver day, rows of gold that the revision
    replaced, and the exports whose question and moment reach it.

    Raises:
        QueryError: The interval is neither 1m nor 1d, or the moment is wrong.
    """
    listing = asked.question(symbol=symbol, start=start, end=end, interval=interval, since=since)
    reader = Reader(parts)
    try:
        answer = reader.listing(listing, known_at)
    finally:
        reader.close()
    users = [_Use.of(made) for made in manifests(parts)]
    rows = answer.data.select(
        ["interval", "symbol", "trade_date", "replaced_from", "revised_at"]
    ).to_pylist()
    named = [" ".join(u.export_id for u in users if u.used(row)) or None for row in rows]
    return replace(answer, data=answer.data.append_column("exports", pa.array(named, pa.string())))


@dataclass(frozen=True, slots=True)
class _Use:
    """What one export can have read."""

    export_id: str
    known_at: datetime
    tables: frozenset[str]
    request: BarsRequest | None
    """None for a SELECT, which may have read every date and symbol."""

    @classmethod
    def of(cls, made: Manifest) -> _Use:
        kinds: dict[str, type[Any]] = {"BarsRequest": BarsRequest, "Interval": Interval}
        request = decoded(made.question["asked"], kinds)
        tables = frozenset(t.name.removesuffix(HISTORY) for t in made.tables)
        known = request if isinstance(request, BarsRequest) else None
        return cls(made.export_id, made.known_at, tables, known)

    def used(self, row: dict[str, Any]) -> bool:
        """Say whether the export can hold the value that a revision replaced."""
        if not row["replaced_from"] <= self.known_at < row["revised_at"]:
            return False
        if not self.tables & _MADE_OF[row["interval"]]:
            return False
        asked = self.request
        if asked is None:
            return True
        in_range = asked.start <= row["trade_date"] < asked.end
        return in_range and (not asked.symbols or row["symbol"] in asked.symbols)


def retroactive(parts: Parts) -> Answer:
    """Return each exception of the as-known law: what may change answers to past moments.

    `assumed` and `stated` landings were taken as known before this lake saw them, or from a
    moment that a person stated: they change answers to (query, T) for T from `answers_from` on,
    given before `happened_at`. `new_rules` are units refined again from the same landings by
    another transform, sessions or rule.
    """
    rows = [*_landings(parts), *_redone(parts)]
    return listed(parts, _COLUMNS, sorted(rows, key=lambda r: (r[7], r[0], str(r[1:]))))


def _landings(parts: Parts) -> Iterator[tuple[Any, ...]]:
    for source, dataset in parts.ledger.datasets():
        if source == "sessions":
            continue
        for state in parts.ledger.states(source, dataset):
            landing = state.landing
            if why := _why(landing):
                yield (
                    landing.known_basis.value,
                    f"{landing.key} version {landing.ordinal}",
                    source,
                    dataset,
                    landing.file_date,
                    landing.file_date,
                    landing.known_from,
                    landing.first_seen,
                    landing.landing_id,
                    why,
                )


def _why(landing: Landing) -> str | None:
    if landing.known_basis is KnownBasis.ASSUMED and landing.known_from < landing.first_seen:
        return f"first seen after it was due by {landing.rule}; taken as known from then"
    if landing.known_basis is KnownBasis.STATED:
        return "a person set the clock (--now) or the known time"
    return None


def _redone(parts: Parts) -> Iterator[tuple[Any, ...]]:
    """Yield the units that were refined again by other rules, those of one run together."""
    changed = []
    for _, records in groupby(parts.ledger.redone(), key=lambda d: (d.unit.table, d.unit.scope)):
        changed += [(new, why) for old, new in pairwise(records) if (why := _rules(old, new))]
    changed.sort(key=lambda pair: _group(*pair))
    for (table, source, dataset, run, why), group in groupby(changed, key=lambda p: _group(*p)):
        dones = [done for done, _ in group]
        yield (
            "new_rules",
            f"{table}: {len(dones)} units",
            source,
            dataset,
            min(d.unit.scope.start for d in dones),
            max(d.unit.scope.start for d in dones),
            _known_from(parts, dones),
            min(d.ended for d in dones),
            None,
            f"{why}; run {run}",
        )


def _group(done: Done, why: str) -> tuple[str, str, str, str, str]:
    scope = done.unit.scope
    return done.unit.table, scope.source, scope.dataset, done.run, why


def _rules(old: Done, new: Done) -> str | None:
    """Return which rules differ between two records of one scope; None where they do not."""
    then, now = old.details.get(TRANSFORM), new.details.get(TRANSFORM)
    if then and now and then != now:
        return f"transform {then} then, {now} now"
    same_input = bool(new.landing_ids) and old.landing_ids == new.landing_ids
    if same_input and old.unit.digest != new.unit.digest:
        return "sessions or known times changed" if then and now else "rules changed"
    return None


def _known_from(parts: Parts, dones: Sequence[Done]) -> datetime | None:
    """Return the first moment to which an answer may differ."""
    ids = {i for done in dones for i in done.landing_ids}
    found = [landing.known_from for landing in _by_id(parts, ids)]
    return min(found, default=None)


def _by_id(parts: Parts, ids: Iterable[int]) -> Iterator[Landing]:
    wanted = set(ids)
    for source, dataset in parts.ledger.datasets():
        for state in parts.ledger.states(source, dataset):
            if state.landing.landing_id in wanted:
                yield state.landing
