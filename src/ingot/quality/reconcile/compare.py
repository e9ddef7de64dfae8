"""Compares two sides: aligns them, finds what differs, tries every cause, lists the findings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from ingot.errors import QueryError
from ingot.quality.reconcile import (
    cells,
    pairs,
    ratios,
    session_hours,
    time_shifts,
    versions,
    volume,
)
from ingot.quality.reconcile.align import ACTIONS, SESSIONS, Rows, aligned
from ingot.quality.reconcile.causes import PAIRS
from ingot.quality.reconcile.findings import NAMED, SCHEMA, findings
from ingot.quality.reconcile.inputs import BASES, INTERVALS, MINUTE_NS, Side
from ingot.quality.reconcile.pairs import Tolerance
from ingot.quality.reconcile.refusals import REFUSED, not_compared, refused_findings
from ingot.tables.input import ArrowRelation
from ingot.tables.view import View

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Protocol

    from ingot.quality.reconcile.file_inputs import Read
    from ingot.quality.reconcile.inputs import Named

    class Run(Protocol):
        """Runs one text over named views: `Reads.run`."""

        def __call__(self, sql: str, views: Mapping[str, View], /) -> pa.Table:
            """Return the rows of the text."""
            ...


_ACTIONS: Final[dict[str, pa.DataType]] = {
    "symbol": pa.string(),
    "ex_date": pa.date32(),
    "ratio": pa.decimal128(18, 9),
    "cash": pa.decimal128(18, 9),
}
_SESSIONS: Final[dict[str, pa.DataType]] = {
    "trade_date": pa.date32(),
    "session": pa.string(),
    "start_ns": pa.int64(),
    "end_ns": pa.int64(),
}
SESSION_SCHEMA: Final = pa.schema(_SESSIONS)
_HOURS: Final = (60, 240, 300)
"""Minutes by which labels read in another zone are off: a change of clocks, New York to UTC."""


@dataclass(frozen=True)
class Input:
    """One side as it is read: what it is, its rows, and its first versions where it has history."""

    side: Side
    rows: Rows
    view: View
    first: Callable[[], View | None] | None = None
    """Reads the side as it was first known; None where nothing was known later."""
    is_file: bool = False
    """True where the labels are as a file has them, so that they may be in another zone."""
    refused: pa.Table = field(default_factory=cells.REFUSED.empty_table)
    """Rows that cannot be read (`cells.REFUSED`): listed, and not compared."""


def of_file(named: Named, read: Read) -> Input:
    """Return a file that was read as a side."""
    name = f"side.{named.reader}"
    rows = Rows(name, tuple(read.rows.column_names), unique=False)
    view = shown(name, read.rows)
    return Input(read.side, rows, view, is_file=True, refused=read.refused)


@dataclass(frozen=True)
class Context:
    """What is known beside the two sides."""

    sessions: pa.Table = field(default_factory=SESSION_SCHEMA.empty_table)
    """trade_date, session, start_ns, end_ns."""
    actions: pa.Table = field(default_factory=pa.schema(_ACTIONS).empty_table)
    """symbol, ex_date, ratio (new shares for an old one; 1 for cash), cash."""
    tolerance: Tolerance = field(default_factory=Tolerance)
    earlier: str = ""
    """Where both sides are one table at two moments, a or b: the earlier one."""

    @property
    def views(self) -> dict[str, View]:
        """The two relations, by the names that the texts use."""
        return {SESSIONS: shown(SESSIONS, self.sessions), ACTIONS: shown(ACTIONS, self.actions)}


@dataclass(frozen=True)
class Compared:
    """What came of a comparison."""

    findings: pa.Table
    bars_a: int
    """Bars of the first side after alignment."""
    bars_b: int
    interval: str
    """Width at which both met."""
    basis: str


def compare(run: Run, a: Input, b: Input, context: Context) -> Compared:
    """Return every difference of two sides with its likely cause.

    Args:
        run: Runs a text over views.
        a: The first side.
        b: The second side.
        context: Sessions, corporate actions and tolerances.

    Raises:
        QueryError: The two cannot be brought to one width.
    """
    target = meeting(a.side, b.side)
    basis = max(a.side.basis, b.side.basis, key=BASES.index)
    steps = _Steps(run, context, target, basis)
    tables = {name: steps.align(i) for name, i in ((pairs.A, a), (pairs.B, b))}
    steps.keep(tables)
    steps.keep({pairs.ENDS: steps.run(pairs.ends())})
    refused = pa.concat_tables(
        [refused_findings(i.refused, i.side, which) for which, i in (("a", a), ("b", b))]
    )
    steps.keep({REFUSED: refused})
    joined = f"{not_compared(pairs.joined(context.tolerance))} WHERE {pairs.within()}"
    suspect = f"SELECT DISTINCT symbol FROM j WHERE {pairs.suspects()}"
    differing = steps.run(
        f"WITH j AS MATERIALIZED ({joined}) SELECT * FROM j WHERE symbol IN ({suspect})"
    )
    steps.keep({PAIRS: differing})
    found = steps.run(_explained(steps, a, b)) if differing.num_rows else SCHEMA.empty_table()
    return Compared(
        findings=pa.concat_tables([refused, found.cast(SCHEMA)]),
        bars_a=tables[pairs.A].num_rows,
        bars_b=tables[pairs.B].num_rows,
        interval=target,
        basis=basis,
    )


def meeting(a: Side, b: Side) -> str:
    """Return the width at which two sides meet: the wider one's."""
    wide, narrow = sorted((a, b), key=lambda s: s.width_ns, reverse=True)
    if wide.is_intraday and wide.width_ns % narrow.width_ns:
        raise QueryError(
            f"Bars of {narrow.interval} do not add up to bars of {wide.interval}; choose sides "
            f"whose widths do ({', '.join(INTERVALS)})."
        )
    return wide.interval


def shown(name: str, table: pa.Table) -> View:
    """Return rows in memory as a view of that name."""
    return View(name, ArrowRelation(table), tuple(table.column_names))


class _Steps:
    """Runs text after text; each sees what was kept before."""

    def __init__(self, run: Run, context: Context, target: str, basis: str) -> None:
        self.context, self.target = context, target
        self._run, self._basis = run, basis
        self._views = context.views
        self._named: list[str] = []

    @property
    def named(self) -> Sequence[str]:
        """Names of the relations that hold causes."""
        return self._named

    def align(self, given: Input, *, shift_ns: int = 0, view: View | None = None) -> pa.Table:
        """Return a side's bars at the common width."""
        text = aligned(
            given.rows, given.side, self.target, adjust_to=self._basis, shift_ns=shift_ns
        )
        own = view or given.view
        return self._run(text, {**self._used(text), given.rows.name: own})

    def keep(self, tables: Mapping[str, pa.Table]) -> None:
        """Let the next texts see these relations."""
        self._views |= {name: shown(name, table) for name, table in tables.items()}

    def run(self, text: str) -> pa.Table:
        """Return the rows of a text."""
        return self._run(text, self._used(text))

    def name(self, text: str) -> None:
        """Keep the keys that a text of causes names."""
        own = f"{NAMED}_{len(self._named)}"
        self.keep({own: self.run(text)})
        self._named.append(own)

    def _used(self, text: str) -> dict[str, View]:
        return {name: view for name, view in self._views.items() if name in text}


def _explained(steps: _Steps, a: Input, b: Input) -> str:
    """Try every cause, and return the text of the findings."""
    context, tolerance = steps.context, steps.context.tolerance
    if context.earlier:
        steps.name(versions.two_moments())
        steps.name(versions.duplicates())
        return findings(steps.named, earlier=context.earlier)
    wide = Side(interval=steps.target)
    for text in (
        time_shifts.renames(),
        time_shifts.shifts(wide),
        ratios.ratios(tolerance),
        session_hours.hours(tolerance, weekly=steps.target == "1w"),
        volume.counting(tolerance),
        versions.unpublished(),
        versions.duplicates(),
    ):
        steps.name(text)
    for which, given in (("a", a), ("b", b)):
        _try_first_versions(steps, which, given)
        if given.side.interval != steps.target:
            _try_shifts(steps, which, given)
    return findings(steps.named)


def _try_first_versions(steps: _Steps, which: str, given: Input) -> None:
    first = given.first() if given.first else None
    if first is None:
        return
    name = f"aligned.first_{which}"
    steps.keep({name: steps.align(given, view=first)})
    steps.name(versions.republished(name, which, steps.context.tolerance))


def _try_shifts(steps: _Steps, which: str, given: Input) -> None:
    """Make the wider bars anew with the labels of the narrower ones moved, and look again."""
    wide = Side(interval=steps.target)
    width = given.side.width_ns // MINUTE_NS
    if not given.side.is_intraday or not (wide.is_intraday or given.is_file):
        return
    minutes = [-width, width]
    if given.is_file:
        minutes += [sign * m for m in _HOURS if m != width for sign in (-1, 1)]
    for number, moved in enumerate(minutes):
        name = f"aligned.moved_{which}_{number}"
        steps.keep({name: steps.align(given, shift_ns=moved * MINUTE_NS)})
        steps.name(
            time_shifts.shifted(
                name, which, moved, own=given.side, into=wide, tolerance=steps.context.tolerance
            )
        )
