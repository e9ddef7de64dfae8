"""An LRU of plans and small answers that can never be stale.

A key holds everything that an answer depends on: the exact state of each table (its pointer), the
moment, and the query. An answer to "now" is kept under the word `current` with the span of
time in which no version becomes known, and is not given outside of it.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from ingot.model.time import FOREVER

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping
    from datetime import datetime

    from ingot.model.time import AsOf

CURRENT: Final = "current"
_LARGEST_SHARE: Final = 4
"""An entry larger than the limit divided by this is not kept: it would push out too many."""


@dataclass(frozen=True, slots=True)
class Key:
    """What an answer depends on."""

    pointers: tuple[tuple[str, str], ...]
    moment: str
    """`current`, or the instant of known_at."""
    query: Hashable

    @classmethod
    def of(cls, pointers: Mapping[str, str], as_of: AsOf, query: Hashable) -> Key:
        """Return the key of a query.

        Args:
            pointers: For each table that is read, what names its exact state; where landings
                bind it, what names the state of the ledger as well.
            as_of: The moment asked for.
            query: The text or the request, with whatever settings shape the answer.
        """
        moment = CURRENT if as_of.is_now else as_of.known_at.isoformat()
        return cls(tuple(sorted(pointers.items())), moment, query)


@dataclass(frozen=True, slots=True)
class _Entry:
    value: Any
    size_bytes: int
    since: datetime
    until: datetime


class Cache:
    """Keeps the answers used last, within a number of bytes; safe to use from several threads."""

    def __init__(self, limit_bytes: int) -> None:
        """Make an empty cache; a limit of 0 keeps nothing."""
        self._limit = limit_bytes
        self._entries: OrderedDict[Key, _Entry] = OrderedDict()
        self._size = 0
        self._lock = Lock()

    def get(self, key: Key, now: datetime) -> Any | None:  # noqa: ANN401  # as it was put
        """Return what is kept under `key`, or None.

        An answer to `current` is given only while `now` is in its span.
        """
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                return None
            if key.moment == CURRENT and not entry.since <= now < entry.until:
                return None
            self._entries.move_to_end(key)
            return entry.value

    def put(
        self,
        key: Key,
        value: object,
        *,
        size_bytes: int,
        now: datetime,
        until: datetime = FOREVER,
    ) -> None:
        """Keep `value`, and forget what was used longest ago where room is needed.

        Args:
            key: What it depends on.
            value: Anything that is not changed later.
            size_bytes: Its size; a value above a quarter of the limit is not kept.
            now: The moment at which it was answered.
            until: For `current`: the next known_from after `now` among the rows read, from when
                on the answer differs.
        """
        with self._lock:
            self._drop(key)
            if size_bytes * _LARGEST_SHARE > self._limit:
                return
            self._entries[key] = _Entry(value, size_bytes, now, until)
            self._size += size_bytes
            while self._size > self._limit:
                self._drop(next(iter(self._entries)))

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._entries.clear()
            self._size = 0

    @property
    def size_bytes(self) -> int:
        """Bytes kept now."""
        return self._size

    def __len__(self) -> int:
        """Return how many values are kept."""
        return len(self._entries)

    def _drop(self, key: Key) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._size -= entry.size_bytes
