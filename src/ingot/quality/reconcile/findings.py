"""Findings: what differs, why it likely does, and the evidence, one row per cause and key."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from ingot.quality.checks.source_schemas import Verdict
from ingot.quality.reconcile.causes import Cause, Kind
from ingot.quality.reconcile.pairs import PRICES, STATED, first_date, last_date
from ingot.quality.reconcile.sections import SIDES, either_way, section

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ingot.quality.checks.source_schemas import Change

NAMED: Final = "causes.named"
"""Prefix of the relations that the texts of the causes gave."""
_SCHEMA_TYPES: Final[dict[str, pa.DataType]] = {
    "kind": pa.string(),
    "cause": pa.string(),
    "legal": pa.bool_(),
    "symbol": pa.string(),
    "trade_date": pa.date32(),
    "bar_start": pa.timestamp("us", tz="UTC"),
    "side": pa.string(),
    "fields": pa.string(),
    "value_a": pa.float64(),
    "value_b": pa.float64(),
    "difference_pct": pa.float64(),
    "evidence": pa.string(),
}
SCHEMA: Final = pa.schema(list(_SCHEMA_TYPES.items()))
"""`side` is a or b: the one that lacks the bar or has it twice. `fields` are the values that
differ; `value_a` and `value_b` those of the field that differs most."""


def findings(named: Sequence[str], *, earlier: str = "") -> str:
    """Return the text of all findings, worst first.

    Args:
        named: Names of the relations that causes are in.
        earlier: Where the sides are one table at two moments, a or b, the earlier one: what it
            lacks came late.
    """
    causes = (f"SELECT symbol, start_ns, measure, cause, basis, evidence FROM {n}" for n in named)
    # Before the other side begins, a bar is missing only where a shift of labels explains it.
    has_begun = (
        f"(f.side <> '{side}' OR f.trade_date >= coalesce({first_date(side)}, f.trade_date))"
        for side in "ab"
    )
    return section(
        "findings",
        "findings",
        found=" UNION ALL ".join(_found(earlier)),
        order=" ".join(f"WHEN '{cause}' THEN {i}" for i, cause in enumerate(Cause)),
        causes=" UNION ALL ".join(causes),
        has_begun=" AND ".join(has_begun),
        legal=", ".join(f"'{cause}'" for cause in Cause if cause.is_legal),
    )


def _found(earlier: str) -> Iterator[str]:
    """Yield the texts of what differs, before any cause."""
    for side, other in SIDES:
        is_late = str(side == earlier).lower() if earlier else f"trade_date > {last_date(side)}"
        values = {f"value_{side}": "NULL", f"value_{other}": f"close_{other}"}
        yield section("findings", "missing", one=side, is_late=is_late, **values)
    yield either_way("findings", ["duplicate"])
    measures = {**dict.fromkeys(PRICES, "price"), **{n: n for n in ("volume", *STATED)}}
    for nth, (field, measure) in enumerate(measures.items()):
        yield section("findings", "drift", field=field, measure=measure, nth=nth)


def schema_findings(changes: Iterable[tuple[str, Change]]) -> pa.Table:
    """Return changes of sources' columns as findings."""
    rows = []
    for source, change in changes:
        evidence = {"source": source, "what": change.what, "was": change.was, "now": change.now}
        rows.append(
            {
                "kind": Kind.SCHEMA_DRIFT.value,
                "cause": Cause.SCHEMA_CHANGE.value,
                "legal": change.verdict is Verdict.FULL,
                "fields": change.column,
                "evidence": json.dumps({**evidence, "compatibility": change.verdict.value}),
            }
        )
    return pa.Table.from_pylist(rows, schema=SCHEMA)
