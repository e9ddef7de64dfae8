"""Minute bars of random small markets against the plain formula."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingot.engines.transform.duckdb import DuckDBEngine
from ingot.transforms.silver import minute_bars_quarantine_sql, minute_bars_sql
from tests.support.transform_markets import (
    CONSTANTS,
    MINUTES,
    MONDAY,
    Bar,
    Refused,
    at,
    bronze_rows,
    is_good,
    numbered,
    plain_history,
    refused_rows,
    rows_of,
    sessions,
    states,
    without,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ingot.tables.input import Relation

BOUNDS = sessions(MONDAY - timedelta(days=3), MONDAY, MONDAY + timedelta(days=1))
START_NS = at("15:50")
MINUTE_NS = 60 * 10**9


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DuckDBEngine]:
    folder: Path = tmp_path_factory.mktemp("spill")
    with DuckDBEngine(memory_limit_mb=256, threads=1, temp_directory=folder) as made:
        yield made


cents = st.integers(1, 400).map(lambda n: Decimal(n) / 100)


@st.composite
def a_bar(draw: st.DrawFn, landing: int) -> Bar:
    """Draw a bar near the close; few symbols and minutes, so that keys meet; some are bad."""
    prices = sorted(draw(st.lists(cents, min_size=4, max_size=4)))
    low, o, c, high = prices
    if draw(st.integers(0, 11)) == 0:
        low, high = high, low
    return Bar(
        draw(st.sampled_from(("A", "a", "NA"))),
        START_NS + draw(st.integers(0, 40)) * MINUTE_NS,
        c,
        landing,
        open=o,
        high=high,
        low=low,
        volume=Decimal(draw(st.integers(0, 5000))) / 8,
        transactions=draw(st.integers(0, 3)),
    )


Market = tuple[list[Bar], int, list[Refused]]


@st.composite
def a_market(draw: st.DrawFn) -> Market:
    """Draw 1 to 4 landings: of an earlier one most lines are kept, some gone, bad or refused.

    A refused line shows its whole key, a part of it or nothing; a bad one may start
    at a moment that no bar of the file can have.
    """
    landings = [draw(st.lists(a_bar(1), min_size=1, max_size=12))]
    refused: list[Refused] = []
    for landing in range(2, draw(st.integers(1, 4)) + 1):
        lines = draw(st.lists(a_bar(landing), max_size=3))
        for b in draw(st.sampled_from(landings)):
            fate = draw(st.sampled_from((*["kept"] * 6, "gone", "bad", "spoiled", "refused")))
            if fate == "kept":
                lines.append(replace(b, landing=landing))
            elif fate == "bad":
                lines.append(replace(b, landing=landing, volume=Decimal(-1)))
            elif fate == "spoiled":
                spoiled = draw(st.sampled_from((7 * 10**9, 24 * 60 * MINUTE_NS)))
                lines.append(replace(b, landing=landing, start_ns=b.start_ns + spoiled))
            elif fate == "refused":
                shown = draw(st.sampled_from(((1, 1), (1, 0), (1, 0), (0, 1), (0, 0))))
                parts = b.symbol if shown[0] else None, b.start_ns if shown[1] else None
                refused.append((landing, *parts))
        landings.append(lines)
    return numbered(b for lines in landings for b in lines), len(landings), refused


@given(a_market())
@settings(max_examples=30)
def test_history_is_what_walking_the_states_gives(engine: DuckDBEngine, market: Market) -> None:
    bars, count, refused = market
    past = states(*range(1, count + 1))
    inputs: dict[str, Relation] = {
        "bars": bronze_rows(bars),
        "sessions": BOUNDS,
        "refused": refused_rows(refused),
    }
    found = rows_of(engine, minute_bars_sql(MINUTES, past, unique=False), inputs)
    assert without(found, *CONSTANTS) == plain_history(bars, past, BOUNDS, refused)


@given(a_market())
@settings(max_examples=25)
@pytest.mark.services
def test_a_longer_history_does_not_change_what_was_known(
    engine: DuckDBEngine, market: Market
) -> None:
    bars, count, refused = market
    past = states(*range(1, count + 1))
    inputs: dict[str, Relation] = {
        "bars": bronze_rows(bars),
        "sessions": BOUNDS,
        "refused": refused_rows(refused),
    }
    whole = rows_of(engine, minute_bars_sql(MINUTES, past, unique=False), inputs)
    for n, state in enumerate(past, start=1):
        then = rows_of(engine, minute_bars_sql(MINUTES, past[:n], unique=False), inputs)
        seen = [
            [r for r in rows if r["known_from"] <= state.known_from < r["known_to"]]
            for rows in (whole, then)
        ]
        assert without(seen[0], "known_to") == without(seen[1], "known_to")


@given(st.lists(a_bar(1), min_size=1, max_size=20))
@settings(max_examples=25)
def test_saying_that_keys_are_unique_changes_no_row(engine: DuckDBEngine, lines: list[Bar]) -> None:
    bars = numbered({(b.symbol, b.start_ns): b for b in lines}.values())
    inputs: dict[str, Relation] = {
        "bars": bronze_rows(bars),
        "sessions": BOUNDS,
        "refused": refused_rows(),
    }
    first, second = (
        rows_of(engine, minute_bars_sql(MINUTES, states(1), unique=unique), inputs)
        for unique in (True, False)
    )
    assert first == second


@given(a_market())
@settings(max_examples=25)
def test_each_line_is_a_row_or_quarantined_or_an_equal_duplicate(
    engine: DuckDBEngine, market: Market
) -> None:
    bars, count, _ = market
    inputs: dict[str, Relation] = {"bars": bronze_rows(bars), "sessions": BOUNDS}
    past = states(*range(1, count + 1))
    refused = rows_of(engine, minute_bars_quarantine_sql(MINUTES, past, unique=False), inputs)
    broken = [r for r in refused if r["rule"] != "duplicate_conflict"]
    good = [b for b in bars if is_good(b) and b.start_ns < at("0:00", MONDAY + timedelta(days=1))]
    assert len(broken) == len(bars) - len(good)
    values = {(b.landing, b.symbol, b.start_ns, b.prices, b.volume, b.transactions) for b in good}
    assert len(refused) - len(broken) == len(values) - len({v[:3] for v in values})
