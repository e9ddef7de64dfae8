"""Silver: minute and day bars with their history, made of every version of the vendor's files.

The text that a function returns reads these relations:

* `bars`: bronze rows of all landings of the states;
* `sessions`: rows of silver.sessions that cover every file date of the scope (minute bars only);
* `refused`: landing_id, file_date, symbol, bar_start_ns of the rows refused at bronze, null where
  they could not be read; maybe none (only a text of several states reads it).

A row takes part when it keeps every check of the contract, starts on the New York date under which
it was filed (so no two files hold one key), and is on the scope's trade date:
that of the session that holds its start, else the date under which it was filed, with session
`closed`. Day bars are labelled by their file's date and lie in no session. Of the rows of one key
in one state, that with the greatest transactions, then volume, then row number counts.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from string import Template
from typing import TYPE_CHECKING, Final

from ingot.model.calendar import CLOSED
from ingot.model.currency import DOLLAR
from ingot.tables import silver
from ingot.tables.trailing import BAR_COLUMNS
from ingot.transforms import changed_zones
from ingot.transforms.quarantine import (
    duplicates_sql,
    filed_sql,
    on_date,
    quarantine_sql,
    refusals_sql,
    refused_sql,
)
from ingot.transforms.sql_literals import listed, literal
from ingot.transforms.transform import Transform, sql_text
from ingot.transforms.version_history import History, State, landing_ids

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ingot.model.landing import Landing
    from ingot.model.unit import Scope
    from ingot.tables.contract import Table

MINUTE_BARS: Final = Transform(
    name="silver.minute_bars",
    output=silver.MINUTE_BARS,
    inputs=("bars", "sessions", "refused"),
    sql=sql_text("minute_bars.sql"),
    parameters={"trailing": sql_text("trailing.sql")},
)
DAY_BARS: Final = Transform(
    name="silver.day_bars",
    output=silver.DAY_BARS,
    inputs=("bars", "refused"),
    sql=sql_text("day_bars.sql"),
)
BAR_START: Final = "CAST(make_timestamp(bar_start_ns // 1000) AS TIMESTAMPTZ)"
"""The bar's start as an instant, of its nanoseconds."""


def transform_of(table: Table) -> Transform:
    """Return the transform that makes a table of silver; KeyError if none does."""
    return {t.output.name: t for t in (MINUTE_BARS, DAY_BARS)}[table.name]


def history_sql(
    transform: Transform, scope: Scope, states: Sequence[State], *, unique: bool
) -> str:
    """Return the text of the history of one trade date of a table of bars.

    Args:
        transform: One of those above.
        scope: Source, dataset and trade date (`start`).
        states: The states that the date went through, ascending, at least one.
        unique: No key occurs twice among the rows of one state, so that nothing has to be
            compared; the rows are the same either way.
    """
    return _history(transform, scope, states, unique=unique).sql()


def rejects_sql(
    transform: Transform, scope: Scope, states: Sequence[State], *, unique: bool
) -> str:
    """Return the text that gives the rows of bronze that a table of bars rejects.

    Rows: landing_id, row_number, rule, raw, symbol, bar_start_ns, of all landings of the states,
    on the scope's trade date; by landing and row number. It reads `bars`, and `sessions` where
    the transform does.
    """
    return quarantine_sql(
        transform,
        named=_named(states),
        key=_key(transform),
        trade_date=scope.start,
        unique=unique,
        in_sessions=_in_sessions(transform),
    )


minute_bars_sql: Final = partial(history_sql, MINUTE_BARS)
day_bars_sql: Final = partial(history_sql, DAY_BARS)
minute_bars_quarantine_sql: Final = partial(rejects_sql, MINUTE_BARS)
day_bars_quarantine_sql: Final = partial(rejects_sql, DAY_BARS)


def duplicates_counted_sql(table: Table, states: Sequence[State]) -> str:
    """Return the text that counts equal duplicates per landing: landing_id, duplicates.

    Landings without any give no row; a text for landings that are `unique` need not be run.
    """
    transform = transform_of(table)
    return duplicates_sql(transform, named=_named(states), key=_key(transform))


def refusals_counted_sql(table: Table, landing: Landing, *, unique: bool) -> str:
    """Return the text that counts a landing's rows that the table refuses: rule, refused.

    The commonest rule comes first. It reads `bars`.
    """
    transform = transform_of(table)
    state = State(landing.known_from, (landing.landing_id,))
    return refusals_sql(
        transform,
        named=_named([state]),
        key=_key(transform),
        file_date=landing.file_date,
        unique=unique,
    )


def minute_bars_of_state(scope: Scope, state: State, *, unique: bool) -> str:
    """Return the text of the bars of a trade date in one state, without trailing values."""
    return _bars(MINUTE_BARS, scope, 1, state, unique=unique)


def _history(
    transform: Transform, scope: Scope, states: Sequence[State], *, unique: bool
) -> History:
    in_sessions = _in_sessions(transform)
    zoned = "trailing" in transform.parameters and 1 < len(states) <= changed_zones.MOST_STATES
    whole = History(
        transform,
        states,
        tuple(
            _bars(
                transform,
                scope,
                number,
                state,
                unique=unique,
                joined=changed_zones.CONTEXT_JOIN if zoned else "",
            )
            for number, state in enumerate(states, start=1)
        ),
        columns=BAR_COLUMNS if in_sessions else tuple(n for n in BAR_COLUMNS if n != "session"),
        finish=_with_trailing if "trailing" in transform.parameters else _as_they_are,
        derived=_derived(scope, transform),
        refusals=refused_sql(transform, _named(states), scope.start, _key(transform)),
    )
    if not zoned:
        return whole
    first = _with_trailing(_bars(transform, scope, 0, states[0], unique=unique), "0", ())
    values = ", ".join(f"q.{name}" for name in whole.values)
    return replace(
        whole,
        prelude=changed_zones.zones_sql(states),
        touched=changed_zones.TOUCHED_JOIN,
        unchanged=f"SELECT {values} FROM {changed_zones.untouched(first)}",
    )


def _bars(
    transform: Transform,
    scope: Scope,
    number: int,
    state: State,
    *,
    unique: bool,
    joined: str = "",
) -> str:
    checked = transform.checked
    if not _in_sessions(transform):
        checked = f"{checked} AND ({on_date(scope.start)})"
    return transform.fill(
        state=number,
        landing_ids=listed(state.landing_ids),
        trade_date=literal(scope.start),
        checked=checked,
        place="1" if unique else _place(_key(transform)),
        closed=CLOSED,
        zones=joined,
        filed=filed_sql(scope.start),
    )


def _with_trailing(bars: str, name: str, apart: tuple[str, ...]) -> str:
    return Template(MINUTE_BARS.parameters["trailing"]).substitute(
        bars=bars,
        name=name,
        columns=", ".join((*apart, *BAR_COLUMNS)),
        series=", ".join((*apart[:1], "symbol")),
    )


def _as_they_are(bars: str, name: str, apart: tuple[str, ...]) -> str:
    del name, apart
    return bars


def _derived(scope: Scope, transform: Transform) -> dict[str, str]:
    has_currency = "currency" in transform.output.column_names
    return ({"currency": literal(DOLLAR)} if has_currency else {}) | {
        "source": literal(scope.source),
        "dataset": literal(scope.dataset),
        "trade_date": literal(scope.start),
        "bar_start": BAR_START,
    }


def _in_sessions(transform: Transform) -> bool:
    """Return True if a session gives a bar its trade date, not its file."""
    return "sessions" in transform.inputs


def _key(transform: Transform) -> tuple[str, ...]:
    """Return the columns that tell rows of one state of one trade date apart."""
    return tuple(n for n in ("symbol", "bar_start_ns") if n in transform.output.key)


def _named(states: Sequence[State]) -> str:
    """Return the text of the bronze rows of all states, in silver's names."""
    return (
        "SELECT landing_id, row_number, file_date, ticker AS symbol, "
        "window_start AS bar_start_ns, open, high, low, close, volume, transactions "
        f"FROM bars WHERE landing_id IN ({landing_ids(states)})"
    )


def _place(key: tuple[str, ...]) -> str:
    return (
        f"ROW_NUMBER() OVER (PARTITION BY {', '.join(key)} ORDER BY transactions DESC, "
        "volume DESC, row_number DESC, landing_id DESC)"
    )
