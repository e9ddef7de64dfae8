"""The corporate actions that count: per symbol, ex-date and kind one source at any moment."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from ingot.tables import silver

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ingot.app.parts import Parts

_ACTIONS: Final = "actions of "
_SCALING: Final = frozenset({"split", "stock_dividend"})


def chosen(rows: pa.Table, sources: Sequence[str]) -> pa.Table:
    """Return versions of actions in which, at any moment, one source speaks of each event.

    The first of the precedence that knows the event at a moment counts; a version of another
    source is cut to the moments before that. Equal splits of one source and date are one.

    Args:
        rows: All versions of silver.corporate_actions.
        sources: Precedence; sources that are not listed come after, by name.
    """
    if rows.num_rows == 0 or (len(rows["source"].unique()) == 1 and not _has_twins(rows)):
        return rows
    groups: dict[tuple[object, ...], list[dict[str, Any]]] = {}
    for row in rows.to_pylist():
        kind = "split" if row["kind"] in _SCALING else row["kind"]
        groups.setdefault((row["symbol"], row["ex_date"], kind), []).append(row)
    kept = [row for group in groups.values() for row in _of_group(group, sources)]
    return pa.Table.from_pylist(kept, schema=rows.schema)


def _of_group(group: list[dict[str, Any]], sources: Sequence[str]) -> list[dict[str, Any]]:
    def rank(source: str) -> tuple[int, str]:
        return (sources.index(source) if source in sources else len(sources), source)

    taken: list[tuple[Any, Any]] = []
    found: list[dict[str, Any]] = []
    for source in sorted({row["source"] for row in group}, key=rank):
        own = [row for row in group if row["source"] == source]
        told: dict[object, list[tuple[Any, Any]]] = {}
        for row in sorted(own, key=lambda r: (r["action_id"], r["known_from"])):
            what = (row["kind"], row["ratio_from"] / row["ratio_to"]) if _scales(row) else object()
            before = [*taken, *told.get(what, ())]
            for since, until in _left(row["known_from"], row["known_to"], before):
                found.append(row | {"known_from": since, "known_to": until})
            told.setdefault(what, []).append((row["known_from"], row["known_to"]))
        taken += [(row["known_from"], row["known_to"]) for row in own]
    return found


def _scales(row: dict[str, Any]) -> bool:
    return row["kind"] in _SCALING and bool(row["ratio_from"]) and bool(row["ratio_to"])


def _has_twins(rows: pa.Table) -> bool:
    """Say whether two actions may be the same split told twice."""
    splits = rows.filter(pc.is_in(rows["kind"], pa.array(sorted(_SCALING))))
    events = splits.group_by(["symbol", "ex_date"]).aggregate([("action_id", "count_distinct")])
    most = pc.max(events["action_id_count_distinct"]).as_py()
    return most is not None and most > 1


def _left(since: Any, until: Any, taken: Sequence[tuple[Any, Any]]) -> list[tuple[Any, Any]]:  # noqa: ANN401  # instants of Arrow
    parts = [(since, until)]
    for a, b in taken:
        parts = [
            piece
            for start, end in parts
            for piece in ((start, min(end, a)), (max(start, b), end))
            if piece[0] < piece[1]
        ]
    return parts


def digests_by_month(rows: pa.Table) -> dict[str, str]:
    """Return what names the versions of the actions of each month of ex-dates, for a record."""
    texts: dict[str, list[str]] = {}
    for row in rows.to_pylist():
        texts.setdefault(f"{_ACTIONS}{row['ex_date']:%Y-%m}", []).append(repr(sorted(row.items())))
    return {
        month: sha256("\n".join(sorted(found)).encode()).hexdigest()[:16]
        for month, found in texts.items()
    }


def months_of(parts: Parts) -> dict[str, tuple[str, ...]]:
    """Return, for each month of ex-dates, what names the actions that are refined of it."""
    found: dict[str, tuple[str, ...]] = {}
    for done in parts.ledger.done_all(silver.CORPORATE_ACTIONS.name):
        for key, digest in done.details.items():
            if key.startswith(_ACTIONS):
                month = key.removeprefix(_ACTIONS)
                found[month] = tuple(sorted((*found.get(month, ()), digest)))
    return found
