"""Tables as known at a moment, over the files that matter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ingot.app.inventory.ledger_snapshot import read_facts
from ingot.errors import DamagedFileError, QueryError
from ingot.model.landing import ALL_BASES, KnownBasis
from ingot.query.requests import revisions
from ingot.query.requests.as_known import bind, table_of
from ingot.storage.iceberg.read.scan_planner import ScanRequest
from ingot.tables.contract import Binding
from ingot.tables.revisions import REVISIONS
from ingot.tables.view import Condition

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import date, datetime

    from ingot.app.context.lake_context import Parts
    from ingot.app.inventory.ledger_snapshot import LedgerFacts
    from ingot.app.read.read_log import ReadLog
    from ingot.model.known_time import Gap
    from ingot.model.time import AsOf
    from ingot.tables.contract import Table
    from ingot.tables.view import View


def bases_of(text: str | None) -> tuple[KnownBasis, ...]:
    """Return the bases of known time that a reader names between commas; all for None.

    >>> bases_of("observed")
    (<KnownBasis.OBSERVED: 'observed'>,)

    Raises:
        QueryError: There is no such basis.
    """
    if text is None:
        return ALL_BASES
    try:
        return tuple(KnownBasis(word.strip()) for word in text.split(","))
    except ValueError as exc:
        raise QueryError(
            f"known_basis was {text!r}: name one or more of {', '.join(ALL_BASES)}."
        ) from exc


class Views:
    """Binds the tables of one lake; what the ledger says is kept while it says the same."""

    def __init__(self, parts: Parts, log: ReadLog | None = None) -> None:
        self._parts = parts
        self._log = log
        self._known: LedgerFacts | None = None

    def view(
        self,
        name: str,
        moment: AsOf,
        conditions: Sequence[Condition] = (),
        *,
        bases: Collection[KnownBasis] = ALL_BASES,
    ) -> View:
        """Return the table or history `name` as known at `moment`, narrowed by the conditions.

        With fewer than all bases, only what landed with such a known time: bronze by its landing,
        what has a trade date by the landings of that date, all of which must be of the bases.
        """
        parts = self._parts
        table, history = table_of(name, parts.table)
        if table is REVISIONS:
            kept = revisions.narrowing(conditions)
            made_of = [self.view(n, moment, kept) for n in revisions.INPUTS]
            return revisions.revisions(made_of, self._republished(), conditions)
        start, end = _dates(table, conditions)
        plan = parts.tables.plan(
            ScanRequest(
                table,
                start=start,
                end=end,
                source=_equal(conditions, "source"),
                dataset=_equal(conditions, "dataset"),
            )
        )
        self._refuse_gaps(table, moment, start, end)
        landing_ids = None
        limited = set(bases) != set(ALL_BASES)
        by_landing = table.binding is Binding.LANDING
        if by_landing and (limited or not (history and moment.is_now)):
            facts = self.facts()
            landing_ids = facts.landing_ids(moment.known_at, history=history, bases=bases)
        view = bind(name, moment, plan.relation(), landing_ids=landing_ids, find=parts.table)
        if limited and not by_landing and "trade_date" in table.column_names:
            dates = self.facts().dates(moment.known_at, bases)
            view = view.narrowed(Condition("trade_date", "in", dates))
        view = view.narrowed(*conditions)
        return self._log.visible(view) if self._log else view

    def _refuse_gaps(
        self, table: Table, moment: AsOf, start: date | None, end: date | None
    ) -> None:
        """Raise where the answer would need a version whose landed bytes are lost.

        Raises:
            DamagedFileError: It names the version, and the moments as of which it is needed.
        """
        if moment.is_now or table.binding in {Binding.DIGEST, Binding.NONE}:
            return
        for gap in self.facts().gaps:
            lost = gap.landing
            inside = (start is None or start <= lost.file_date) and (
                end is None or lost.file_date < end
            )
            if inside and lost.known_from <= moment.known_at < gap.until:
                path = self._parts.ledger.object_path(lost.sha256)
                raise DamagedFileError(path, found=_lost(gap))

    def pointer(self, name: str) -> str:
        """Name a table's exact state, with the ledger's where landings bind it."""
        table, _ = table_of(name, self._parts.table)
        if table is REVISIONS:
            return " ".join(self.pointer(n) for n in revisions.INPUTS)
        pointer = self._parts.tables.pointer(table)
        if table.binding is Binding.LANDING:
            return f"{pointer} {self._parts.ledger.stamp()}"
        return pointer

    def _republished(self) -> tuple[revisions.Republished, ...]:
        """Return the files that came into force more than once."""
        moments: dict[tuple[str, str, date], set[datetime]] = {}
        for states in self.facts().states:
            for state in states:
                v = state.landing
                if state.in_force_from is not None:
                    file = moments.setdefault((v.source, v.dataset, v.file_date), set())
                    file.add(state.in_force_from)
        return tuple(
            revisions.Republished(*file, min(found))
            for file, found in sorted(moments.items())
            if len(found) > 1
        )

    def facts(self) -> LedgerFacts:
        """Return what the ledger says now; read anew only when it changed."""
        if self._log is not None:
            return self._log.facts(self._parts)
        stamp = self._parts.ledger.stamp()
        if self._known is None or self._known.stamp != stamp:
            self._known = read_facts(self._parts, stamp)
        return self._known


def _lost(gap: Gap) -> str:
    lost = gap.landing
    return (
        f"version {lost.ordinal} of {lost.key}, in force from {lost.known_from:%Y-%m-%dT%H:%MZ} "
        f"until {gap.until:%Y-%m-%dT%H:%MZ}, could not be loaded from it"
    )


def _dates(table: Table, conditions: Sequence[Condition]) -> tuple[date | None, date | None]:
    """Return the half-open dates that the conditions leave of the table's partition column."""
    column = table.partition.column if table.partition else None
    start = end = None
    for condition in conditions:
        if condition.column != column or isinstance(condition.value, tuple | str | int):
            continue
        if condition.operator == ">=":
            start = condition.value
        elif condition.operator == "<":
            end = condition.value
    return start, end


def _equal(conditions: Sequence[Condition], column: str) -> str | None:
    for condition in conditions:
        if condition.column == column and condition.operator == "=":
            return str(condition.value)
    return None
