"""What no longer counts: records whose snapshot a rollback took, or that a repair made void."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

ENTRIES: Final = (
    "SELECT name, number, source, dataset, start, end, coalesce(landing_id, 0), digest, "
    "snapshot_id, is_void, text FROM units WHERE table_name = ? "
    "ORDER BY source, dataset, start, end, landing_id, number, digest"
)
"""Query for the done records of a table, as `Entry` takes them."""


class Entry(NamedTuple):
    """One done record, as far as it decides whether the record is void."""

    name: str
    number: int
    source: str
    dataset: str
    start: str
    end: str
    landing_id: int
    digest: str
    snapshot_id: int | None
    is_void: int
    text: str

    @property
    def scope(self) -> tuple[object, ...]:
        """The scope whose rows the record is about."""
        return self[2:7]


def decide(
    entries: Iterable[Entry], lasting: Collection[int], repaired: Collection[tuple[str, int]]
) -> Iterator[tuple[Entry, bool]]:
    """Yield each record with whether it is void, scope by scope in order.

    A record that committed nothing found its scope as the record before left it, so it is void
    where that one is.
    """
    for _, records in groupby(entries, key=lambda entry: entry.scope):
        is_void = False
        for record in records:
            if record.snapshot_id is not None:
                is_void = record.snapshot_id not in lasting
            yield record, is_void or (record.name, record.number) in repaired
