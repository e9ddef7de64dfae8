"""Rows of bronze that silver refuses, as SQL text, and how many equal duplicates it dropped.

A row that breaks a check is refused by the first check, in the contract's order, that it breaks;
one that starts on another New York date than its file's by `start_is_on_file_date`, for no trade
date reads it.
Of several rows of one key in one landing that differ, all but the winner are refused as
`duplicate_conflict`; equal ones are one row, the others are counted and not refused.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from ingot.model.time import new_york, to_ns
from ingot.transforms.sql_literals import literal
from ingot.transforms.transform import Transform, sql_text

if TYPE_CHECKING:
    from datetime import date

DUPLICATE_CONFLICT: Final = "duplicate_conflict"
START_IS_ON_FILE_DATE: Final = "start_is_on_file_date"
ROW_RULES: Final = {
    START_IS_ON_FILE_DATE: "The bar starts on the New York date that its file is of.",
    DUPLICATE_CONFLICT: "No other row of the file has the same key and other values; the row with "
    "the most transactions, then volume, then the last one is kept.",
}
"""Rules of silver beside the checks of its tables, and what they ask of a row."""
_AROUND_DAYS: Final = 10
_ONE_DAY: Final = timedelta(days=1)
_VALUES: Final = "open, high, low, close, volume, transactions"
_DECIMALS: Final = ("volume", "open", "close", "high", "low")


def filed_sql(trade_date: date) -> str:
    """Return the text of the New York days around a trade date: file_date, start_ns, end_ns.

    A vendor files a bar under the New York date of its start.
    """
    days = [trade_date + timedelta(days=n) for n in range(-_AROUND_DAYS, _AROUND_DAYS + 1)]
    rows = ", ".join(f"({literal(day)}, {_starts(day)}, {_starts(day + _ONE_DAY)})" for day in days)
    return f"SELECT * FROM (VALUES {rows}) AS v(file_date, start_ns, end_ns)"


def on_date(day: date) -> str:
    """Return the predicate that is true for a bar that starts on the New York date `day`."""
    return f"bar_start_ns >= {_starts(day)} AND bar_start_ns < {_starts(day + _ONE_DAY)}"


def _starts(day: date) -> int:
    return to_ns(new_york(day))


def quarantine_sql(
    transform: Transform,
    *,
    named: str,
    key: tuple[str, ...],
    trade_date: date,
    unique: bool,
    in_sessions: bool,
) -> str:
    """Return the text that gives the refused rows of one trade date, by landing and row number.

    Columns: landing_id, row_number, rule, raw (the row in the order of the vendor's header),
    symbol, bar_start_ns. For a clean file that is `unique` it costs one scan of the checks.
    """
    misfiled = f"(file_date = {literal(trade_date)} AND NOT ({on_date(trade_date)}))"
    good = f"({transform.checked}) AND NOT {misfiled}"
    return Transform("quarantine", transform.output, (), sql_text("bars_quarantine.sql")).fill(
        rule=_rule(transform),
        misfiled=misfiled,
        raw=_raw(),
        named=named,
        checked=transform.checked,
        losers="" if unique else _losers(named, good, key),
        filed=filed_sql(trade_date),
        session_date="COALESCE(s.trade_date, q.file_date)" if in_sessions else "q.file_date",
        sessions=(
            "LEFT JOIN sessions AS s ON q.bar_start_ns >= s.start_ns AND q.bar_start_ns < s.end_ns"
            if in_sessions
            else ""
        ),
        trade_date=literal(trade_date),
    )


def refusals_sql(
    transform: Transform, *, named: str, key: tuple[str, ...], file_date: date, unique: bool
) -> str:
    """Return the text that counts the rows of one landing that a table of silver refuses, by rule.

    Columns: rule, refused; the commonest rule first.
    """
    misfiled = f"NOT ({on_date(file_date)})"
    good = f"({transform.checked}) AND NOT {misfiled}"
    losers = f"UNION ALL\n  SELECT {literal(DUPLICATE_CONFLICT)} AS rule FROM ({{}}) AS ranked\n"
    losers += "  WHERE place > 1 AND copy_number = 1"
    return (
        "SELECT rule, COUNT(*) AS refused\nFROM (\n"
        f"  SELECT {_rule(transform)} AS rule\n  FROM ({named}) AS named WHERE NOT ({good})\n"
        f"  {'' if unique else losers.format(_ranked(named, good, key))}\n) AS refused_rows\n"
        "GROUP BY rule\nORDER BY refused DESC, rule"
    )


def duplicates_sql(transform: Transform, *, named: str, key: tuple[str, ...]) -> str:
    """Return the text that counts the equal duplicates dropped: landing_id, duplicates."""
    return (
        f"SELECT landing_id, COUNT(*) AS duplicates\nFROM ({_ranked(named, transform.checked, key)}"
        ") AS ranked\nWHERE copy_number > 1\nGROUP BY landing_id\nORDER BY landing_id"
    )


def refused_sql(transform: Transform, named: str, trade_date: date, key: tuple[str, ...]) -> str:
    """Return the text of all refused rows: landing_id, file_date and key, null where unreadable.

    A start that no bar of the file can have counts as unreadable: it is another one's that was
    spoiled. The text reads `refused`, for the rows refused at bronze.
    """
    start = (
        "CASE WHEN f.file_date IS NULL OR q.bar_start_ns % 60000000000 <> 0 THEN NULL "
        "ELSE q.bar_start_ns END AS bar_start_ns"
    )
    parts = {"symbol": "NULLIF(q.symbol, '') AS symbol", "bar_start_ns": start}
    return f"""
SELECT q.landing_id, q.file_date, {", ".join(parts[name] for name in key)}
FROM (
  SELECT landing_id, file_date, symbol, bar_start_ns, FALSE AS is_good FROM refused
  UNION ALL
  SELECT landing_id, file_date, symbol, bar_start_ns, {transform.checked} AS is_good
  FROM ({named}) AS named
  WHERE NOT ({transform.checked}) OR file_date <> {literal(trade_date)}
    OR NOT ({on_date(trade_date)})
) AS q
LEFT JOIN ({filed_sql(trade_date)}) AS f ON q.file_date = f.file_date
  AND q.bar_start_ns >= f.start_ns AND q.bar_start_ns < f.end_ns
WHERE NOT q.is_good OR f.file_date IS NULL"""


def _losers(named: str, checked: str, key: tuple[str, ...]) -> str:
    return (
        "UNION ALL\n  SELECT landing_id, row_number, file_date, symbol, bar_start_ns,\n"
        f"    {literal(DUPLICATE_CONFLICT)} AS rule, {_raw()} AS raw\n"
        f"  FROM ({_ranked(named, checked, key)}) AS ranked\n"
        "  WHERE place > 1 AND copy_number = 1"
    )


def _ranked(named: str, checked: str, key: tuple[str, ...]) -> str:
    keys = ", ".join(key)
    return (
        f"SELECT landing_id, row_number, file_date, symbol, bar_start_ns, {_VALUES},\n"
        f"    ROW_NUMBER() OVER (PARTITION BY landing_id, {keys} ORDER BY transactions DESC, "
        "volume DESC, row_number DESC) AS place,\n"
        f"    ROW_NUMBER() OVER (PARTITION BY landing_id, symbol, bar_start_ns, {_VALUES} "
        f"ORDER BY row_number DESC) AS copy_number\n"
        f"  FROM ({named}) AS named WHERE {checked}"
    )


def _rule(transform: Transform) -> str:
    """Return the name of the rule that a refused row breaks: the first check, else its date."""
    rules = " ".join(
        f"WHEN NOT ({check.sql}) THEN {literal(check.rule)}" for check in transform.output.checks
    )
    return f"CASE {rules} ELSE {literal(START_IS_ON_FILE_DATE)} END"


def _raw() -> str:
    """Return the row as text in the header's order; decimals without trailing zeros."""
    parts = ["symbol", *(_plain(name) for name in _DECIMALS)]
    parts += ["CAST(bar_start_ns AS VARCHAR)", "CAST(transactions AS VARCHAR)"]
    return " || ',' || ".join(parts)


def _plain(name: str) -> str:
    return f"RTRIM(RTRIM(CAST({name} AS VARCHAR), '0'), '.')"
