"""Currencies of bars: in answers, in adjustment, and in a table made before it had them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pyarrow as pa
import pytest
from pyiceberg.partitioning import UNPARTITIONED_PARTITION_SPEC
from pyiceberg.table.metadata import new_table_metadata
from pyiceberg.table.sorting import UNSORTED_SORT_ORDER

from ingot.query.requests.adjustment import TOTAL_RETURN, Action, Closes, adjust
from ingot.query.requests.bars import BarsRequest, plan_bars
from ingot.query.requests.symbology import Segment
from ingot.query.result.answer import in_currencies
from ingot.storage.iceberg.layout.schema import grown_schema, iceberg_schema
from ingot.tables.silver import DAY_BARS, MINUTE_BARS
from tests.support.factors import factor_on

START, EX, END = date(2020, 1, 2), date(2020, 1, 6), date(2020, 1, 8)
OCADO = (Segment("OCDO.L", "OCDO.L", date.min, date.max),)


def bars(*currencies: str | None) -> pa.Table:
    symbols = [f"S{i}" for i, _ in enumerate(currencies)]
    return pa.table({"symbol": symbols, "currency": pa.array(currencies, pa.string())})


@pytest.mark.parametrize("currencies", [(), ("USD",), (None, "USD"), (None,)])
def test_an_answer_in_dollars_shows_no_currency(currencies: tuple[str | None, ...]) -> None:
    rows, notices = in_currencies(bars(*currencies))
    assert rows.column_names == ["symbol"]
    assert not notices


def test_an_answer_in_another_currency_shows_and_says_it() -> None:
    rows, notices = in_currencies(bars("USD", "GBP", "GBP"))
    assert rows["currency"].to_pylist() == ["USD", "GBP", "GBP"]
    assert notices == ("not all prices are in USD: GBP",)


def test_day_bars_are_asked_with_their_currency_and_minutes_without() -> None:
    day = BarsRequest(("A",), START, END)
    assert plan_bars(day).columns[-1] == "currency"
    assert "currency" not in plan_bars(replace(day, interval="1m")).columns
    assert "currency" not in plan_bars(replace(day, session="regular")).columns


def test_a_filled_day_is_in_the_currency_before() -> None:
    sql = plan_bars(BarsRequest(("A",), START, END, fill="previous")).sql
    assert "last_value(found.currency IGNORE NULLS) OVER before AS currency" in sql


@pytest.mark.parametrize(("paid", "is_applied"), [("GBP", True), ("USD", False), (None, False)])
def test_cash_is_applied_in_the_currency_of_the_bars_alone(
    paid: str | None, is_applied: bool
) -> None:
    action = Action("csv", "OCDO.L", EX, "cash_dividend", cash=Decimal("0.124"), currency=paid)
    closes = Closes(lambda *_: Decimal("12.40"), lambda *_: None, lambda *_: "GBP")
    made = adjust(OCADO, [action], basis=TOTAL_RETURN, formula="standard", closes=closes)
    factor = factor_on(made.factors, START)
    assert factor is not None
    assert factor.paid == pytest.approx(1 - 0.124 / 12.40 if is_applied else 1, rel=1e-15)
    assert made.unapplied == (() if is_applied else (action,))


def test_a_table_made_before_it_had_a_currency_grows_it() -> None:

    old = replace(DAY_BARS, columns=DAY_BARS.columns[:-1])
    assert DAY_BARS.columns[-1].name == "currency"
    metadata = new_table_metadata(
        schema=iceberg_schema(old, 0),
        partition_spec=UNPARTITIONED_PARTITION_SPEC,
        sort_order=UNSORTED_SORT_ORDER,
        location="memory",
        properties={"format-version": "2"},
    )
    grown = grown_schema(DAY_BARS, metadata)
    assert grown is not None
    assert [f.name for f in grown.fields][-1] == "currency"
    assert "currency" not in MINUTE_BARS.column_names
