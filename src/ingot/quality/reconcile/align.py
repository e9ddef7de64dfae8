"""Brings a side to the bars at which both sides meet: one width, label, unit and session set.

Every text here gives the columns of `CELLS`, one row per symbol and bar. Day bars made of minutes
take their prices from the regular session and have beside them what else a vendor may count.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Final

from ingot.quality.reconcile.inputs import SHARES_PER_LOT, Side
from ingot.quality.reconcile.sections import section

_section: Final = partial(section, "align")
_SIX: Final = "DECIMAL(18,6)"
_SUM: Final = "DECIMAL(24,6)"
_WIDE: Final = "DECIMAL(19,6)"
"""A type whose products DuckDB computes in 128 bits: those of DECIMAL(18,6) may overflow."""
CELLS: Final = {
    "symbol": "VARCHAR",
    "trade_date": "DATE",
    "start_ns": "BIGINT",
    "session": "VARCHAR",
    "open": _SIX,
    "high": _SIX,
    "low": _SIX,
    "close": _SIX,
    "volume": _SUM,
    "transactions": "BIGINT",
    "adj_close": _SIX,
    "dividend": _SIX,
    "split": _SIX,
    "known_from": "TIMESTAMP WITH TIME ZONE",
    "copies": "BIGINT",
    "variants": "BIGINT",
    "all_open": _SIX,
    "all_high": _SIX,
    "all_low": _SIX,
    "all_close": _SIX,
    "auction_low": _SIX,
    "auction_high": _SIX,
    "volume_regular": _SUM,
    "volume_outside": _SUM,
    "bars": "BIGINT",
}
"""Columns of an aligned bar. `volume` counts every session that the side has; `copies` is how
often the key occurs, `variants` with how many different values; `all_*` are prices over every
session, `auction_*` the range of the bar that starts at the close, `bars` how many it is of."""
SESSIONS: Final = "quality.sessions"
"""Name of the relation of sessions (columns of silver.sessions) in these texts."""
ACTIONS: Final = "quality.actions"
"""Name of the relation of corporate actions: symbol, ex_date, ratio, cash."""
_ROWS: Final = ("symbol", "trade_date", "start_ns", "open", "high", "low", "close", "volume")
_OPTIONAL: Final = ("session", "transactions", "adj_close", "dividend", "split", "known_from")
_SCALED: Final = ("open", "high", "low", "close", "adj_close", "dividend")
EXTRAS: Final = tuple(name for name in CELLS if name.startswith(("all_", "auction_", "volume_")))
"""Columns that day bars made of minutes have beside those of the regular session."""


@dataclass(frozen=True, slots=True)
class Rows:
    """A relation of bars as a side keeps them, and which optional columns it has."""

    name: str
    """Name of the relation in the text."""
    columns: tuple[str, ...]
    unique: bool = True
    """True where no key occurs twice."""
    bronze: bool = False
    """True where columns are the vendor's own."""
    extras: bool = False
    """True for gold.daily_bars, which has values of minutes outside the regular session, too."""


def aligned(rows: Rows, side: Side, target: str, *, adjust_to: str, shift_ns: int = 0) -> str:
    """Return the text that gives a side's bars at the width `target`.

    Args:
        rows: The relation.
        side: What it is.
        target: Width at which both sides meet; at least the side's own.
        adjust_to: Basis at which both meet; a raw side is adjusted by the actions.
        shift_ns: Added to every label, to see whether the sides agree then.
    """
    label = side.width_ns if side.label == "end" and side.is_intraday else 0
    text = _plain(rows, side, shift_ns - label)
    if side.basis == "raw" and adjust_to != "raw":
        text = _adjusted(text, dividends=adjust_to == "total_return")
    wide = Side(interval=target)
    if side.is_intraday and not wide.is_intraday:
        text = _section("days", rows=text)
    if target == "1w":
        text = _section("weeks", rows=_typed(text))
    elif wide.is_intraday and side.interval != target:
        text = _section("buckets", rows=text, width_ns=wide.width_ns)
    return _typed(text)


def _plain(rows: Rows, side: Side, shift_ns: int) -> str:
    """Return a side's rows under the names used here, each key once."""
    picked = _scaled(_picked(rows), side)
    if not side.is_intraday:
        picked["start_ns"] = f"epoch_us({picked['trade_date']}) * 1000"
    if shift_ns:
        picked["start_ns"] = f"{picked['start_ns']} + ({shift_ns})"
    text = f"SELECT {', '.join(f'{sql} AS {n}' for n, sql in picked.items())} FROM {rows.name}"
    if side.is_intraday and "session" not in picked:
        columns = ", ".join(f"r.{n}" for n in picked if n != "trade_date")
        text = _section("with_sessions", rows=text, columns=columns)
        picked["session"] = "session"
    if side.is_intraday and side.sessions == "regular":
        text = f"SELECT * FROM ({text}) WHERE session = 'regular'"
    if rows.unique:
        return f"SELECT *, 1 AS copies, 1 AS variants FROM ({text})"
    return _section("once", rows=text, columns=", ".join(picked))


def _picked(rows: Rows) -> dict[str, str]:
    """Return the names used here with the columns that the relation has for them."""
    own = {name: name for name in (*_ROWS, *_OPTIONAL, *EXTRAS)}
    if "bar_start_ns" in rows.columns:
        own["start_ns"] = "bar_start_ns"
    if rows.bronze:
        own |= {"symbol": "ticker", "start_ns": "window_start", "trade_date": "file_date"}
    found = {name: column for name, column in own.items() if column in rows.columns}
    return found | _GOLD if rows.extras else found


def _scaled(picked: dict[str, str], side: Side) -> dict[str, str]:
    """Bring prices to the other side's unit and volumes to shares."""
    scaled = dict(picked)
    if side.scale != 1:
        factor = f"CAST('{side.scale:f}' AS DECIMAL(18,8))"
        for name in (*_SCALED, *EXTRAS[:6]):
            if name in picked:
                scaled[name] = f"TRY_CAST(CAST({picked[name]} AS {_WIDE}) * {factor} AS {_SIX})"
    if side.unit == "lots":
        scaled["volume"] = f"CAST({picked['volume']} AS {_SUM}) * {SHARES_PER_LOT}"
    return scaled


_GOLD: Final = {
    "volume": "total_volume",
    "auction_low": "least(close_bar_open, close_bar_close)",
    "auction_high": "greatest(close_bar_open, close_bar_close)",
    "volume_regular": "volume",
    "volume_outside": "pre_volume + post_volume",
}
"""The columns here as gold.daily_bars has them."""


def _adjusted(text: str, *, dividends: bool) -> str:
    """Bring raw prices and volumes to the scale after every action that follows their date."""
    prices = ("open", "high", "low", "close")
    adjusted = (
        f"TRY_CAST(CAST(b.{n} AS DOUBLE) * f.price_factor AS {_SIX}) AS {n}" for n in prices
    )
    return _section(
        "adjusted",
        rows=text,
        cash=_section("cash") if dividends else "1",
        actions=_section("with_closes") if dividends else ACTIONS,
        adjusted=", ".join(adjusted),
        plain=", ".join(f"CAST(b.{n} AS {_SIX}) AS {n}" for n in prices),
    )


def _typed(text: str) -> str:
    nothing = ", ".join(f"CAST(NULL AS {sql}) AS {name}" for name, sql in CELLS.items())
    shown = ", ".join(f"CAST({name} AS {sql}) AS {name}" for name, sql in CELLS.items())
    return _section("typed", rows=text, nothing=nothing, shown=shown)
