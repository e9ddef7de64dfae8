"""Check rules, as rules.sql has them: what must hold of rows, and the SQL of those that do not."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.resources import files
from string import Template
from typing import TYPE_CHECKING, Final

from ingot.errors import QueryError
from ingot.tables import gold, silver
from ingot.tables.contract import Binding

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from ingot.tables.contract import Table

ROWS: Final = "rows"
"""Name of the checked rows in a rule's SQL."""
SESSIONS: Final = "sessions"
"""Name of the sessions around the span: calendar, trade_date, session, start_ns, end_ns."""
MINUTES: Final = "minutes"
"""Name of silver.minute_bars over the span."""
ERROR: Final = "error"


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


_TABLES: Final = {
    "minute": silver.MINUTE_BARS,
    "day": silver.DAY_BARS,
    "daily": gold.DAILY_BARS,
    "performance": gold.PERFORMANCE,
}
"""Tables that have rules, by the words of rules.sql."""
_KEY: Final = "source, dataset, symbol, trade_date"
_RULE: Final = re.compile(
    r"^-- (?P<name>\w+): (?P<tables>[\w ]+), (?P<dimension>\w+), (?P<severity>\w+)(?P<more>.*)\n"
    r"-- (?P<doc>.+)\n(?P<sql>(?:(?!--).+\n)+)",
    re.MULTILINE,
)


def _rules() -> Iterator[Rule]:
    """Yield the rules of rules.sql, table by table."""
    text = files("ingot.quality.checks").joinpath("rules.sql").read_text(encoding="utf-8")
    for word, table in _TABLES.items():
        key = f"{_KEY}, bar_start_ns" if word == "minute" else _KEY
        for found in _RULE.finditer(text):
            if word in found["tables"].split():
                name = found["name"]
                yield Rule(
                    id=word + name if name.startswith("_") else name,
                    table=table,
                    dimension=found["dimension"],
                    severity=found["severity"],
                    doc=found["doc"],
                    sql=Template(found["sql"].rstrip()).substitute(key=key),
                    history="history" in found["more"],
                    is_cheap="cheap" in found["more"],
                )


RULES: Final = tuple(_rules())
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
