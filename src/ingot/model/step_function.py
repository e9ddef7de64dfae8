"""Values over known time: what a function of the versions in force gives, and for how long."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, TypeVar

from ingot.model.time import FOREVER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

EVER: Final = datetime(1900, 1, 1, tzinfo=UTC)
"""Before anything was known."""
Value = TypeVar("Value")
State = TypeVar("State")
Version = tuple[Value, datetime, datetime]
"""A value, and the known time `[from, to)` in which it is in force."""
Steps = Sequence[tuple[datetime, State]]
"""From when each state holds, ascending from `EVER`."""


def steps(
    versions: Sequence[Version[Value]], state: Callable[[list[Value]], State]
) -> Steps[State]:
    """Return what a function of the values in force gives at each moment at which it changes.

    >>> from datetime import timedelta
    >>> day = EVER + timedelta(days=1)
    >>> [value for _, value in steps([("a", EVER, day), ("b", day, FOREVER)], "".join)]
    ['a', 'b']
    """
    moments = {moment for _, since, until in versions for moment in (since, until)}
    found: list[tuple[datetime, State]] = []
    for moment in sorted({EVER, *moments} - {FOREVER}):
        now = state([value for value, since, until in versions if since <= moment < until])
        if not found or found[-1][1] != now:
            found.append((moment, now))
    return found


def lasting(taken: Steps[State], parts: Callable[[State], Iterable[Value]]) -> list[Version[Value]]:
    """Return for how long each part of the states lasts.

    >>> from datetime import timedelta
    >>> day = EVER + timedelta(days=1)
    >>> [(v, a == EVER, b == FOREVER) for v, a, b in lasting([(EVER, "ab"), (day, "bc")], list)]
    [('a', True, False), ('b', True, True), ('c', False, True)]
    """
    begun: dict[Value, datetime] = {}
    found: list[Version[Value]] = []
    for moment, state in taken:
        now = dict.fromkeys(parts(state))
        found += [(v, begun.pop(v), moment) for v in list(begun) if v not in now]
        begun |= {v: moment for v in now if v not in begun}
    return [*found, *((v, since, FOREVER) for v, since in begun.items())]
