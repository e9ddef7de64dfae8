"""Joins two aligned sides: which keys differ, in which values, and by how much."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from ingot.quality.reconcile.align import EXTRAS

A: Final = "aligned.a"
B: Final = "aligned.b"
"""Names of the aligned sides in these texts."""
ENDS: Final = "aligned.ends"
"""Name of the relation of each side's span, (side, first_date, last_date): a date that no more than
a few symbols have, for their labels are off, is not the end of a side."""
_FEW: Final = 0.5
_REACH_DAYS: Final = 4
PRICES: Final = ("open", "high", "low", "close")
STATED: Final = ("adj_close", "dividend", "split")
"""Values that only some sources state; compared where both do."""
_STATED_TICK: Final = Decimal("0.00005")
_BESIDE: Final = (*EXTRAS, "known_from", "copies", "variants", "session", "bars")


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far apart two values may be and still be the same, from either side."""

    price_pct: Decimal = Decimal("0.01")
    """Percent of the larger price."""
    volume_pct: Decimal = Decimal("0.01")
    """Percent of the larger volume."""
    ticks: tuple[Decimal, Decimal] = (Decimal(0), Decimal(0))
    """Smallest price step of each side; half the larger one does not count. 0: 0.01, and 0.0001
    below 1 (Rule 612)."""

    def half_tick_of(self, price: str) -> str:
        """Return the SQL of half the larger tick at a price."""
        by_price = f"CASE WHEN abs({price}) < 1 THEN 0.00005 ELSE 0.005 END"
        halves = [decimal(tick / 2) if tick > 0 else by_price for tick in self.ticks]
        return f"greatest({', '.join(halves)})"

    def price_differs(self, a: str, b: str) -> str:
        """Return the SQL that is true where two prices, decimals, are not the same; never null."""
        return _differs(a, b, self.price_pct, self.half_tick_of(_larger(a, b)))

    def volume_differs(self, a: str, b: str) -> str:
        """Return the SQL that is true where two volumes, decimals, are not the same; never null."""
        return _differs(a, b, self.volume_pct, "0")


def _differs(a: str, b: str, percent: Decimal, least: str) -> str:
    share, larger = decimal(percent / 100), f"CAST({_larger(a, b)} AS DECIMAL(24,6))"
    return (
        f"(({a} IS NULL) <> ({b} IS NULL) OR coalesce(({a} = 0) <> ({b} = 0), false) OR "
        f"coalesce(abs({a} - {b}) > greatest({share} * {larger}, {least}), false))"
    )


def _larger(a: str, b: str) -> str:
    return f"greatest(abs({a}), abs({b}))"


def decimal(value: Decimal) -> str:
    """Return a literal that a value of DECIMAL(24,6) can be multiplied by, exactly."""
    return f"CAST('{value:.10f}' AS DECIMAL(14,10))"


def joined(tolerance: Tolerance) -> str:
    """Return the text of every key of either side with the values of both, and what differs.

    Values are decimals. `price_differs`, `volume_differs`, `adj_close_differs`, `dividend_differs`
    and `split_differs` say whether they differ; a key that only one side has differs in none.
    """
    both = "a.symbol IS NOT NULL AND b.symbol IS NOT NULL"
    values = (*PRICES, "volume", "transactions", *STATED)
    columns = [
        "coalesce(a.symbol, b.symbol) AS symbol",
        "coalesce(a.trade_date, b.trade_date) AS trade_date",
        "coalesce(a.start_ns, b.start_ns) AS start_ns",
        "a.symbol IS NOT NULL AS in_a",
        "b.symbol IS NOT NULL AS in_b",
        *(f"{s}.{v} AS {v}_{s}" for v in (*values, *_BESIDE) for s in "ab"),
        *(f"{both} AND {_differing(tolerance, n)} AS {n}_differs" for n in (*PRICES, *STATED)),
        f"{both} AND {tolerance.volume_differs('a.volume', 'b.volume')} AS volume_differs",
    ]
    text = (
        f"SELECT {', '.join(columns)} FROM {A} AS a FULL JOIN {B} AS b "
        "ON a.symbol = b.symbol AND a.start_ns = b.start_ns"
    )
    any_price = " OR ".join(f"{n}_differs" for n in PRICES)
    return f"SELECT *, {any_price} AS price_differs FROM ({text})"


def _differing(tolerance: Tolerance, name: str) -> str:
    a, b = f"a.{name}", f"b.{name}"
    if name in PRICES:
        return tolerance.price_differs(a, b)
    fine = replace(tolerance, ticks=(_STATED_TICK, _STATED_TICK))
    return f"({a} IS NOT NULL AND {b} IS NOT NULL AND {fine.price_differs(a, b)})"


def suspects() -> str:
    """Return the condition that a joined key needs a cause."""
    differs = " OR ".join(f"{n}_differs" for n in ("price", "volume", *STATED))
    return f"(NOT in_a OR NOT in_b OR {differs} OR copies_a > 1 OR copies_b > 1)"


def ends() -> str:
    """Return the text of the first and last date with at least half of each side's usual bars."""
    return " UNION ALL ".join(
        f"SELECT '{side}' AS side, min(trade_date) AS first_date, "
        "max(trade_date) AS last_date FROM "
        f"(SELECT trade_date, count(*) AS bars FROM {table} GROUP BY trade_date) "
        f"WHERE bars >= {_FEW} * (SELECT median(bars) FROM "
        f"(SELECT count(*) AS bars FROM {table} GROUP BY trade_date))"
        for side, table in (("a", A), ("b", B))
    )


def last_date(side: str) -> str:
    """Return the SQL of a side's last date."""
    return f"(SELECT last_date FROM {ENDS} WHERE side = '{side}')"


def first_date(side: str) -> str:
    """Return the SQL of a side's first date."""
    return f"(SELECT first_date FROM {ENDS} WHERE side = '{side}')"


def within() -> str:
    """Return the condition that a joined key is not long before the other side begins.

    Labels may be a few days off, so that far a key counts.
    """
    return " AND ".join(
        f"(in_{side} OR trade_date >= coalesce({first_date(side)}, trade_date) - {_REACH_DAYS})"
        for side in "ab"
    )
