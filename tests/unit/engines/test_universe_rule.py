"""Rules of the universe: one condition over its columns, whatever else is tried."""

from __future__ import annotations

import pytest

from ingot.engines.sandbox.rule_expression import require_rule
from ingot.errors import QueryError
from ingot.query.requests.universe import COLUMNS

RULES = {
    "price > 5": "names price, which is not a column",
    "t.close > 5": "names t.close, which is not a column",
    "close >": "cannot be read as a condition",
    "": "cannot be read as a condition",
    "true) union select (1": "cannot be read as a condition",
    "close > 5; drop table x": "cannot be read as a condition",
    "true union all select true": "is more than one condition",
    "close > 5 limit 1": "is more than one condition",
    "close > 5 order by close": "is more than one condition",
    "close > 5 from t": "is more than one condition",
    "close > 5, true": "is more than one condition",
    "close > 5 as kept": "is more than one condition",
    "distinct close > 5": "is more than one condition",
    "close > 5;": "is more than one condition",
    "close > 5; select 1": "is more than one condition",
    "close > 5 -- for now": "holds a comment",
    "close > /* or less */ 5": "holds a comment",
    "close > (select 1)": "holds a subquery",
    "close in (select 1)": "holds a subquery",
    "exists (select 1)": "holds a subquery",
    "count(*) > 1": "calls count_star",
    "sum(close) over () > 1": "holds a window",
    "columns('c.*') > 1": "holds a star",
    "$1 > close": "holds parameter",
    "random() > close": "calls random",
    "main.abs(close) > 5": "calls main.abs",
    "unnest([close]) > 5": "calls unnest",
    "close > 1" + " and close > 1" * 200: "has 2,809 characters (at most 2,000)",
    "close > 1" + "+1" * 900: "is nested too deeply",
    "close > '\ud800'": "holds half a surrogate pair",
}


@pytest.mark.parametrize(("rule", "fault"), RULES.items(), ids=range(len(RULES)))
def test_a_rule_that_is_not_one_condition_is_refused(rule: str, fault: str) -> None:
    message = faulty(rule)
    assert message
    assert message.startswith(f"The rule {rule[:200]!r} {fault}. Write one condition over symbol, ")
    assert "Error" not in message
    assert "LINE" not in message


@pytest.mark.parametrize(
    "rule",
    [
        "close between 5 and 10 or volume is null",
        "type in ('CS', 'ETF') and not name like '%Warrant%'",
        "case when close > 1 then upper(exchange) = 'XNAS' else false end",
        "list_date < date '2020-01-01' - interval 1 year",
        "Close::double > 1e3 and round(dollar_volume) >= 1",
        "name = 'it''s -- no; comment /* here */'",
        "null and close > 5",
    ],
)
def test_a_rule_that_is_one_condition_is_taken(rule: str) -> None:
    assert faulty(rule) is None


def faulty(rule: str) -> str | None:
    """Return the message with which a rule is refused."""
    try:
        require_rule(rule, COLUMNS)
    except QueryError as exc:
        return str(exc)
    return None
