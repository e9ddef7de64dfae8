"""Brings a side to the bars at which both sides meet: one width, label, unit and session set.

Every text here gives the columns of `CELLS`, one row per symbol and bar. Day bars made of minutes
take their prices from the regular session and carry what else a vendor may count beside them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ingot.quality.reconcile.inputs import SHARES_PER_LOT, Side

if TYPE_CHECKING:
    from collections.abc import Sequence

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
_EXTRAS: Final = (
    "all_open",
    "all_high",
    "all_low",
    "all_close",
    "auction_low",
    "auction_high",
    "volume_regular",
    "volume_outside",
)


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
    """True for gold.daily_bars, which carries what minutes say beside the regular session."""


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
        text = _days_of_bars(text)
        if target == "1w":
            text = _weeks(text)
        return _typed(text)
    if target == "1w":
        return _typed(_weeks(text))
    if side.interval != target:
        text = _buckets(text, wide.width_ns)
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
        text = _sessioned(text, [n for n in picked if n != "trade_date"])
        picked["session"] = "session"
    if side.is_intraday and side.sessions == "regular":
        text = f"SELECT * FROM ({text}) WHERE session = 'regular'"
    if rows.unique:
        return f"SELECT *, 1 AS copies, 1 AS variants FROM ({text})"
    return _once(text, [*picked])


def _picked(rows: Rows) -> dict[str, str]:
    """Return the names used here with the columns that the relation has for them."""
    own = {name: name for name in (*_ROWS, *_OPTIONAL, *_EXTRAS)}
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
        for name in (*_SCALED, *_EXTRAS[:6]):
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
"""How gold.daily_bars says what the columns here mean."""


def _sessioned(text: str, names: Sequence[str]) -> str:
    """Give bars the session and trade date that hold their start; their own date where none."""
    listed = ", ".join(f"r.{n}" for n in names)
    return (
        f"SELECT {listed}, coalesce(s.trade_date, r.trade_date) AS trade_date, "
        f"coalesce(s.session, 'closed') AS session FROM ({text}) AS r LEFT JOIN {SESSIONS} AS s "
        "ON r.start_ns >= s.start_ns AND r.start_ns < s.end_ns"
    )


def _once(text: str, names: Sequence[str]) -> str:
    """Keep one row of each key, by greatest volume, and count how often it occurs."""
    values = "open, high, low, close, volume"
    listed = ", ".join(names)
    return (
        f"SELECT {listed}, copies, variants FROM (SELECT {listed}, "
        "count(*) OVER (PARTITION BY symbol, start_ns) AS copies, "
        f"count(DISTINCT row({values})) OVER (PARTITION BY symbol, start_ns) AS variants, "
        f"row_number() OVER (PARTITION BY symbol, start_ns ORDER BY volume DESC, {values}) AS nth "
        f"FROM ({text})) WHERE nth = 1"
    )


def _buckets(text: str, width_ns: int) -> str:
    """Make wider intraday bars; buckets are anchored at the clock's hours."""
    return (
        f"SELECT symbol, trade_date, start_ns // {width_ns} * {width_ns} AS start_ns, "
        "min(session) AS session, arg_min(open, start_ns) AS open, max(high) AS high, "
        "min(low) AS low, arg_max(close, start_ns) AS close, sum(volume) AS volume, "
        "max(copies) AS copies, max(variants) AS variants, count(*) AS bars "
        f"FROM ({text}) GROUP BY symbol, trade_date, start_ns // {width_ns} * {width_ns}"
    )


def _days_of_bars(text: str) -> str:
    """Make day bars; prices of the regular session, volume of all, the rest beside them."""
    regular = "FILTER (WHERE session = 'regular')"
    at_close = "FILTER (WHERE start_ns = end_ns)"
    return (
        "SELECT symbol, trade_date, epoch_us(trade_date) * 1000 AS start_ns, "
        f"arg_min(open, start_ns) {regular} AS open, max(high) {regular} AS high, "
        f"min(low) {regular} AS low, arg_max(close, start_ns) {regular} AS close, "
        "sum(volume) AS volume, "
        "arg_min(open, start_ns) AS all_open, max(high) AS all_high, min(low) AS all_low, "
        "arg_max(close, start_ns) AS all_close, "
        f"min(low) {at_close} AS auction_low, max(high) {at_close} AS auction_high, "
        f"coalesce(sum(volume) {regular}, 0) AS volume_regular, "
        "coalesce(sum(volume) FILTER (WHERE session <> 'regular'), 0) AS volume_outside, "
        "max(copies) AS copies, max(variants) AS variants, count(*) AS bars "
        f"FROM (SELECT r.*, e.end_ns FROM ({text}) AS r LEFT JOIN (SELECT trade_date, end_ns "
        f"FROM {SESSIONS} WHERE session = 'regular') AS e ON r.trade_date = e.trade_date) "
        "GROUP BY symbol, trade_date"
    )


def _weeks(text: str) -> str:
    """Make weeks that begin on Monday."""
    monday = "CAST(date_trunc('week', trade_date) AS DATE)"
    return (
        f"SELECT symbol, {monday} AS trade_date, epoch_us({monday}) * 1000 AS start_ns, "
        "arg_min(open, start_ns) AS open, max(high) AS high, min(low) AS low, "
        "arg_max(close, start_ns) AS close, sum(volume) AS volume, "
        "max(copies) AS copies, max(variants) AS variants, count(*) AS bars, "
        "arg_max(adj_close, start_ns) AS adj_close, sum(dividend) AS dividend, "
        f"max(split) AS split FROM ({_with_nulls(text)}) GROUP BY symbol, {monday}"
    )


def _with_nulls(text: str) -> str:
    return f"SELECT * FROM ({_typed(text)})"


def _adjusted(text: str, *, dividends: bool) -> str:
    """Bring raw prices and volumes to the scale after every action that follows their date."""
    paid = "CAST(x.cash AS DOUBLE) * x.ratio / x.close_before"  # cash is per new share
    cash = f"(CASE WHEN {paid} < 1 THEN 1 - {paid} ELSE 1 END)" if dividends else "1"
    before = (
        f"(SELECT a.*, (SELECT arg_max(r.close, r.start_ns) FROM bars AS r "
        "WHERE r.symbol = a.symbol AND r.trade_date < a.ex_date) AS close_before "
        f"FROM {ACTIONS} AS a)"
        if dividends
        else ACTIONS
    )
    prices = ", ".join(
        f"TRY_CAST(CAST(b.{n} AS DOUBLE) * f.price_factor AS {_SIX}) AS {n}"
        for n in ("open", "high", "low", "close")
    )
    return (
        f"WITH bars AS ({text}), factors AS (SELECT b.symbol, b.trade_date, "
        f"product({cash} / CAST(x.ratio AS DOUBLE)) AS price_factor, "
        "product(CAST(x.ratio AS DOUBLE)) AS volume_factor "
        f"FROM (SELECT DISTINCT symbol, trade_date FROM bars) AS b JOIN {before} AS x "
        "ON x.symbol = b.symbol AND x.ex_date > b.trade_date GROUP BY b.symbol, b.trade_date) "
        f"SELECT b.* REPLACE ({prices}, TRY_CAST(CAST(b.volume AS DOUBLE) * f.volume_factor "
        f"AS {_SUM}) AS volume) FROM bars AS b JOIN factors AS f USING (symbol, trade_date) "
        "UNION ALL SELECT b.* REPLACE "
        f"(CAST(b.open AS {_SIX}) AS open, CAST(b.high AS {_SIX}) AS high, "
        f"CAST(b.low AS {_SIX}) AS low, CAST(b.close AS {_SIX}) AS close, "
        f"CAST(b.volume AS {_SUM}) AS volume) FROM bars AS b "
        "ANTI JOIN factors AS f USING (symbol, trade_date)"
    )


def _typed(text: str) -> str:
    """Give the columns of `CELLS` in order, null where the text has none."""
    nothing = ", ".join(f"CAST(NULL AS {sql}) AS {name}" for name, sql in CELLS.items())
    shown = ", ".join(f"CAST({name} AS {sql}) AS {name}" for name, sql in CELLS.items())
    return (
        f"SELECT {shown} FROM (SELECT * FROM (SELECT {nothing}) WHERE false "
        f"UNION ALL BY NAME SELECT * FROM ({text}))"
    )
