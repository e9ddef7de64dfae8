"""A lake that stands still: each table at one snapshot, remembered or given."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ingot.app.facts import LedgerFacts, read_facts
from ingot.app.parts import Parts
from ingot.app.query import Reader
from ingot.app.views import Views
from ingot.errors import NotReplayableError
from ingot.model.landing import ALL_BASES
from ingot.model.time import FixedClock
from ingot.query.bind import table_of
from ingot.storage.reader import FilePlan
from ingot.storage.tables import TableStore
from ingot.tables.relation import FileRelation, columns_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import date, datetime

    from ingot.config import Settings
    from ingot.engines.limits import Limits
    from ingot.model.calendar import Calendar
    from ingot.model.landing import KnownBasis
    from ingot.model.time import AsOf
    from ingot.query.answer import Answer
    from ingot.query.bars import BarsRequest, Sources
    from ingot.storage.ledger import Ledger
    from ingot.tables.contract import Table
    from ingot.tables.view import Condition, View


@dataclass(frozen=True, slots=True)
class Pin:
    """The state at which a table is read."""

    snapshot_id: int | None
    """None while the table is empty."""
    manifest_list: str
    columns: int
    """How many columns it had; a question sees no later one."""


@dataclass(frozen=True, slots=True)
class Planned:
    """One read of a table."""

    table: Table
    start: date | None
    end: date | None
    dataset: str | None


@dataclass(frozen=True, slots=True)
class Pins:
    """What a replay holds still, all of it as the manifest says."""

    tables: Mapping[str, Pin]
    sources: Sources
    bound: Mapping[str, tuple[int, ...]]
    settled_until: datetime | None
    calendar: Calendar | None
    """None: the lake's own, which has the digest of then."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as the reader was asked it."""

    kind: str
    """bars or sql."""
    what: BarsRequest | str
    others: Mapping[str, Any]
    """Parameters beside it."""
    is_now: bool
    """No moment was named."""


class PinnedTables(TableStore):
    """The tables, each held at the snapshot of its first read, or at a given one."""

    def __init__(self, root: Path, pins: Mapping[str, Pin] | None) -> None:
        super().__init__(root)
        self._given = pins
        self.pinned: dict[str, Pin] = dict(pins or {})
        self.reads: list[Planned] = []

    def pin_of(self, table: Table) -> Pin:
        """Return the state at which a table is read.

        Raises:
            NotReplayableError: A replay reads a table that the export did not read.
        """
        if found := self.pinned.get(table.name):
            return found
        if self._given is not None:
            raise NotReplayableError(
                "The export",
                gone=[f"this Ingot reads {table.name} for the question; the export did not"],
            )
        snapshot = self._reader.state(table).snapshot()
        found = Pin(None, "", len(table.columns))
        if snapshot is not None:
            found = Pin(snapshot.snapshot_id, snapshot.manifest_list, len(table.columns))
        self.pinned[table.name] = found
        return found

    def head(self, table: Table) -> int | None:
        """Return the id of the pinned snapshot."""
        return self.pin_of(table).snapshot_id

    def plan(
        self,
        table: Table,
        *,
        start: date | None = None,
        end: date | None = None,
        source: str | None = None,
        dataset: str | None = None,
        landing_ids: Collection[int] | None = None,
        snapshot_id: int | None = None,
    ) -> FilePlan:
        """Plan on the pinned snapshot; columns that the contract gained since are null.

        Raises:
            NotReplayableError: Data files of the snapshot are gone.
        """
        pin = self.pin_of(table)
        self.reads.append(Planned(table, start, end, dataset))
        columns = columns_of(table)
        if pin.snapshot_id is None:
            return FilePlan(table.name, None, (), columns)
        plan = super().plan(
            table,
            start=start,
            end=end,
            source=source,
            dataset=dataset,
            landing_ids=landing_ids,
            snapshot_id=snapshot_id or pin.snapshot_id,
        )
        last = max(plan.columns, default=0)
        grown = {i: column for i, column in columns.items() if i > last}
        if gone := [f.path for f in plan.files if not Path(f.path).is_file()]:
            raise NotReplayableError(
                "The answer", gone=[f"a data file of {table.name}: {path}" for path in gone[:5]]
            )
        return replace(plan, columns={**plan.columns, **grown})


class PinnedParts(Parts):
    """A lake's parts with its tables, clock, settings and sessions held still."""

    def __init__(
        self, parts: Parts, *, now: datetime, settings: Settings, pins: Pins | None
    ) -> None:
        super().__init__(parts.root, settings, clock=FixedClock(now), boundary=parts.boundary)
        self._of = parts
        self.pins = pins

    @cached_property
    def ledger(self) -> Ledger:
        """The lake's own ledger."""
        return self._of.ledger

    @cached_property
    def tables(self) -> PinnedTables:
        """The tables, held still."""
        return PinnedTables(self.root, self.pins.tables if self.pins else None)

    @cached_property
    def calendar(self) -> Calendar:
        """The sessions of then."""
        if self.pins is not None and self.pins.calendar is not None:
            return self.pins.calendar
        return self._of.calendar

    def close(self) -> None:
        """Release the tables; the ledger is the lake's."""
        if "tables" in self.__dict__:
            self.tables.close()


@dataclass(frozen=True)
class PinnedFacts(LedgerFacts):
    """What the ledger says, with the landings that it was asked for remembered or given."""

    bound: dict[str, tuple[int, ...]] = field(default_factory=dict)
    """Ids of landings of every known basis: `in_force`, and `history`."""
    is_given: bool = False

    def landing_ids(
        self, moment: datetime, *, history: bool, bases: Collection[KnownBasis] = ALL_BASES
    ) -> tuple[int, ...]:
        """Return the landings in force at `moment`, or known by then; as the manifest has them.

        Raises:
            NotReplayableError: The manifest has none, for the export showed no bronze.
        """
        name = "history" if history else "in_force"
        if name not in self.bound:
            if self.is_given:
                gone = ["this Ingot shows rows of bronze for the question; the export did not"]
                raise NotReplayableError("The export", gone=gone)
            self.bound[name] = super().landing_ids(moment, history=history, bases=ALL_BASES)
        if set(bases) == set(ALL_BASES):
            return self.bound[name]
        known = {s.landing.landing_id: s.landing.known_basis for ss in self.states for s in ss}
        return tuple(i for i in self.bound[name] if known[i] in bases)


class PinnedViews(Views):
    """Tables bound to a moment as they stood then; what the ledger said stands still, too."""

    def __init__(self, parts: PinnedParts) -> None:
        super().__init__(parts)
        self._pinned = parts
        self.whole = True
        """False for a question in SQL, which sees no column that came after its export."""

    @cached_property
    def still(self) -> PinnedFacts:
        """What the ledger says, or said; read once."""
        read = read_facts(self._pinned, self._pinned.ledger.stamp())
        pins = self._pinned.pins
        if pins is None:
            return PinnedFacts(read.stamp, read.settled_until, read.sources, read.states)
        until, given = pins.settled_until, dict(pins.bound)
        return PinnedFacts("replay", until, pins.sources, read.states, bound=given, is_given=True)

    def facts(self) -> LedgerFacts:
        """Return what the ledger says, or said."""
        return self.still

    def view(
        self,
        name: str,
        moment: AsOf,
        conditions: Sequence[Condition] = (),
        *,
        bases: Collection[KnownBasis] = ALL_BASES,
    ) -> View:
        """Return the table or history `name` as known at `moment`."""
        view = super().view(name, moment, conditions, bases=bases)
        if self.whole or not isinstance(view.relation, FileRelation):
            return view
        last = self._pinned.tables.pin_of(table_of(name)[0]).columns
        late = {column for i, (column, _) in view.relation.columns.items() if i > last}
        return replace(view, columns=tuple(c for c in view.columns if c not in late))


class PinnedReader(Reader):
    """Answers over a lake that stands still, on one thread, and remembers what was asked."""

    def __init__(self, parts: PinnedParts) -> None:
        super().__init__(parts)
        self.parts = parts
        self.asked: Asked | None = None
        self.views = self._views = PinnedViews(parts)

    @cached_property
    def _limits(self) -> Limits:
        return replace(super()._limits, threads=1)

    def _caught_up(self, tables: Collection[str]) -> tuple[str, ...]:
        """Leave the tables as they are."""
        del tables
        return ()

    def bars(
        self,
        request: BarsRequest,
        known_at: str | date | datetime | None,
        **others: Any,  # noqa: ANN401  # what a question takes is the reader's affair
    ) -> Answer:
        """Answer a request for bars, and remember it."""
        self.asked = Asked("bars", request, others, is_now=known_at is None)
        return super().bars(request, known_at, **others)

    def sql(
        self,
        text: str,
        known_at: str | date | datetime | None,
        **others: Any,  # noqa: ANN401  # the same
    ) -> Answer:
        """Answer one SELECT, and remember it."""
        self.views.whole = False
        self.asked = Asked("sql", text, others, is_now=known_at is None)
        return super().sql(text, known_at, **others)
