"""A short report of findings that a person can read."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from ingot.quality.reconcile.causes import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingot.quality.reconcile.compare import Compared

_EXAMPLES: Final = 2
"""Examples of each kind and cause."""
_LISTED: Final = 12
"""Kinds and causes with examples, at most."""


def report(compared: Compared, *, a: str, b: str) -> str:
    """Return what a comparison found, as lines of text.

    Args:
        compared: The findings.
        a: The first side as it was named.
        b: The second side.
    """
    return "\n".join(_lines(compared, a, b)) + "\n"


def _lines(compared: Compared, a: str, b: str) -> Iterator[str]:
    yield f"a  {a}: {compared.bars_a:,} bars"
    yield f"b  {b}: {compared.bars_b:,} bars"
    yield f"compared at {compared.interval}, prices {compared.basis}"
    rows = compared.findings.to_pylist()
    if not rows:
        yield "no difference"
        return
    errors = sum(not row["legal"] for row in rows)
    yield f"{errors:,} findings, and {len(rows) - errors:,} differences that are legal"
    counts = Counter((row["legal"], row["kind"], row["cause"]) for row in rows)
    yield ""
    yield f"{'kind':<18}{'cause':<23}{'findings':>9}"
    for (legal, kind, cause), count in sorted(counts.items()):
        yield f"{kind:<18}{cause:<23}{count:>9,}{'  legal' if legal else ''}"
    yield ""
    for key in sorted(counts)[:_LISTED]:
        yield from _examples(key, rows)


def _examples(key: tuple[bool, str, str], rows: list[dict[str, Any]]) -> Iterator[str]:
    mine = [r for r in rows if (r["legal"], r["kind"], r["cause"]) == key]
    mine.sort(key=lambda r: -abs(r["difference_pct"] or 0))
    yield f"{key[1]} {key[2]}"
    for row in mine[:_EXAMPLES]:
        yield f"  {_where(row)}: {_values(row)}"
        shown = {n: v for n, v in json.loads(row["evidence"]).items() if v is not None}
        if shown:
            yield f"    {', '.join(f'{n} {v}' for n, v in shown.items())}"


def _where(row: dict[str, Any]) -> str:
    start = row["bar_start"]
    clock = "" if start is None or start.hour == start.minute == 0 else f" {start:%H:%M} UTC"
    return f"{row['symbol'] or '-'} {row['trade_date'] or ''}{clock}".strip()


def _values(row: dict[str, Any]) -> str:
    if row["side"] and row["fields"] == "bar":
        return f"not in {row['side']}"
    if row["kind"] == Kind.REFUSED:
        return f"{row['fields']} cannot be read in {row['side']}"
    if row["side"]:
        return f"more than once in {row['side']}"
    a, b = (f"{v:g}" if v is not None else "nothing" for v in (row["value_a"], row["value_b"]))
    apart = f" ({row['difference_pct']:+.4g} %)" if row["difference_pct"] is not None else ""
    return f"{row['fields']}: {a} in a, {b} in b{apart}"
