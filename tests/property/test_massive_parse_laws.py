"""Parsing against a plain reading by csv and Decimal, and the fast way against the slow one."""

from __future__ import annotations

import csv
import gzip
import io
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingot.connectors.massive.datasets import COLUMNS
from ingot.connectors.massive.flatfiles import block as block_module
from ingot.connectors.massive.flatfiles.block import BlockRefusedError, read_block
from ingot.connectors.massive.flatfiles.decompress import Inflated
from ingot.connectors.massive.flatfiles.parse import parse_file, span_of
from ingot.connectors.massive.flatfiles.row_recovery import read_piece, salvage
from ingot.connectors.massive.flatfiles.row_rules import Fault, examine
from ingot.model.landing import KnownBasis, Landing
from ingot.tables.bronze import MINUTE_BARS

if TYPE_CHECKING:
    from collections.abc import Iterator

SEEN = datetime(2025, 6, 3, 16, tzinfo=UTC)
LANDING = Landing(
    source="massive",
    dataset="us_stocks_sip/minute_aggs_v1",
    file_date=date(2025, 6, 2),
    key="us_stocks_sip/minute_aggs_v1/2025/06/2025-06-02.csv.gz",
    ordinal=1,
    sha256="ab",
    size_bytes=1,
    etag="e",
    last_modified=None,
    first_seen=SEEN,
    known_from=SEEN,
    known_basis=KnownBasis.OBSERVED,
    rule="r",
)
SPAN = span_of(LANDING)

tickers = st.sampled_from(["NA", "NULL", "TRUE", "nan", "BRKpA", "AAPL", "O:SPY230327P00390000"])


@pytest.fixture(autouse=True, scope="module", params=[0, 1 << 20], ids=["doubles", "decimals"])
def least_bytes_of_doubles(request: pytest.FixtureRequest) -> Iterator[None]:
    """Read the same small blocks by way of doubles, and by way of decimals."""
    with patch.object(block_module, "LEAST_BYTES_OF_DOUBLES", request.param):
        yield


prices = st.decimals(0, 10**6, places=6).map(lambda d: f"{d:f}") | st.decimals(
    0, 10**5, places=2
).map(str)
starts = st.integers(SPAN.start_ns, SPAN.end_ns - 1).map(str)
rows = st.tuples(
    tickers, prices, prices, prices, prices, prices, starts, st.integers(0, 10**7).map(str)
)
junk_fields = st.text(st.sampled_from('0159.-+eExX \tinfa\r"é\x00_'), max_size=8)
lines = (
    st.tuples(*[junk_fields] * 8).map(",".join)
    | st.builds(
        lambda row, at, junk: ",".join([*row[:at], junk, *row[at + 1 :]]),
        rows,
        st.integers(0, 7),
        junk_fields | st.sampled_from(["inf", "1e13", "1.0000001", "", "1,2", "0x1F", "1e999"]),
    )
    | st.text(max_size=20).filter(lambda t: "\n" not in t)
    | rows.map(",".join)
)


def parsed(content: bytes) -> tuple[list[dict[str, Any]], Any]:
    with TemporaryDirectory() as folder:
        source, to = Path(folder, "in"), Path(folder, "out.parquet")
        source.write_bytes(content)
        result = parse_file(LANDING, MINUTE_BARS, source, to, limit_pct=100)
        return (pq.read_table(to).to_pylist() if result.path else []), result


@settings(max_examples=40)
@given(st.lists(rows, min_size=1, max_size=30), st.permutations(COLUMNS), st.booleans())
def test_parsing_is_a_plain_reading_of_the_text(
    bars: list[tuple[str, ...]], order: list[str], crlf: bool
) -> None:
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, order, lineterminator="\r\n" if crlf else "\n")
    writer.writeheader()
    writer.writerows(dict(zip(COLUMNS, bar, strict=True)) for bar in bars)
    found, result = parsed(gzip.compress(file.getvalue().encode()))
    expected = [
        {
            "source": "massive",
            "dataset": "us_stocks_sip/minute_aggs_v1",
            "file_date": date(2025, 6, 2),
            "landing_id": LANDING.landing_id,
            "row_number": number,
            **{name: Decimal(bar[i]) for i, name in enumerate(COLUMNS) if 0 < i < 6},
            "ticker": bar[0],
            "window_start": int(bar[6]),
            "transactions": int(bar[7]),
        }
        for number, bar in enumerate(bars, start=1)
    ]
    assert found == expected
    keys = [(bar[0], int(bar[6])) for bar in bars]
    assert result.symbols == len({symbol for symbol, _ in keys})
    assert result.in_order == all(a < b for a, b in pairwise(keys))
    assert result.refused == ()


@settings(max_examples=400)
@given(lines)
def test_the_fast_way_takes_no_line_that_the_slow_way_refuses(text: str) -> None:
    line = text.encode()
    slow = examine(line, COLUMNS, SPAN)
    try:
        fast = read_block(line + b"\n", COLUMNS, SPAN)
    except BlockRefusedError:
        return
    assert not isinstance(slow, Fault)
    assert fast.rows.num_rows == 1
    assert fast.rows.equals(read_block(slow + b"\n", COLUMNS, SPAN).rows)


@settings(max_examples=60)
@given(st.lists(lines, min_size=1, max_size=12), st.integers(1, 200))
def test_a_lines_fate_does_not_depend_on_its_neighbours(texts: list[str], size: int) -> None:
    content = "\n".join(texts).encode()
    if not content:
        return
    stream = io.BytesIO(content)
    found: dict[int, tuple[Any, ...] | str] = {}
    seen = 0
    for block in Inflated(stream, "it", len(content)).blocks(size):
        piece = read_piece(block, COLUMNS, SPAN, 100)
        assert piece == salvage(block, COLUMNS, SPAN, 100) or piece.offsets is None
        if piece.block is not None:
            for offset, row in zip(
                piece.offsets or range(piece.lines), piece.block.rows.to_pylist(), strict=True
            ):
                found[seen + offset] = tuple(row.values())
        found |= {seen + bad.offset: bad.fault.rule for bad in piece.bad}
        seen += piece.lines
    assert sorted(found) == list(range(seen))
    for number, text in enumerate(content.decode().removesuffix("\n").split("\n")):
        alone = examine(text.encode(), COLUMNS, SPAN)
        if isinstance(alone, Fault):
            assert found[number] == alone.rule
        else:
            row = read_block(alone + b"\n", COLUMNS, SPAN).rows.to_pylist()[0]
            assert found[number] == tuple(row.values())


@settings(max_examples=20)
@given(st.lists(rows, min_size=1, max_size=20))
def test_the_fast_and_the_slow_way_give_the_same_rows(bars: list[tuple[str, ...]]) -> None:
    text = "".join(",".join(bar) + "\n" for bar in bars).encode()
    fast, slow = read_block(text, COLUMNS, SPAN), salvage(text, COLUMNS, SPAN, 100)
    assert slow.block is not None
    assert slow.bad == ()
    assert slow.block.rows.equals(fast.rows)
    assert (slow.block.in_order, slow.block.symbols) == (fast.in_order, fast.symbols)
