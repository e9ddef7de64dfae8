"""Actions, instruments and day bars of answers, by hand, on every engine (SEMANTICS 1, 2, 5)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from ingot.model.time import FOREVER
from ingot.model.unit import Scope
from ingot.tables import bronze
from ingot.tables.arrow import arrow_schema
from ingot.tables.input import ArrowRelation
from ingot.transforms.reference import (
    CORPORATE_ACTIONS,
    INSTRUMENTS,
    REST_DAY_BARS,
    dates_sql,
    reference_sql,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ingot.engines.transform.base import Engine
    from ingot.tables.contract import Table
    from ingot.tables.input import Relation
    from ingot.transforms.transform import Transform

INSTANT: Any = pa.timestamp("us", tz="UTC")
FIRST_SEEN = datetime(2024, 3, 1, 12, tzinfo=UTC)
SECOND_SEEN = datetime(2024, 4, 1, 12, tzinfo=UTC)
WITHIN = timedelta(hours=36)
YEAR = Scope("csv", "actions", date(1, 1, 1), date(9999, 12, 31))
WINTER, SUMMER = timedelta(hours=5), timedelta(hours=4)
"""New York behind UTC."""


def rows_of(table: Table, rows: Sequence[Mapping[str, Any]]) -> ArrowRelation:
    """Return bronze rows; what a row does not name is null, or stands for nothing here."""
    plain: dict[str, Any] = {"source": "csv", "dataset": "d", "file_date": date(2024, 3, 1)}
    schema = arrow_schema(table)
    whole = [plain | {"row_number": n, "raw": ""} | dict(r) for n, r in enumerate(rows, start=1)]
    columns = {f.name: pa.array([r.get(f.name) for r in whole], f.type) for f in schema}
    return ArrowRelation(pa.table(columns))


def landings(*seen: datetime) -> ArrowRelation:
    """Return versions 1, 2 and so on of one query, each in force until the next."""
    return ArrowRelation(
        pa.table(
            {
                "landing_id": pa.array(range(1, len(seen) + 1), pa.int64()),
                "place": pa.array(range(1, len(seen) + 1), pa.int64()),
                "since": pa.array(seen, INSTANT),
                "until": pa.array([*seen[1:], FOREVER], INSTANT),
                "is_first": pa.array([n == 0 for n in range(len(seen))], pa.bool_()),
                "assumed_before": pa.array([s - WITHIN for s in seen], INSTANT),
            }
        )
    )


def midnight(day: date) -> datetime:
    """Return 00:00 New York of a day of 2023 or 2024, by the published dates of its clocks."""
    summer = date(2024, 3, 10) < day <= date(2024, 11, 3) or date(2023, 3, 12) < day <= date(
        2023, 11, 5
    )
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + (SUMMER if summer else WINTER)


def refined(
    engine: Engine, transform: Transform, rows: ArrowRelation, said: ArrowRelation, scope: Scope
) -> list[dict[str, Any]]:
    given: dict[str, Relation] = {transform.inputs[0]: rows}
    asked: list[Any] = engine.run(dates_sql(transform), given).read_all()["day"].to_pylist()
    days: list[date] = sorted(asked)
    nights = [midnight(day) for day in days]
    given["landings"] = said
    if "kept" in transform.inputs:
        given["kept"] = ArrowRelation(
            pa.table(
                {
                    "landing_id": pa.array([], pa.int64()),
                    "symbol": pa.array([], pa.string()),
                    "until": pa.array([], INSTANT),
                }
            )
        )
    given["midnights"] = ArrowRelation(
        pa.table(
            {
                "day": pa.array(days, pa.date32()),
                "midnight": pa.array(nights, INSTANT),
                "next_midnight": pa.array([midnight(d + timedelta(days=1)) for d in days], INSTANT),
                "midnight_ns": pa.array([int(n.timestamp()) * 10**9 for n in nights], pa.int64()),
            }
        )
    )
    made: list[dict[str, Any]] = (
        engine.run(reference_sql(transform, scope), given).read_all().to_pylist()
    )
    return made


def test_a_dividend_is_known_the_day_after_it_was_declared_and_never_after_its_ex_date(
    engine: Engine,
) -> None:
    def paid(symbol: str, declared: date | None) -> dict[str, Any]:
        return {
            "landing_id": 1,
            "action_id": symbol,
            "symbol": symbol,
            "ex_date": date(2024, 2, 9),
            "kind": "cash_dividend",
            "cash": Decimal("0.24"),
            "declared_date": declared,
        }

    rows = [paid("EARLY", date(2024, 2, 1)), paid("NONE", None), paid("LATE", date(2024, 2, 20))]
    split = {**paid("SPLIT", date(2024, 1, 2)), "kind": "split", "ratio_from": 1, "ratio_to": 7}
    fresh = {**paid("FRESH", None), "ex_date": date(2024, 2, 29)}
    made = refined(
        engine,
        CORPORATE_ACTIONS,
        rows_of(bronze.CORPORATE_ACTIONS, [*rows, split, fresh]),
        landings(FIRST_SEEN),
        YEAR,
    )
    assert {row["symbol"]: row["known_from"] for row in made} == {
        "EARLY": datetime(2024, 2, 2, 5, tzinfo=UTC),
        "NONE": datetime(2024, 2, 9, 5, tzinfo=UTC),
        "LATE": datetime(2024, 2, 9, 5, tzinfo=UTC),
        "SPLIT": datetime(2024, 2, 9, 5, tzinfo=UTC),
        "FRESH": FIRST_SEEN,
    }
    assert {row["known_to"] for row in made} == {FOREVER}


def test_a_changed_action_is_a_version_and_one_left_out_is_withdrawn(engine: Engine) -> None:
    def split(landing: int, symbol: str, ratio: int) -> dict[str, Any]:
        return {
            "landing_id": landing,
            "action_id": symbol,
            "symbol": symbol,
            "ex_date": date(2024, 2, 9),
            "kind": "split",
            "ratio_from": Decimal(1),
            "ratio_to": Decimal(ratio),
        }

    rows = [split(1, "A", 2), split(1, "B", 3), split(2, "A", 4), split(2, "C", 5)]
    made = refined(
        engine,
        CORPORATE_ACTIONS,
        rows_of(bronze.CORPORATE_ACTIONS, rows),
        landings(FIRST_SEEN, SECOND_SEEN),
        YEAR,
    )
    assumed = datetime(2024, 2, 9, 5, tzinfo=UTC)
    found = {(r["symbol"], r["ratio_to"]): (r["known_from"], r["known_to"]) for r in made}
    assert found == {
        ("A", 2): (assumed, SECOND_SEEN),
        ("A", 4): (SECOND_SEEN, FOREVER),
        ("B", 3): (assumed, SECOND_SEEN),
        ("C", 5): (SECOND_SEEN, FOREVER),
    }


def test_the_end_of_a_holding_is_known_from_that_end_on(engine: Engine) -> None:
    held = {
        "landing_id": 1,
        "instrument_id": "I",
        "symbol": "FB",
        "valid_from": date(2023, 6, 1),
        "valid_to": date(2024, 2, 1),
        "delisted_date": date(2024, 2, 1),
    }
    open_end = {**held, "symbol": "META", "valid_from": date(2024, 2, 1), "valid_to": None}
    made = refined(
        engine,
        INSTRUMENTS,
        rows_of(bronze.INSTRUMENTS, [held, {**open_end, "delisted_date": None}]),
        landings(FIRST_SEEN),
        Scope("csv", "instruments", date(1, 1, 1), date(9999, 12, 31)),
    )
    never = date(9999, 12, 31)
    start, end = datetime(2023, 6, 1, 4, tzinfo=UTC), datetime(2024, 2, 1, 5, tzinfo=UTC)
    found = [
        (r["symbol"], r["valid_to"], r["delisted_date"], r["known_from"], r["known_to"])
        for r in made
    ]
    assert found == [
        ("FB", never, None, start, end),
        ("FB", date(2024, 2, 1), date(2024, 2, 1), end, FOREVER),
        ("META", never, None, end, FOREVER),
    ]


# OCDO.L closed at 1,259.5 pence on 2020-01-02; a fils is a thousandth of a dinar.
@pytest.mark.parametrize(
    ("unit", "answered", "close", "currency"),
    [
        ("GBp", 1259.5, "12.595", "GBP"),
        ("GBX", 1259.5, "12.595", "GBP"),
        ("GBP", 12.595, "12.595", "GBP"),
        ("ZAc", 228650.0, "2286.5", "ZAR"),
        ("ILA", 3399.5, "33.995", "ILS"),
        ("KWF", 1045.0, "1.045", "KWD"),
        ("USD", 160.62, "160.62", "USD"),
        ("", 160.62, "160.62", None),
    ],
)
def test_a_bar_in_a_minor_unit_is_in_the_whole_currency(
    engine: Engine, unit: str, answered: float, close: str, currency: str | None
) -> None:
    row = {
        "landing_id": 1,
        "symbol": "OCDO.L",
        "trade_date": date(2024, 2, 9),
        "bar_start": 0,
        "range_start": date(2024, 2, 1),
        "range_end": date(2024, 3, 1),
        **dict.fromkeys(("open", "high", "low", "close"), answered * 2),
        "volume": 700.0,
        "currency": unit,
        "time_zone": "Europe/London",
        "price_basis": "split_adjusted",
        "splits_from": Decimal(2),
        "splits_to": Decimal(1),
    }
    made = refined(
        engine,
        REST_DAY_BARS,
        rows_of(bronze.REST_DAY_BARS, [row]),
        landings(FIRST_SEEN),
        Scope("yahoo", "bars_1d", date(2024, 2, 1), date(2024, 3, 1)),
    )
    (found,) = made
    assert (found["close"], found["low"], found["currency"]) == (
        Decimal(close),
        Decimal(close),
        currency,
    )
    assert found["volume"] == 1400


def test_day_bars_of_answers_are_as_traded_and_the_latest_answer_counts(engine: Engine) -> None:
    def priced(landing: int, day: date, close: float, start: date, end: date) -> dict[str, Any]:
        return {
            "landing_id": landing,
            "symbol": "A",
            "trade_date": day,
            "bar_start": 0,
            "range_start": start,
            "range_end": end,
            **dict.fromkeys(("open", "high", "low", "close"), close),
            "volume": 700.0,
            "currency": "USD",
            "time_zone": "America/New_York",
            "price_basis": "split_adjusted",
            "splits_from": Decimal(1),
            "splits_to": Decimal(7),
        }

    first = (date(2024, 2, 1), date(2024, 3, 1))
    second = (date(2024, 2, 15), date(2024, 4, 1))
    rows = [
        priced(1, date(2024, 2, 9), 92.25, *first),
        priced(1, date(2024, 2, 16), 93.0, *first),
        priced(1, date(2024, 2, 20), 94.0, *first),
        priced(2, date(2024, 2, 16), 93.5, *second),
        priced(2, date(2024, 3, 4), 95.0, *second),
    ]
    said = landings(FIRST_SEEN, SECOND_SEEN).data
    both = said.set_column(3, "until", pa.array([FOREVER, FOREVER], INSTANT))
    made = refined(
        engine,
        REST_DAY_BARS,
        rows_of(bronze.REST_DAY_BARS, rows),
        ArrowRelation(both.set_column(4, "is_first", pa.array([True, True]))),
        Scope("yahoo", "bars_1d", date(2024, 2, 1), date(2024, 4, 1)),
    )
    found = sorted((r["trade_date"].day, r["close"], r["known_from"], r["known_to"]) for r in made)
    assert found == [
        (4, Decimal("665.000000"), datetime(2024, 3, 5, 5, tzinfo=UTC), FOREVER),
        (9, Decimal("645.750000"), datetime(2024, 2, 10, 5, tzinfo=UTC), FOREVER),
        (16, Decimal("651.000000"), datetime(2024, 2, 17, 5, tzinfo=UTC), SECOND_SEEN),
        (16, Decimal("654.500000"), SECOND_SEEN, FOREVER),
        (20, Decimal("658.000000"), datetime(2024, 2, 21, 5, tzinfo=UTC), SECOND_SEEN),
    ]
