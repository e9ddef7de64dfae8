"""The texts themselves: portable, named by their digest, and refused when they are not."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from ingot.engines.transform.transpile import to_spark
from ingot.errors import QueryError
from ingot.tables import silver as silver_tables
from ingot.transforms import gold, silver
from ingot.transforms.performance import BASES, performance_sql, performance_transform
from ingot.transforms.transform import sql_text
from tests.support.portable import check_portable
from tests.support.transform_markets import DAYS, MINUTES, states

if TYPE_CHECKING:
    from ingot.transforms.transform import Transform

PAST = states(1, (1, 2), 3)
TEXTS = {
    f"{name}, {label}": text
    for unique, label in ((True, "unique"), (False, "duplicates"))
    for name, text in {
        "minutes, one state": silver.minute_bars_sql(MINUTES, PAST[:1], unique=unique),
        "minutes, three states": silver.minute_bars_sql(MINUTES, PAST, unique=unique),
        "minutes, 25 states": silver.minute_bars_sql(MINUTES, states(*range(25)), unique=unique),
        "days, one state": silver.day_bars_sql(DAYS, PAST[:1], unique=unique),
        "days, three states": silver.day_bars_sql(DAYS, PAST, unique=unique),
        "refused minutes": silver.minute_bars_quarantine_sql(MINUTES, PAST, unique=unique),
        "refused days": silver.day_bars_quarantine_sql(DAYS, PAST, unique=unique),
    }.items()
} | {
    "duplicates": silver.duplicates_counted_sql(silver_tables.MINUTE_BARS, PAST),
    "daily bars": gold.daily_bars_sql(MINUTES),
    **{f"performance, {b}": performance_sql(MINUTES, basis=b) for b in BASES},
    **{f"session, {b}": performance_sql(MINUTES, basis=b, one_session=True) for b in BASES},
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_every_text_is_in_the_portable_subset_and_has_a_form_for_spark(text: str) -> None:
    check_portable(text)
    assert "$" not in text
    assert "INT128" not in to_spark(text)


@pytest.mark.parametrize(
    ("sql", "problem"),
    [
        ("SELECT CAST(x AS TIME) AS t FROM b", "TIME"),
        ("SELECT TIME '09:30' AS t", "TIME"),
        ("SELECT time_bucket(INTERVAL 5 MINUTES, t) AS t FROM b", "time_bucket"),
        ("SELECT b.x FROM b ASOF JOIN c ON b.t >= c.t", "ASOF"),
        ("SELECT list(x ORDER BY y) AS l FROM b", "ordered list"),
        ("SELECT CAST(SUM(CAST(x AS DOUBLE)) AS DOUBLE) AS s FROM b", "floating points"),
        ("SELECT CAST(SUM(CAST(x AS FLOAT) * y) OVER () AS DOUBLE) AS s FROM b", "floating points"),
        ("SELECT CAST(SUM(x * 1e-6) AS DOUBLE) AS s FROM b", "floating points"),
        ("SELECT CAST(SUM(LN(x)) AS DOUBLE) AS s FROM b", "floating points"),
        ("SELECT CAST(SUM(x / y) AS DOUBLE) AS s FROM b", "floating points"),
        ("SELECT AVG(x) AS a FROM b", "avg"),
        ("SELECT SUM(x) AS s FROM b", "sum that is not cast"),
        ("SELECT SUM(x) OVER (ORDER BY y) AS s FROM b", "sum that is not cast"),
        ("SELECT STDDEV_SAMP(x) AS s FROM b", "stddev"),
        ("SELECT hour(t) AS h FROM b", "part of a date"),
        ("WITH c AS (SELECT 1) SELECT * FROM (WITH c AS (SELECT 2) SELECT * FROM c) AS q", "CTE"),
        ("SELECT * FROM b QUALIFY ROW_NUMBER() OVER (ORDER BY x) = 1", "QUALIFY"),
    ],
)
def test_what_engines_would_understand_differently_is_refused(sql: str, problem: str) -> None:
    with pytest.raises(QueryError, match=problem):
        check_portable(sql)


@pytest.mark.parametrize("sql", ["SELECT 1; SELECT 2", "", "SELECT FROM WHERE"])
def test_only_one_whole_statement_is_transpiled(sql: str) -> None:
    with pytest.raises(QueryError, match=r"statement|not SQL"):
        to_spark(sql)


def test_integer_division_instants_and_huge_integers_have_their_form_in_spark() -> None:
    sql = "SELECT a // 2 AS a, CAST(b AS HUGEINT) AS b, arg_max(c, d) FILTER (WHERE e) AS c FROM t"
    assert to_spark(sql) == (
        "SELECT a DIV 2 AS a, CAST(b AS DECIMAL(38, 0)) AS b, "
        "MAX_BY(c, d) FILTER(WHERE e) AS c FROM t"
    )


def test_a_digest_names_text_contract_and_rules() -> None:
    one = silver.MINUTE_BARS
    other_table = replace(one.output, checks=one.output.checks[1:])
    changed: tuple[Transform, ...] = (
        replace(one, sql=one.sql + " "),
        replace(one, output=other_table),
        replace(one, output=replace(one.output, columns=one.output.columns[::-1])),
        replace(one, version=2),
        replace(one, parameters={"minutes": "15"}),
    )
    assert replace(one, inputs=()).digest == one.digest
    assert len({one.digest, *(t.digest for t in changed)}) == len(changed) + 1
    assert len(one.digest) == 16
    assert int(one.digest, 16) >= 0


def test_rules_of_performance_are_in_its_digest() -> None:
    made = [
        performance_transform(),
        performance_transform(basis="split"),
        performance_transform(risk_free_rate=0.01),
        performance_transform(sessions_per_year=365),
    ]
    assert len({t.digest for t in made}) == len(made)
    with pytest.raises(QueryError, match="'adjusted'"):
        performance_transform(basis="adjusted")


@pytest.mark.parametrize("basis", BASES)
def test_every_text_that_makes_performance_is_in_its_digest(basis: str) -> None:
    named = performance_transform(basis=basis)
    parts = [named.sql, *named.parameters.values()]
    for name in ("keys", "windows", "session", "values", "actions"):
        assert any(sql_text(f"performance_{name}.sql") in part for part in parts)


def test_a_table_s_transform_is_found_by_the_table() -> None:
    assert silver.transform_of(silver_tables.DAY_BARS) is silver.DAY_BARS
    with pytest.raises(KeyError, match=r"silver\.sessions"):
        silver.transform_of(silver_tables.SESSIONS)


def test_a_text_with_a_part_that_is_not_given_is_not_filled() -> None:
    with pytest.raises(KeyError, match="place"):
        silver.DAY_BARS.fill(state=1, landing_ids="1", trade_date="x", checked="TRUE")


def test_a_history_starts_with_a_state() -> None:
    with pytest.raises(ValueError, match=r"there were \[\]"):
        silver.minute_bars_sql(MINUTES, [], unique=True)
    with pytest.raises(ValueError, match="ascend"):
        silver.minute_bars_sql(MINUTES, [PAST[1], PAST[0]], unique=True)
