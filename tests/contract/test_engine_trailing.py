"""An engine's fast path for the trailing window gives the transform's rows, all of them."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingot.engines.transform.base import CanTrail
from ingot.engines.transform.duckdb import DuckDBEngine
from ingot.engines.transform.trailing_window import with_trailing
from ingot.errors import ContractBrokenError
from ingot.tables import silver
from ingot.tables.arrow import arrow_schema, narrow_schema
from ingot.transforms.silver import minute_bars_sql
from ingot.transforms.trailing_split import minute_bars_trailing
from tests.support.transform_markets import (
    CONSTANTS,
    MINUTES,
    Bar,
    at,
    bronze_rows,
    numbered,
    plain_history,
    refused_rows,
    sessions,
    states,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingot.engines.transform.base import Engine
    from ingot.tables.trailing import TrailingBars

MINUTE_NS = 60 * 10**9
START_NS = at("15:50")
prices = st.integers(1, 10**14 - 1).map(lambda n: Decimal(n).scaleb(-6))
volumes = st.integers(0, 5 * 10**14 - 1).map(lambda n: Decimal(n).scaleb(-6))


@pytest.fixture(scope="session")
def fast(engine: Engine) -> CanTrail:
    if not isinstance(engine, CanTrail):
        pytest.skip(f"{engine.name} runs the whole text: it has no faster way")
    return engine


@pytest.fixture(scope="module")
def duck(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DuckDBEngine]:
    folder = tmp_path_factory.mktemp("spill")
    with DuckDBEngine(memory_limit_mb=256, threads=1, temp_directory=folder) as made:
        yield made


def cut(*, unique: bool = False) -> TrailingBars:
    found = minute_bars_trailing(MINUTES, states(1), unique=unique)
    assert found is not None
    return found


def of_bars(bars: list[Bar]) -> dict[str, Any]:
    return {
        "bars": bronze_rows(numbered(bars)),
        "sessions": sessions(),
        "refused": refused_rows(),
    }


@st.composite
def a_bar(draw: st.DrawFn) -> Bar:
    low, o, c, high = sorted(draw(st.lists(prices, min_size=4, max_size=4)))
    return Bar(
        draw(st.sampled_from(("A", "a", "NA"))),
        START_NS + draw(st.integers(0, 60)) * MINUTE_NS,
        c,
        open=o,
        high=high,
        low=low,
        volume=draw(volumes),
        transactions=draw(st.integers(0, 3)),
    )


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(bars=st.lists(a_bar(), min_size=1, max_size=60))
def test_rows_are_those_of_the_text_and_of_the_plain_formula(
    duck: DuckDBEngine, bars: list[Bar]
) -> None:
    inputs = of_bars(bars)
    rows = duck.run_trailing(cut(), inputs).read_all()
    whole = duck.run(minute_bars_sql(MINUTES, states(1), unique=False), inputs).read_all()
    assert rows.cast(arrow_schema(silver.MINUTE_BARS)) == whole.cast(
        arrow_schema(silver.MINUTE_BARS)
    )
    plain = plain_history(numbered(bars), states(1), sessions())
    assert rows.drop_columns(list(CONSTANTS)).to_pylist() == plain


@settings(max_examples=60, deadline=None)
@given(
    bars=st.lists(a_bar(), min_size=1, max_size=60),
    cuts=st.lists(st.integers(0, 60), max_size=6),
)
def test_where_batches_are_cut_changes_nothing(
    duck: DuckDBEngine, bars: list[Bar], cuts: list[int]
) -> None:
    rows = duck.run(cut().sql, of_bars(bars)).read_all().combine_chunks().to_batches()
    edges = [0, *sorted(cuts), 60]
    pieces = [b.slice(i, j - i) for b in rows for i, j in pairwise(edges)]
    schema = arrow_schema(silver.MINUTE_BARS)
    in_pieces, at_once = (
        pa.Table.from_batches(with_trailing(some, cut()), narrow_schema(silver.MINUTE_BARS))
        for some in (pieces, rows)
    )
    assert in_pieces.cast(schema) == at_once.cast(schema)


def test_the_greatest_values_of_a_long_batch_are_summed_exactly() -> None:
    count = 65_536
    high, volume = Decimal("99999999.999999"), Decimal("499999999.999999")
    rows = of_columns(
        symbol=["A"] * count,
        session=["regular"] * count,
        bar_start_ns=[START_NS + n * MINUTE_NS for n in range(count)],
        **dict.fromkeys(("open", "high", "low", "close"), [high] * count),
        volume=[volume] * count,
        transactions=[1] * count,
    )
    (last,) = pa.Table.from_batches(with_trailing([rows], cut())).slice(count - 1).to_pylist()
    assert (last["volume_15m"], last["close_avg_15m"]) == (15 * volume, high)
    assert (last["high_15m"], last["low_15m"], last["rolling_bars"]) == (high, high, 15)


def test_the_columns_are_the_table_s_in_order_and_type(fast: CanTrail) -> None:
    bar = Bar("A", START_NS, Decimal(1))
    reader = fast.run_trailing(cut(), of_bars([bar]))
    assert reader.schema.equals(narrow_schema(silver.MINUTE_BARS), check_metadata=True)
    assert reader.read_all().num_rows == 1


def test_a_day_without_a_good_bar_has_no_rows(fast: CanTrail) -> None:
    bad = Bar("A", START_NS, Decimal(-1))
    assert fast.run_trailing(cut(), of_bars([bad])).read_all().num_rows == 0


@pytest.mark.parametrize("starts", [[0, 0], [1, 0]])
def test_a_key_that_comes_twice_or_late_is_told(duck: DuckDBEngine, starts: list[int]) -> None:
    bars = [Bar("A", START_NS + n * MINUTE_NS, Decimal(1)) for n in starts]
    unsorted = replace(cut(unique=True), sql=cut(unique=True).sql.rpartition("ORDER BY")[0])
    reader = duck.run_trailing(unsorted, of_bars(bars))
    with pytest.raises(ContractBrokenError, match="twice or out of order"):
        reader.read_all()


def test_several_states_have_no_fast_path() -> None:
    assert minute_bars_trailing(MINUTES, states(1, 2), unique=False) is None


def of_columns(**columns: list[Any]) -> pa.RecordBatch:
    schema = arrow_schema(silver.MINUTE_BARS)
    arrays = [pa.array(values, schema.field(name).type) for name, values in columns.items()]
    return pa.RecordBatch.from_arrays(arrays, names=list(columns))
