"""From one state to a history: the union of all states, collapsed to versions, as SQL text.

A key's version is in force while consecutive states hold an equal row for it; a changed, new or
vanished row opens or closes an interval `[known_from, known_to)`.

A refused row deletes nothing. A bar that a state's file no longer has, while one of the file's
refused rows may be that bar, stays as it was in the state before, marked `stale_refused`; it is a
bar of the state like any other, so that the windows of its neighbours hold it too. A refused row
may be each bar of its file that agrees with the parts of the key that could be read.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

from ingot.model.time import FOREVER
from ingot.transforms.sql_literals import listed, literal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from ingot.model.unit import Scope
    from ingot.transforms.transform import Transform

_STALE = "stale_refused"


@dataclass(frozen=True, slots=True)
class State:
    """What a trade date was made of from a change point on: the files then in force."""

    known_from: datetime
    landing_ids: tuple[int, ...]


@dataclass(frozen=True)
class History:
    """A transform, the texts of the states that it went through, and how they become rows."""

    transform: Transform
    states: Sequence[State]
    """Ascending by `known_from`, at least one."""
    texts: Sequence[str]
    """The accepted bars of each state: `file_date` and `columns`."""
    columns: tuple[str, ...]
    finish: Callable[[str, str, tuple[str, ...]], str]
    """Adds to a text of bars what follows from the bars around them: text, a name that makes its
    CTEs unique, columns beside `columns` to pass on, the first of which keeps series apart."""
    derived: Mapping[str, str]
    """Output columns that `finish` does not give, as expressions over those that it does."""
    refusals: str
    """Text that gives landing_id, file_date and key of all refused rows, null where unreadable."""
    prelude: str = ""
    """CTEs that the texts read, if any."""
    touched: str = ""
    """Join that keeps of rows `q` those that may differ between states; all if it is empty."""
    unchanged: str = ""
    """Text of the whole rows that are the same in all states, which `touched` leaves out."""

    def __post_init__(self) -> None:
        """Refuse states that are none or out of order."""
        moments = [state.known_from for state in self.states]
        if not moments or sorted(set(moments)) != moments:
            raise ValueError(f"at least one state, and states that ascend; there were {moments}")

    def sql(self) -> str:
        """Return the whole history in the output's column order and sort."""
        if len(self.states) == 1:
            return self._one_state()
        return self._many_states()

    @property
    def key(self) -> tuple[str, ...]:
        """Columns that tell rows of one state apart."""
        given = (*self.derived, self.transform.output.KNOWN_FROM)
        return tuple(n for n in self.transform.output.key if n not in given)

    @property
    def values(self) -> tuple[str, ...]:
        """All columns that a state gives, the key's first, without `stale_refused`."""
        output = self.transform.output
        given = {*self.derived, *self.key, _STALE, output.KNOWN_FROM, output.KNOWN_TO}
        return (*self.key, *(n for n in output.column_names if n not in given))

    def _one_state(self) -> str:
        """Sort before the constants are added: fewer columns to move."""
        selected = self._selected(
            stale="FALSE", first=literal(self.states[0].known_from), until=literal(FOREVER)
        )
        return (
            f"SELECT {selected}\nFROM (\nSELECT * FROM (\n{self.finish(self.texts[0], '1', ())}"
            f") AS one\nORDER BY {', '.join(self.key)}\n) AS sorted_rows"
        )

    def _many_states(self) -> str:
        values, key = ", ".join((*self.values, _STALE)), ", ".join(self.key)
        kinds = [f"SELECT {values}, first_state, end_state FROM versions"]
        if self.unchanged:
            kinds.append(
                f"SELECT {', '.join(self.values)}, FALSE AS {_STALE}, 1 AS first_state, "
                f"{len(self.states) + 1} AS end_state FROM (\n{self.unchanged}) AS unchanged"
            )
        selected = self._selected(
            stale=_STALE, first=self._moments("first_state"), until=self._moments("end_state")
        )
        prelude = f"{self.prelude},\n" if self.prelude else ""
        return (
            f"WITH {prelude}{self._bars()},\n{self._versions()}\n"
            f"SELECT {selected}\nFROM (\nSELECT * FROM (\n"
            + "\nUNION ALL\n".join(kinds)
            + f"\n) AS kinds\nORDER BY {key}, first_state\n) AS sorted_rows"
        )

    def _bars(self) -> str:
        """Return CTEs that end in `state_bars`: accepted bars, and those that refused rows keep.

        A gap is where a bar is absent after a state that had it, `[first_state, end_state)`. The
        bar is kept from its first state on, without a break, while a refused row may be it.
        """
        columns, key = ", ".join(self.columns), ", ".join(self.key)
        accepted = "\nUNION ALL\n".join(
            f"SELECT {number} AS state, file_date, {columns} FROM (\n{text}) AS state_{number}"
            for number, text in enumerate(self.texts, start=1)
        )
        members = ", ".join(
            f"({number}, {landing_id})"
            for number, state in enumerate(self.states, start=1)
            for landing_id in state.landing_ids
        )
        return f"""accepted AS (
{accepted}
),
gaps AS (
SELECT file_date, {columns}, state + 1 AS first_state, next_state AS end_state
FROM (
  SELECT state, file_date, {columns},
    COALESCE(LEAD(state) OVER per_key, {len(self.states) + 1}) AS next_state
  FROM accepted
  WINDOW per_key AS (PARTITION BY {key} ORDER BY state)
) AS followed
WHERE state + 1 < next_state
),
refusals AS (
SELECT DISTINCT m.state, r.file_date, {self._of("r")}
FROM ({self.refusals}) AS r
JOIN (SELECT * FROM (VALUES {members}) AS v(state, landing_id)) AS m
  ON r.landing_id = m.landing_id
),
explained AS (
{self._explained()}
),
kept AS (
SELECT state, first_state, {key}
FROM (
  SELECT state, first_state, {key},
    ROW_NUMBER() OVER (PARTITION BY {key}, first_state ORDER BY state) AS place
  FROM explained
) AS in_order
WHERE state = first_state + place - 1
),
state_bars AS (
SELECT state, FALSE AS {_STALE}, {columns} FROM accepted
UNION ALL
SELECT k.state, TRUE AS {_STALE}, {self._of("g", self.columns)}
FROM kept AS k
JOIN gaps AS g ON k.first_state = g.first_state AND {self._all("k.{0} = g.{0}")}
)"""

    def _explained(self) -> str:
        """Return the text of the states of gaps in which a refused row may be the bar.

        One join for each way in which a key can be read in part: each has equalities alone.
        """
        joins = []
        for readable in product((True, False), repeat=len(self.key)):
            parts = [
                f"r.{name} = g.{name}" if known else f"r.{name} IS NULL"
                for name, known in zip(self.key, readable, strict=True)
            ]
            joins.append(
                f"SELECT r.state, g.first_state, {self._of('g')}\nFROM gaps AS g\n"
                "JOIN refusals AS r ON r.file_date = g.file_date AND r.state >= g.first_state "
                f"AND r.state < g.end_state AND {' AND '.join(parts)}"
            )
        return "\nUNION\n".join(joins)

    def _versions(self) -> str:
        """Return CTEs that end in `versions`: runs of equal rows, `[first_state, end_state)`."""
        count = len(self.states)
        names = (*self.values, _STALE)
        values, key = ", ".join(names), ", ".join(self.key)
        same = " AND ".join(
            f"LAG({name}) OVER per_key = {name}" for name in names if name not in self.key
        )
        rows = self.finish("SELECT * FROM state_bars", "all", ("state", _STALE))
        return f"""marked AS (
SELECT state, {values},
  CASE WHEN LAG(state) OVER per_key = state - 1 AND {same} THEN 0 ELSE 1 END AS starts,
  CASE WHEN state < {count} AND COALESCE(LEAD(state) OVER per_key, 0) <> state + 1
    THEN 1 ELSE 0 END AS vanishes
FROM (
SELECT {self._of("q", ("state", *names))} FROM (
{rows}) AS q
{self.touched}) AS state_rows
WINDOW per_key AS (PARTITION BY {key} ORDER BY state)
),
edges AS (
SELECT state, {values}, starts, vanishes,
  LEAD(state) OVER per_key AS next_state, LEAD(starts) OVER per_key AS next_starts
FROM marked
WHERE starts = 1 OR vanishes = 1
WINDOW per_key AS (PARTITION BY {key} ORDER BY state)
),
versions AS (
SELECT {values}, state AS first_state,
  CASE WHEN vanishes = 1 THEN state + 1 WHEN next_state IS NULL THEN {count + 1}
    WHEN next_starts = 1 THEN next_state ELSE next_state + 1 END AS end_state
FROM edges
WHERE starts = 1
)"""

    def _selected(self, *, stale: str, first: str, until: str) -> str:
        output = self.transform.output
        given = {
            **self.derived,
            _STALE: stale,
            output.KNOWN_FROM: first,
            output.KNOWN_TO: until,
        }
        return ",\n  ".join(
            f"{given[name]} AS {name}" if given.get(name, name) != name else name
            for name in output.column_names
        )

    def _moments(self, column: str) -> str:
        """Return the change point of a state number, FOREVER after the last."""
        cases = " ".join(
            f"WHEN {number} THEN {literal(state.known_from)}"
            for number, state in enumerate(self.states, start=1)
        )
        return f"CASE {column} {cases} ELSE {literal(FOREVER)} END"

    def _all(self, condition: str) -> str:
        return " AND ".join(condition.format(name) for name in self.key)

    def _of(self, relation: str, columns: tuple[str, ...] | None = None) -> str:
        return ", ".join(f"{relation}.{name}" for name in columns or self.key)


def landing_ids(states: Sequence[State]) -> str:
    """Return the ids of all landings of the states, ascending, between commas."""
    return listed(sorted({i for state in states for i in state.landing_ids}))


def versioned_sql(
    transform: Transform, scope: Scope, *, constants: Mapping[str, str] | None = None, **parts: str
) -> str:
    """Return the text of the history that a transform's rows at change points make.

    The transform's text gives the output's key, `moment`, `present` (1, or 0 where the key has no
    row from the moment on) and the values, one row per key and change point. Rows of a key whose
    values are equal, nulls included, are one version.

    Args:
        transform: Its text may name $source, $dataset, $start, $end and $forever.
        scope: The rows that the text gives.
        constants: Expressions of output columns that the text does not give, beside source and
            dataset.
        **parts: What else is filled into the text.
    """
    output = transform.output
    bounds = {"source": literal(scope.source), "dataset": literal(scope.dataset)}
    given = bounds | dict(constants or {})
    known = {output.KNOWN_FROM, output.KNOWN_TO}
    key = tuple(n for n in output.key if n not in {*given, *known})
    values = tuple(n for n in output.column_names if n not in {*given, *key, *known})
    bounds |= {"start": literal(scope.start), "end": literal(scope.end)}
    names = ", ".join((*key, *values))
    same = " AND ".join(f"{name} IS NOT DISTINCT FROM LAG({name}) OVER per_key" for name in values)
    window = f"WINDOW per_key AS (PARTITION BY {', '.join(key)} ORDER BY moment)"
    selected = ", ".join(f"{given[n]} AS {n}" if n in given else n for n in output.column_names)
    return f"""WITH moments AS (
{transform.fill(**(bounds | {"forever": literal(FOREVER)} | parts))}
),
marked AS (
SELECT {names}, moment, present,
  CASE WHEN present = 1 AND LAG(present) OVER per_key = 1 AND {same} THEN 0 ELSE 1 END AS starts
FROM moments
{window}
),
edges AS (
SELECT {names}, present, moment AS known_from,
  COALESCE(LEAD(moment) OVER per_key, {literal(FOREVER)}) AS known_to
FROM marked
WHERE starts = 1
{window}
)
SELECT {selected}
FROM edges
WHERE present = 1
ORDER BY {", ".join(output.sort)}"""
