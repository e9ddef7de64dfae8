from __future__ import annotations

import gzip
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from ingot.connectors.base import Parsed
from ingot.connectors.massive.connector import connector
from ingot.connectors.massive.flatfiles import parse, row_recovery
from ingot.connectors.massive.flatfiles.decompress import BLOCK_BYTES
from ingot.connectors.massive.flatfiles.row_rules import Fault, examine
from ingot.connectors.massive.settings import MassiveSettings
from ingot.errors import (
    ConfigError,
    CorruptFileError,
    QuarantineLimitError,
    SchemaDriftError,
    StorageFullError,
)
from ingot.model.landing import KnownBasis, Landing
from ingot.tables.arrow import arrow_schema
from ingot.tables.bronze import MINUTE_BARS

HEADER = "ticker,volume,open,close,high,low,window_start,transactions\n"
START = 1748865600000000000
MINUTE = 60_000_000_000
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


def bars(count: int, *, symbols: int = 1) -> list[str]:
    each = -(-count // symbols)
    return [
        f"S{n // each:05},{n + 1}.5,10.25,10.5,11,10,{START + n % each * MINUTE},{n % 7 + 1}\n"
        for n in range(count)
    ]


class Work:
    """A folder in which bytes are parsed."""

    def __init__(self, folder: Path) -> None:
        self.content = folder / "content"
        self.to = folder / "out.parquet"

    def parse(
        self, content: bytes | str, *, limit_pct: float = 1, landing: Landing = LANDING
    ) -> Parsed:
        """Parse text (gzipped first) or bytes as they are."""
        raw = gzip.compress(content.encode(), 1) if isinstance(content, str) else content
        self.content.write_bytes(raw)
        return parse.parse_file(landing, MINUTE_BARS, self.content, self.to, limit_pct=limit_pct)

    def rows(self) -> list[dict[str, Any]]:
        return pq.read_table(self.to).to_pylist()


@pytest.fixture
def work(tmp_path: Path) -> Work:
    return Work(tmp_path)


def test_a_row_is_the_vendors_with_its_lineage(work: Work) -> None:
    result = work.parse(HEADER + f"NA,28038.875816,200.29,200.5,200.63,115.030000,{START},129\n")
    assert result == Parsed(work.to, rows=1, symbols=1, in_order=True, refused=())
    assert work.rows() == [
        {
            "source": "massive",
            "dataset": "us_stocks_sip/minute_aggs_v1",
            "file_date": date(2025, 6, 2),
            "landing_id": LANDING.landing_id,
            "row_number": 1,
            "ticker": "NA",
            "volume": Decimal("28038.875816"),
            "open": Decimal("200.29"),
            "close": Decimal("200.5"),
            "high": Decimal("200.63"),
            "low": Decimal("115.03"),
            "window_start": START,
            "transactions": 129,
        }
    ]


def test_the_file_has_the_contracts_schema_with_ids_and_statistics(work: Work) -> None:
    work.parse(HEADER + "".join(bars(10)))
    file = pq.ParquetFile(work.to)
    assert file.schema_arrow.equals(arrow_schema(MINUTE_BARS), check_metadata=True)
    group = file.metadata.row_group(0)
    for position in range(group.num_columns):
        column = group.column(position)
        statistics = column.statistics
        assert statistics is not None, column.path_in_schema
        assert (statistics.null_count, statistics.has_min_max) == (0, True), column.path_in_schema
        prices = {"open", "close", "high", "low"}
        squeezed = "ZSTD" if column.path_in_schema in prices else "SNAPPY"
        assert column.compression == squeezed, column.path_in_schema
    assert group.column(6).physical_type == "INT64"


def test_row_groups_hold_at_most_64k_rows_and_lines_are_numbered_through(work: Work) -> None:
    result = work.parse(HEADER + "".join(bars(150_000, symbols=300)))
    file = pq.ParquetFile(work.to)
    sizes = [file.metadata.row_group(n).num_rows for n in range(file.metadata.num_row_groups)]
    assert max(sizes) <= 65_536
    assert min(sizes[:-1]) >= 32_768
    assert (result.rows, result.symbols, result.in_order) == (150_000, 300, True)
    assert file.read(["row_number"])["row_number"].to_pylist() == list(range(1, 150_001))


def test_line_numbers_cost_next_to_nothing(work: Work) -> None:
    work.parse(HEADER + "".join(bars(60_000, symbols=60)))
    group = pq.ParquetFile(work.to).metadata.row_group(0)
    assert group.column(4).path_in_schema == "row_number"
    assert group.column(4).total_compressed_size < group.num_rows / 20


@pytest.mark.parametrize(
    "lines",
    [
        [bars(2)[1], bars(2)[0]],
        [bars(1)[0], bars(1)[0]],
        ["T" + bars(1)[0], bars(1)[0]],
    ],
    ids=["time falls", "a key twice", "symbols fall"],
)
def test_rows_out_of_order_are_kept_and_said(work: Work, lines: list[str]) -> None:
    result = work.parse(HEADER + "".join(lines))
    assert (result.rows, result.in_order) == (2, False)


def test_order_is_seen_across_blocks(work: Work) -> None:
    lines = bars(120_000, symbols=120)
    assert work.parse(HEADER + "".join(lines)).in_order
    assert not work.parse(HEADER + "".join([*lines[60_000:], *lines[:60_000]])).in_order


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "is empty"),
        (gzip.compress(b""), "is empty"),
        (gzip.compress(HEADER.encode()), "a header and no row"),
        (b"\x00\x01\x02\x03", "begins with"),
        (b"PK\x03\x04\x14\x00\xff", "begins with"),
        (gzip.compress("".join([HEADER, *bars(999)]).encode())[:-9], "to its end"),
        (gzip.compress("".join([HEADER, *bars(999)]).encode())[:500], "to its end"),
        (gzip.compress(HEADER.encode())[:5], "to its end"),
        (
            gzip.compress("".join([HEADER, *bars(9)]).encode()) + b"a tail of something",
            "to its end",
        ),
        (gzip.compress("".join([HEADER, *bars(9)]).encode()) + b"\x1f\x8b", "to its end"),
        (b"".join([HEADER.encode(), b"A" * (1 << 23)]), "more than 1048576 bytes"),
    ],
    ids=[
        "no byte",
        "empty gzip",
        "header alone",
        "not text",
        "a zip",
        "torn at the end",
        "torn in the middle",
        "torn in the head",
        "words behind it",
        "half a member behind it",
        "a line without end",
    ],
)
def test_a_file_that_is_no_file_of_rows_is_refused_whole(
    work: Work, content: bytes, what: str
) -> None:
    with pytest.raises(CorruptFileError, match=what):
        work.parse(content)
    assert not work.to.exists()


def test_a_wrong_checksum_is_corrupt(work: Work) -> None:
    whole = bytearray(gzip.compress("".join([HEADER, *bars(9)]).encode()))
    whole[-6] ^= 0xFF
    with pytest.raises(CorruptFileError, match="CRC"):
        work.parse(bytes(whole))
    assert not work.to.exists()


@pytest.mark.parametrize(
    ("header", "missing", "unexpected"),
    [
        (HEADER.replace("volume", "size"), ("volume",), ("size",)),
        (HEADER.replace(",transactions", ""), ("transactions",), ()),
        (HEADER.replace("\n", ",otc\n"), (), ("otc",)),
        (HEADER.replace("\n", ",ticker\n"), (), ("ticker",)),
        (HEADER.replace("ticker", "Ticker"), ("ticker",), ("Ticker",)),
        (HEADER.replace("ticker", " ticker"), ("ticker",), (" ticker",)),
        ("<?xml version='1.0'?>\n", tuple(HEADER.strip().split(",")), ("<?xml version='1.0'?>",)),
    ],
)
def test_a_header_that_is_not_the_contracts_is_drift_that_names_the_columns(
    work: Work, header: str, missing: tuple[str, ...], unexpected: tuple[str, ...]
) -> None:
    with pytest.raises(SchemaDriftError, match=r"2025-06-02\.csv\.gz") as caught:
        work.parse(header + "".join(bars(3)))
    assert (caught.value.missing, caught.value.unexpected) == (missing, unexpected)
    assert not work.to.exists()


def test_another_order_of_columns_is_the_same_file(work: Work) -> None:
    work.parse(HEADER + "".join(bars(50)))
    usual = work.rows()
    turned = ["transactions,ticker,low,high,close,open,volume,window_start\n"]
    for line in bars(50):
        t, v, o, c, h, low, w, n = line.strip().split(",")
        turned.append(f"{n},{t},{low},{h},{c},{o},{v},{w}\n")
    work.parse("".join(turned))
    assert work.rows() == usual


@pytest.mark.parametrize(
    "content",
    [
        ("".join([HEADER, *bars(5)])).encode(),
        gzip.compress("".join([HEADER, *bars(5)]).encode()),
        gzip.compress("".join([HEADER, *bars(2)]).encode())
        + gzip.compress("".join(bars(5)[2:]).encode()),
        gzip.compress("".join([HEADER, *bars(5)]).encode()) + bytes(512),
        gzip.compress("".join([HEADER, *bars(5)]).replace("\n", "\r\n").encode()),
        gzip.compress("".join([HEADER, *bars(5)]).encode("utf-8-sig")),
        gzip.compress("".join([HEADER, *bars(5)]).rstrip().encode()),
        gzip.compress(
            "".join(
                '"' + line.strip().replace(",", '","') + '"\n' for line in [HEADER, *bars(5)]
            ).encode()
        ),
    ],
    ids=[
        "plain text",
        "gzip",
        "two members",
        "zeros behind",
        "carriage returns",
        "byte order mark",
        "no last line feed",
        "quoted fields",
    ],
)
def test_other_wrappings_of_the_same_rows_are_the_same_rows(work: Work, content: bytes) -> None:
    result = work.parse(content, limit_pct=0)
    assert [row["volume"] for row in work.rows()] == [Decimal(n) + Decimal("1.5") for n in range(5)]
    assert (result.rows, result.in_order, result.refused) == (5, True, ())


def test_a_bad_line_is_quarantined_and_the_others_keep_their_numbers(work: Work) -> None:
    lines = bars(1_000)
    lines[41] = lines[41].replace("10.5", "inf")
    lines[99] = "\n"
    lines[500] = "S00000,1,2\n"
    result = work.parse(HEADER + "".join(lines))
    assert [(r.row_number, r.rule, r.raw) for r in result.refused] == [
        (42, "not_finite", lines[41].strip()),
        (100, "blank_line", ""),
        (501, "column_count", "S00000,1,2"),
    ]
    assert result.refused[0].symbol == "S00000"
    assert result.refused[0].bar_start_ns == START + 41 * MINUTE
    assert result.refused[0].landing_id == LANDING.landing_id
    good = [n for n in range(1, 1_001) if n not in {42, 100, 501}]
    assert [row["row_number"] for row in work.rows()] == good
    assert [row["volume"] for row in work.rows()] == [Decimal(n) + Decimal("0.5") for n in good]
    assert (result.rows, result.in_order) == (997, True)


def test_bad_lines_of_later_blocks_are_numbered_from_the_files_start(work: Work) -> None:
    lines = bars(150_000, symbols=300)
    lines[140_000] = lines[140_000].replace("10.25", "1.0000001")
    result = work.parse(HEADER + "".join(lines))
    assert [(r.row_number, r.rule) for r in result.refused] == [(140_001, "too_many_decimals")]
    assert result.rows == 149_999


def test_text_that_is_none_is_kept_readable(work: Work) -> None:
    lines = b"".join(line.encode() for line in bars(200)) + b"\xff\xfe,1\n"
    result = work.parse(HEADER.encode() + lines)
    assert [(r.rule, r.raw) for r in result.refused] == [("not_utf8", r"\xff\xfe,1")]


def test_a_share_of_bad_rows_at_the_limit_passes_and_above_it_does_not(work: Work) -> None:
    lines = bars(200)
    lines[10] = lines[20] = "x\n"
    assert work.parse(HEADER + "".join(lines), limit_pct=1).rows == 198
    lines[30] = "x\n"
    with pytest.raises(QuarantineLimitError, match="3 of 200 rows") as caught:
        work.parse(HEADER + "".join(lines), limit_pct=1)
    assert [r.row_number for r in caught.value.refused_rows] == [11, 21, 31]
    assert not work.to.exists()


def test_a_refused_file_carries_at_most_a_thousand_rows(work: Work) -> None:
    with pytest.raises(QuarantineLimitError, match="5000 of 5000 rows") as caught:
        work.parse(HEADER + "x\n" * 5_000)
    assert len(caught.value.refused_rows) == 1_000
    assert caught.value.refused == 5_000


def test_a_file_without_a_good_row_under_a_limit_that_allows_it_has_no_path(work: Work) -> None:
    result = work.parse(HEADER + "x\n" * 3, limit_pct=100)
    assert result == Parsed(None, 0, 0, in_order=True, refused=result.refused)
    assert len(result.refused) == 3
    assert not work.to.exists()


def test_under_a_high_limit_every_refused_row_is_kept(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parse, "_KEPT_AT_FIRST", 10)
    result = work.parse(HEADER + "".join(bars(50)) + "x\n" * 30, limit_pct=50)
    assert [r.row_number for r in result.refused] == list(range(51, 81))
    assert len(work.rows()) == 50


def test_a_time_may_lie_up_to_a_day_after_the_file_was_seen(work: Work) -> None:
    late = int(datetime(2025, 6, 4, 15, 59, 59, tzinfo=UTC).timestamp()) * 10**9
    line = f"A,1,1,1,1,1,{late},1\n"
    assert work.parse(HEADER + line).rows == 1
    with pytest.raises(QuarantineLimitError, match="1 of 1 rows"):
        work.parse(HEADER + line.replace(str(late), str(late + 10**9)))
    earlier = replace(LANDING, first_seen=datetime(2025, 6, 3, tzinfo=UTC))
    with pytest.raises(QuarantineLimitError, match="1 of 1 rows"):
        work.parse(HEADER + line, landing=earlier)


def test_times_before_2003_are_refused(work: Work) -> None:
    first = int(datetime(2003, 1, 1, tzinfo=UTC).timestamp()) * 10**9
    assert work.parse(HEADER + f"A,1,1,1,1,1,{first},1\n").rows == 1
    with pytest.raises(QuarantineLimitError, match="1 of 1 rows") as caught:
        work.parse(HEADER + f"A,1,1,1,1,1,{first - 1},1\n")
    assert caught.value.refused_rows[0].rule == "timestamp_out_of_range"


def test_prices_that_break_a_contract_check_are_not_the_parsers_business(work: Work) -> None:
    assert work.parse(HEADER + f"A,-1,1,1,0.5,2,{START},1\n").rows == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
def test_a_full_disk_is_said_as_such(tmp_path: Path) -> None:
    content, to = tmp_path / "content", tmp_path / "out.parquet"
    content.write_text(HEADER + "".join(bars(5)))
    to.symlink_to("/dev/full")
    with pytest.raises(StorageFullError, match="quota is full"):
        parse.parse_file(LANDING, MINUTE_BARS, content, to, limit_pct=1)


def test_the_source_parses_by_the_landings_dataset(tmp_path: Path) -> None:
    source = connector.open(str(tmp_path), MassiveSettings())
    content = tmp_path / "content"
    content.write_text(HEADER + "".join(bars(5)))
    day = replace(LANDING, dataset="us_options_opra/day_aggs_v1")
    assert source.parse(day, content, tmp_path / "out", limit_pct=1).rows == 5
    other = replace(LANDING, dataset="us_stocks_sip/minute_agg_v1")
    with pytest.raises(ConfigError, match="Did you mean us_stocks_sip/minute_aggs_v1"):
        source.parse(other, content, tmp_path / "out", limit_pct=1)


def test_only_the_block_of_a_bad_line_is_read_line_by_line(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at: list[int] = []
    slow = row_recovery.salvage

    def counted(text: bytes, *rest: Any) -> row_recovery.Piece:
        looked_at.append(len(text))
        return slow(text, *rest)

    monkeypatch.setattr(row_recovery, "salvage", counted)
    lines = bars(150_000, symbols=300)
    lines[70_000] = "\n"
    text = HEADER + "".join(lines)
    work.parse(text)
    assert len(looked_at) == 1
    assert looked_at[0] < len(text) / 1.5


@pytest.mark.parametrize("line", ["\n", "A,1,1,1,1\n"])
def test_lines_too_short_for_a_row_cost_no_object_each_and_end_the_reading(
    work: Work, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    looked_at = 0

    def counted(*args: Any) -> bytes | Fault:
        nonlocal looked_at
        looked_at += 1
        return examine(*args)

    monkeypatch.setattr(row_recovery, "examine", counted)
    size = 12 << 20
    with pytest.raises(QuarantineLimitError, match="of the first") as refused:
        work.parse((HEADER + line * (size // len(line))).encode())
    assert refused.value.rows < size / len(line) / 2
    assert looked_at <= 20_000 * refused.value.rows * len(line) / BLOCK_BYTES + 20_000


def test_no_limit_makes_a_file_of_newlines_load(work: Work) -> None:
    with pytest.raises(CorruptFileError, match="more than 500,000 lines that are no rows"):
        work.parse((HEADER + "\n" * (4 << 20)).encode(), limit_pct=100)


def test_a_file_is_read_to_its_end_while_good_rows_may_still_come(work: Work) -> None:
    rows = "".join(bars(150_000, symbols=300))
    result = work.parse(HEADER + "x\n" * 1_000 + rows, limit_pct=1)
    assert (result.rows, len(result.refused)) == (150_000, 1_000)


def test_equal_rows_packed_beyond_the_ratio_are_refused_before_they_fill_the_disk(
    work: Work,
) -> None:
    row = f"NA,28038.875816,200.29,200.5,200.63,115.030000,{START},129\n"
    packed = gzip.compress((HEADER + row * (17 * (1 << 20) // len(row))).encode(), 1)
    with pytest.raises(CorruptFileError, match="inflates to more than 100 times its size"):
        work.parse(packed)


def test_parsing_leaves_no_thread_behind_after_an_error(work: Work) -> None:
    before = threading.active_count()
    for _ in range(3):
        with pytest.raises(QuarantineLimitError, match="rows"):
            work.parse(HEADER + "x\n" * 10)
    assert threading.active_count() == before


def test_parsing_a_small_file_loads_neither_pandas_nor_polars(work: Work) -> None:
    work.content.write_text(HEADER + "".join(bars(5)))
    code = (
        "import sys; from datetime import UTC, date, datetime; from pathlib import Path\n"
        "from ingot.connectors.massive.flatfiles.parse import parse_file\n"
        "from ingot.model.landing import KnownBasis, Landing\n"
        "from ingot.tables.bronze import MINUTE_BARS\n"
        "at = datetime(2025, 6, 3, tzinfo=UTC)\n"
        "landing = Landing('s', 'd', date(2025, 6, 2), 'k', 1, 'ab', 1, 'e', None, at, at,\n"
        "                  KnownBasis.OBSERVED, 'r')\n"
        "done = parse_file(landing, MINUTE_BARS, *map(Path, sys.argv[1:]), limit_pct=1)\n"
        "print(done.rows, sorted({'pandas', 'polars'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(work.content), str(work.to)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "5 []"
