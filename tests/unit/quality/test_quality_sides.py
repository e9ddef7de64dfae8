"""How sides are named, described and read from files."""

from __future__ import annotations

import gzip
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from ingot.errors import CorruptFileError, QueryError
from ingot.quality.reconcile.compare import meeting
from ingot.quality.reconcile.file_inputs import read
from ingot.quality.reconcile.inputs import Side, described, parse

if TYPE_CHECKING:
    from pathlib import Path

    from ingot.quality.reconcile.file_inputs import Read

HEADER = "symbol,time,open,high,low,close,volume"


def opened(path: Path, text: str, options: str = "", reader: str = "csv") -> Read:
    path.write_text(text)
    named = parse(f"{reader}:{path}{options}")
    return read(named, described(named))


def test_a_table_is_narrowed_by_source_dataset_and_moment() -> None:
    named = parse("silver.day_bars@massive/us_stocks_sip/day_aggs_v1@known_at=2025-06-10")
    assert (named.table, named.source) == ("silver.day_bars", "massive")
    assert (named.dataset, named.known_at) == ("us_stocks_sip/day_aggs_v1", "2025-06-10")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("silver", "write a table such as"),
        ("cvs:a.csv", "Did you mean csv"),
        ("csv:", "names no file"),
        ("silver.day_bars@at=3", "There are known_at"),
        ("csv:a.csv?label", "option=value"),
    ],
)
def test_a_side_that_names_nothing_is_refused(text: str, told: str) -> None:
    with pytest.raises(QueryError, match=told):
        parse(text)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("silver.trades", "table of bars was 'silver.trades'"),
        ("csv:a?lable=end", "Did you mean label"),
        ("csv:a?label=middle", "There are start, end"),
        ("csv:a?scale=much", "write a number"),
        ("csv:a?interval=2d", "interval was '2d'"),
    ],
)
def test_a_side_that_is_described_wrongly_is_refused(text: str, told: str) -> None:
    with pytest.raises(QueryError, match=told):
        described(parse(text))


def test_bars_that_do_not_add_up_cannot_meet() -> None:
    assert meeting(Side("1m"), Side("1w")) == "1w"
    odd = Side("30m")
    assert meeting(odd, Side("1h")) == "1h"


def test_naive_labels_are_of_the_zone_that_is_told(tmp_path: Path) -> None:
    text = f"{HEADER}\nA,2025-03-10 09:30:00,1,2,1,2,5\nA,2025-03-10 09:31:00,1,2,1,2,5\n"
    file = opened(tmp_path / "a.csv", text, "?zone=America/New_York")
    assert file.side.interval == "1m"
    # 2025-03-10 is the first Monday of summer time: 09:30 is 13:30 UTC.
    assert file.rows["bar_start_ns"][0].as_py() == 1741613400 * 10**9


@pytest.mark.parametrize(
    ("label", "digits"),
    [("1741613400", 10), ("1741613400000", 13), ("1741613400000000000", 19)],
)
def test_times_may_be_counts_since_1970(tmp_path: Path, label: str, digits: int) -> None:
    file = opened(tmp_path / "a.csv", f"{HEADER}\nA,{label},1,2,1,2,5\n", "?interval=1m")
    assert len(label) == digits
    assert file.rows["bar_start_ns"].to_pylist() == [1741613400 * 10**9]


def test_a_file_without_symbols_needs_one(tmp_path: Path) -> None:
    text = "date,open,high,low,close,volume\n2025-06-02,1,2,1,2,5\n"
    with pytest.raises(QueryError, match=r"\?symbol=AAPL"):
        opened(tmp_path / "a.csv", text)
    file = opened(tmp_path / "a.csv", text, "?symbol=NA")
    assert file.rows["symbol"].to_pylist() == ["NA"]
    assert file.rows["close"].to_pylist() == [Decimal("2.000000")]


def test_a_file_that_is_not_there_or_torn_is_told(tmp_path: Path) -> None:
    with pytest.raises(QueryError, match="There is no file"):
        read(parse(f"csv:{tmp_path}/none.csv"), Side())
    whole = gzip.compress(f"{HEADER}\n".encode() * 1000)
    (tmp_path / "torn.csv.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CorruptFileError, match="cannot be read as CSV"):
        read(parse(f"csv:{tmp_path}/torn.csv.gz"), Side())


def test_a_time_that_is_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(CorruptFileError, match="holds a time 'monday'"):
        opened(tmp_path / "a.csv", f"{HEADER}\nA,monday,1,2,1,2,5\n")


def test_a_folder_without_archives_is_told(tmp_path: Path) -> None:
    with pytest.raises(QueryError, match="has no LEAN archive"):
        read(parse(f"lean:{tmp_path}"), Side())
    (tmp_path / "spy.zip").write_bytes(b"no zip")
    with pytest.raises(CorruptFileError, match="not a LEAN archive of trades"):
        read(parse(f"lean:{tmp_path}"), Side())


def test_rows_without_prices_are_no_bars(tmp_path: Path) -> None:
    text = "Date,Open,High,Low,Close,Volume\n2025-06-02,1,2,1,2,5\n2025-06-03,,,,,\n"
    file = opened(tmp_path / "AAPL-1d.csv", text, reader="yahoo")
    assert file.rows["symbol"].to_pylist() == ["AAPL"]
