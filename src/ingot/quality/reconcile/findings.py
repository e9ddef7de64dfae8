"""Findings: what differs, why it likely does, and the evidence, one row per cause and key."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from ingot.quality.reconcile.causes import PAIRS, Cause, Kind, evidence, number
from ingot.quality.reconcile.schema_drift import PRICES, STATED, first_date, last_date

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    causes = " UNION ALL ".join(
        f"SELECT symbol, start_ns, measure, cause, basis, evidence FROM {n}" for n in named
    )
    unexplained = evidence(
        field="f.field",
        ratio=number("f.value_b / nullif(f.value_a, 0)"),
        bars="count(*) OVER (PARTITION BY f.symbol, f.field)",
    )
    order = " ".join(f"WHEN '{cause}' THEN {i}" for i, cause in enumerate(Cause))
    return (
        f"WITH found AS ({' UNION ALL '.join(_found(earlier))}), "
        f"named AS (SELECT *, CASE cause {order} END AS place FROM ({causes})), "
        "chosen AS (SELECT symbol, start_ns, measure, cause, basis, evidence FROM named "
        "QUALIFY row_number() OVER (PARTITION BY symbol, start_ns, measure ORDER BY place, "
        "evidence) = 1), "
        f"told AS (SELECT f.*, coalesce(c.cause, '{Cause.UNEXPLAINED}') AS cause, "
        f"coalesce(c.basis, false) AS basis, coalesce(c.evidence, {unexplained}) AS evidence, "
        f"CASE WHEN c.cause = '{Cause.RENAMED}' THEN '{Kind.IDENTITY_MISMATCH}' "
        f"WHEN c.basis THEN '{Kind.BASIS_MISMATCH}' ELSE f.kind_found END AS kind "
        "FROM found AS f LEFT JOIN chosen AS c USING (symbol, start_ns, measure) "
        f"WHERE c.cause IS NOT NULL OR f.measure <> 'bar' OR {_begun()}) "
        f"SELECT kind, cause, cause IN ({_legal()}) AS legal, symbol, trade_date, "
        "make_timestamptz(start_ns // 1000) AS bar_start, side, "
        "string_agg(field, ',' ORDER BY nth) AS fields, "
        "arg_max(value_a, abs(coalesce(difference_pct, 0))) AS value_a, "
        "arg_max(value_b, abs(coalesce(difference_pct, 0))) AS value_b, "
        "round(arg_max(difference_pct, abs(coalesce(difference_pct, 0))), 6) AS difference_pct, "
        "min(evidence) AS evidence FROM told "
        "GROUP BY kind, cause, symbol, trade_date, start_ns, side "
        "ORDER BY legal, kind, cause, symbol, start_ns, side"
    )


def _begun() -> str:
    """Before the other side begins, a bar is missing only where a shift of labels explains it."""
    return " AND ".join(
        f"(f.side <> '{side}' OR f.trade_date >= coalesce({first_date(side)}, f.trade_date))"
        for side in "ab"
    )


def _legal() -> str:
    return ", ".join(f"'{cause}'" for cause in Cause if cause.is_legal)


def _found(earlier: str) -> list[str]:
    """Return the texts of what differs, before any cause."""
    texts = [_missing(side, earlier) for side in "ab"]
    texts += [_duplicate(side) for side in "ab"]
    texts += [_drift(n, "price", i) for i, n in enumerate(PRICES)]
    texts += [_drift("volume", "volume", 4)]
    texts += [_drift(n, n, 5 + i) for i, n in enumerate(STATED)]
    return texts


def _missing(side: str, earlier: str) -> str:
    late = f"trade_date > {last_date(side)}"
    if earlier:
        late = "true" if side == earlier else "false"
    has = "b" if side == "a" else "a"
    return (
        "SELECT symbol, trade_date, start_ns, 'bar' AS measure, "
        f"CASE WHEN {late} THEN '{Kind.LATE}' ELSE '{Kind.MISSING}' END AS kind_found, "
        f"'{side}' AS side, 'bar' AS field, 0 AS nth, "
        + ", ".join(f"{'close_' + s if s == has else 'NULL'} AS value_{s}" for s in "ab")
        + f", CAST(NULL AS DOUBLE) AS difference_pct FROM {PAIRS} WHERE NOT in_{side}"
    )


def _duplicate(side: str) -> str:
    other = "b" if side == "a" else "a"
    copies = {side: f"CAST(copies_{side} AS DOUBLE)", other: f"CAST(copies_{other} AS DOUBLE)"}
    return (
        f"SELECT symbol, trade_date, start_ns, 'copies_{side}', '{Kind.DUPLICATE}', '{side}', "
        f"'copies', 0, {copies['a']}, {copies['b']}, CAST(NULL AS DOUBLE) "
        f"FROM {PAIRS} WHERE copies_{side} > 1"
    )


def _drift(field: str, measure: str, nth: int) -> str:
    a, b = f"{field}_a", f"{field}_b"
    return (
        f"SELECT symbol, trade_date, start_ns, '{measure}', '{Kind.VALUE_DRIFT}', "
        f"CAST(NULL AS VARCHAR), '{field}', {nth}, {a}, {b}, "
        f"({b} - {a}) / nullif(abs({a}), 0) * 100 "
        f"FROM {PAIRS} WHERE {field}_differs"
    )


def schema_findings(changes: Sequence[tuple[str, str, str, str, str, str]]) -> pa.Table:
    """Return changes of sources' columns as findings.

    Args:
        changes: Source, column, what happened, type before, type now, verdict.
    """
    rows = [
        {
            "kind": Kind.SCHEMA_DRIFT.value,
            "cause": Cause.SCHEMA_CHANGE.value,
            "legal": verdict == "full",
            "fields": column,
            "evidence": json.dumps(
                {"source": source, "what": what, "was": was, "now": now, "compatibility": verdict}
            ),
        }
        for source, column, what, was, now, verdict in changes
    ]
    return pa.Table.from_pylist(rows, schema=SCHEMA)
