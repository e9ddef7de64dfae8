"""Check rules as data: what must hold of a table's rows, and the SQL of those that break it."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from ingot.errors import QueryError
from ingot.tables import gold, silver
from ingot.tables.contract import Binding

if TYPE_CHECKING:
    from collections.abc import Collection

    from ingot.tables.contract import Table

ROWS: Final = "rows"
"""Name of the checked rows in a rule's SQL."""
SESSIONS: Final = "sessions"
"""Name of the sessions around the span: calendar, trade_date, session, start_ns, end_ns."""
MINUTES: Final = "minutes"
"""Name of silver.minute_bars over the span."""
ERROR: Final = "error"
WARNING: Final = "warning"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of one table."""

    id: str
    table: Table
    dimension: str
    """completeness, accuracy, consistency or timeliness."""
    severity: str
    """error: the rows cannot be right; warning: a person may want to look."""
    doc: str
    sql: str
    """Portable SQL of the rows, or dates, that break it; one row each."""
    history: bool = False
    """True where every version is checked, not only what is known now."""
    is_cheap: bool = False
    """True where it costs one pass over the rows, so that a build can afford it."""


_BAR: Final = "source, dataset, symbol, trade_date"
_MINUTE: Final = f"{_BAR}, bar_start_ns"
_PRICES: Final = "open, high, low, close"


def _about_rows(table: Table, name: str, key: str) -> tuple[Rule, ...]:
    """Return the rules that each bar must keep."""
    return (
        Rule(
            f"{name}_prices_in_order",
            table,
            "accuracy",
            ERROR,
            "Low is the least and high the greatest price, above zero; volume is not negative.",
            f"SELECT {key}, {_PRICES}, volume FROM {ROWS} WHERE low > open OR low > close "
            "OR high < open OR high < close OR low <= 0 OR volume < 0",
            is_cheap=True,
        ),
        Rule(
            f"{name}_known_after_it_began",
            table,
            "timeliness",
            ERROR,
            "No bar is known before it began.",
            f"SELECT {key}, known_from FROM {ROWS} WHERE known_from < bar_start",
            is_cheap=True,
        ),
        Rule(
            f"{name}_interval_is_not_empty",
            table,
            "consistency",
            ERROR,
            "Each version was known for some time: known_from is before known_to.",
            f"SELECT {key}, known_from, known_to FROM {ROWS} WHERE known_from >= known_to",
            history=True,
            is_cheap=True,
        ),
        Rule(
            f"{name}_one_version_at_a_time",
            table,
            "consistency",
            ERROR,
            "The versions of a key follow each other and never overlap.",
            f"SELECT {key}, known_from, known_to, next_from FROM (SELECT {key}, known_from, "
            "known_to, lead(known_from) OVER (PARTITION BY source, dataset, symbol, "
            f"bar_start_ns ORDER BY known_from) AS next_from FROM {ROWS}) AS versions "
            "WHERE next_from < known_to",
            history=True,
        ),
    )


def _about_dates(table: Table, name: str) -> tuple[Rule, ...]:
    """Return the rules that dates must keep."""
    return (
        Rule(
            f"{name}_every_trade_date_has_bars",
            table,
            "completeness",
            WARNING,
            "Each trade date between the first and the last has bars.",
            "SELECT trade_date FROM (SELECT DISTINCT trade_date FROM "
            f"{SESSIONS} WHERE session = 'regular') AS days WHERE trade_date > (SELECT "
            f"min(trade_date) FROM {ROWS}) AND trade_date < (SELECT max(trade_date) FROM "
            f"{ROWS}) AND trade_date NOT IN (SELECT trade_date FROM {ROWS})",
        ),
        Rule(
            f"{name}_symbols_do_not_halve",
            table,
            "completeness",
            WARNING,
            "A trade date has at least half the symbols of the trade date before.",
            "SELECT trade_date, symbols, symbols_before FROM (SELECT trade_date, symbols, "
            "lag(symbols) OVER (ORDER BY trade_date) AS symbols_before FROM (SELECT "
            f"trade_date, count(DISTINCT symbol) AS symbols FROM {ROWS} GROUP BY trade_date) "
            "AS days) AS pairs WHERE 2 * symbols < symbols_before",
        ),
        Rule(
            f"{name}_known_within_four_days",
            table,
            "timeliness",
            WARNING,
            "A bar is known within four days of its trade date.",
            f"SELECT trade_date, min(known_from) AS known_from, count(*) AS bars FROM {ROWS} "
            "WHERE CAST(known_from AS DATE) > trade_date + INTERVAL '4' DAY "
            "GROUP BY trade_date",
        ),
    )


_MINUTE_RULES: Final = (
    Rule(
        "minute_session_holds_it",
        silver.MINUTE_BARS,
        "consistency",
        ERROR,
        "A bar that names a session starts within it.",
        f"SELECT b.source, b.dataset, b.symbol, b.trade_date, b.bar_start_ns, b.session "
        f"FROM {ROWS} AS b JOIN {SESSIONS} AS s ON s.trade_date = b.trade_date "
        "AND s.session = b.session WHERE b.bar_start_ns < s.start_ns OR b.bar_start_ns >= s.end_ns",
    ),
    Rule(
        "minute_trailing_holds_the_bar",
        silver.MINUTE_BARS,
        "consistency",
        ERROR,
        "The trailing 15 minutes hold the bar itself, and at most 15 bars.",
        f"SELECT {_MINUTE}, rolling_bars FROM {ROWS} WHERE high_15m < high OR low_15m > low "
        "OR volume_15m < volume OR rolling_bars < 1 OR rolling_bars > 15",
        is_cheap=True,
    ),
    Rule(
        "minute_volume_has_trades",
        silver.MINUTE_BARS,
        "accuracy",
        WARNING,
        "A bar with volume has trades, and one with trades has volume.",
        f"SELECT {_MINUTE}, volume, transactions FROM {ROWS} "
        "WHERE (volume > 0 AND transactions = 0) OR (volume = 0 AND transactions > 0)",
    ),
)
_DAY_RULES: Final = (
    Rule(
        "day_has_minutes",
        silver.DAY_BARS,
        "completeness",
        WARNING,
        "A symbol with a day bar has minutes on a trade date for which its source has minutes.",
        f"SELECT d.source, d.symbol, d.trade_date, d.volume FROM {ROWS} AS d "
        f"JOIN (SELECT DISTINCT source, trade_date FROM {MINUTES}) AS have "
        "ON have.source = d.source AND have.trade_date = d.trade_date "
        f"LEFT JOIN (SELECT DISTINCT source, symbol, trade_date FROM {MINUTES}) AS m "
        "ON m.source = d.source AND m.symbol = d.symbol AND m.trade_date = d.trade_date "
        "WHERE m.symbol IS NULL",
    ),
    Rule(
        "day_price_does_not_leap_and_return",
        silver.DAY_BARS,
        "accuracy",
        WARNING,
        "No close is tenfold the closes before and after it, or a tenth: a price in another unit.",
        "SELECT source, dataset, symbol, trade_date, before, close, after FROM (SELECT source, "
        "dataset, symbol, trade_date, close, lag(close) OVER own AS before, lead(close) OVER own "
        f"AS after FROM {ROWS} WINDOW own AS (PARTITION BY source, dataset, symbol "
        "ORDER BY trade_date)) AS around WHERE (close >= 9 * before AND close >= 9 * after) "
        "OR (9 * close <= before AND 9 * close <= after)",
    ),
)
_GOLD_RULES: Final = (
    Rule(
        "daily_close_in_range",
        gold.DAILY_BARS,
        "accuracy",
        ERROR,
        "Open and close are between low and high.",
        f"SELECT {_BAR}, {_PRICES} FROM {ROWS} WHERE low > open OR low > close OR high < open "
        "OR high < close",
        is_cheap=True,
    ),
    Rule(
        "daily_volumes_add_up",
        gold.DAILY_BARS,
        "consistency",
        ERROR,
        "Regular, pre-market and post-market volume are no more than the total.",
        f"SELECT {_BAR}, volume, pre_volume, post_volume, total_volume FROM {ROWS} "
        "WHERE volume + pre_volume + post_volume > total_volume",
        is_cheap=True,
    ),
    Rule(
        "performance_action_not_suspect",
        gold.PERFORMANCE,
        "accuracy",
        WARNING,
        "No return beyond 40 % is made of prices that no action explains.",
        f"SELECT {_BAR}, basis, return_1d FROM {ROWS} WHERE suspect_action",
    ),
)
RULES: Final = (
    *_about_rows(silver.MINUTE_BARS, "minute", _MINUTE),
    *_about_dates(silver.MINUTE_BARS, "minute"),
    *_MINUTE_RULES,
    *_about_rows(silver.DAY_BARS, "day", _BAR),
    *_about_dates(silver.DAY_BARS, "day"),
    *_DAY_RULES,
    *_GOLD_RULES,
)
"""Every rule, table by table."""


def chosen(table: str | None = None, ids: Collection[str] = ()) -> tuple[Rule, ...]:
    """Return the rules of a table (of all), or those named.

    Raises:
        QueryError: There is no such rule, or none for the table.
    """
    known = [rule.id for rule in RULES]
    for wanted in ids:
        if wanted not in known:
            near = get_close_matches(wanted, known, n=1, cutoff=0.4)
            hint = f"Did you mean {near[0]}?" if near else f"There are {', '.join(known)}."
            raise QueryError(f"There is no rule {wanted}. {hint}")
    found = tuple(
        rule
        for rule in RULES
        if (table is None or rule.table.name == table) and (not ids or rule.id in ids)
    )
    if not found:
        tables = sorted({rule.table.name for rule in RULES})
        raise QueryError(f"No rule chosen is for {table}; rules are for {', '.join(tables)}.")
    return found


def condition(rule: Rule, start: str, end: str) -> str:
    """Return the predicate of the rows that a rule looks at.

    Args:
        rule: The rule.
        start: First trade date as SQL.
        end: The day after the last.
    """
    span = f"trade_date >= {start} AND trade_date < {end}"
    if rule.history or rule.table.binding is not Binding.INTERVAL:
        return span
    return f"{span} AND known_to >= TIMESTAMP WITH TIME ZONE '9999-12-31 00:00:00+00:00'"
