"""Writers of exports: bytes that depend on the rows alone, and manifests that are read back."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingot.errors import CorruptFileError, QueryError
from ingot.export import lean_writer, manifest, tabular
from ingot.export.manifest import FileWritten, LandingRead, Manifest, SessionsRead, TableRead
from ingot.export.request import decoded, encoded
from ingot.model.time import Interval
from ingot.quality.content_hash import content_hash
from ingot.query.requests.bars import BarsRequest

if TYPE_CHECKING:
    from pathlib import Path

REQUEST = BarsRequest(
    symbols=("AAPL", "NA"),
    start=date(2025, 6, 2),
    end=date(2025, 6, 4),
    interval="1m",
    window=Interval(1, 2),
)
KINDS: dict[str, type[Any]] = {"BarsRequest": BarsRequest, "Interval": Interval}
MADE = Manifest(
    question={"kind": "bars", "asked": encoded(REQUEST), "others": {}},
    form="parquet",
    known_at=datetime(2025, 7, 1, 16, tzinfo=UTC),
    is_now=False,
    basis="raw",
    settled=True,
    tables=(TableRead("silver.minute_bars", 2**62 + 1, "file:///lake/m.json", 21),),
    landings=(LandingRead(-5, "massive", "d", date(2025, 6, 2), "k", 1, "ab" * 32),),
    bound={"in_force": (1, -2)},
    sessions=SessionsRead("XNYS", "d1", "cd" * 32),
    known_rules=("r",),
    sources=("massive",),
    settings={"calendar": "XNYS"},
    transforms={"silver.minute_bars": "t1"},
    code_version="1",
    writers={"pyarrow": "1"},
    rows=1,
    columns=(("symbol", "string"),),
    content_hash="c",
    files=(FileWritten("data.parquet", "ef" * 32, 9),),
)


def rows(*chunks: list[str | None]) -> pa.Table:
    symbol = pa.chunked_array([pa.array(c, pa.string()) for c in chunks])
    price = pa.chunked_array(
        [
            pa.array([None if s is None else Decimal("1.5") for s in c], pa.decimal128(18, 6))
            for c in chunks
        ]
    )
    return pa.table({"symbol": symbol, "price": price})


def test_a_request_of_an_earlier_version_keeps_its_layout() -> None:
    earlier = encoded(replace(REQUEST, layout="wide"))
    earlier["form"] = earlier.pop("layout")
    assert decoded(earlier, KINDS).layout == "wide"


def test_a_request_comes_back_as_it_was_asked() -> None:
    assert decoded(json.loads(json.dumps(encoded(REQUEST))), KINDS) == REQUEST


def test_a_field_that_this_version_does_not_know_is_named() -> None:
    body = {**encoded(REQUEST), "mood": "calm"}
    with pytest.raises(QueryError, match="asks with mood, which this Ingot does not know"):
        decoded(body, KINDS)


def test_a_manifest_comes_back_as_it_was_written() -> None:
    assert manifest.from_text(manifest.to_text(MADE), "it") == MADE


@pytest.mark.parametrize("change", [{"rows": 2}, {"content_hash": "d"}, {"form": "csv"}])
def test_another_export_has_another_id(change: dict[str, Any]) -> None:
    assert replace(MADE, **change).export_id != MADE.export_id


def test_a_manifest_that_was_edited_is_refused() -> None:
    text = manifest.to_text(MADE).replace('"rows": 1', '"rows": 2')
    with pytest.raises(CorruptFileError, match="was changed after it was written"):
        manifest.from_text(text, "manifest.json")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"id": "x"}', b"\xff"])
def test_what_is_no_manifest_is_refused(text: str | bytes) -> None:
    with pytest.raises(CorruptFileError, match="is not a manifest"):
        manifest.from_text(text, "it")


def test_a_manifest_of_a_later_version_says_so() -> None:
    text = manifest.to_text(MADE).replace('"manifest_version": 1', '"manifest_version": 9')
    with pytest.raises(QueryError, match="manifest of version 9; this Ingot reads version 1"):
        manifest.from_text(text, "it")


@pytest.mark.parametrize("form", tabular.FORMS)
def test_bytes_do_not_depend_on_chunks_or_on_what_lies_under_a_null(
    tmp_path: Path, form: str
) -> None:
    one = rows(["A", None, "B", "B"])
    dirty = pa.Array.from_buffers(
        pa.int64(), 4, [pa.py_buffer(b"\x0d"), pa.array([1, 99, 3, 4]).buffers()[1]]
    )
    clean = pa.array([1, None, 3, 4], pa.int64())
    other = rows(["A"], [None, "B"], ["B"])
    other = other.set_column(0, "symbol", other["symbol"].dictionary_encode())
    tabular.write(one.append_column("n", clean), tmp_path / "a", form)
    tabular.write(other.append_column("n", dirty), tmp_path / "b", form)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_row_groups_have_a_fixed_size(tmp_path: Path) -> None:
    many = pa.table({"n": pa.array(range(tabular.ROW_GROUP_ROWS + 1))})
    tabular.write(many, tmp_path / "a", "parquet")
    found = pq.ParquetFile(tmp_path / "a")
    assert [found.metadata.row_group(i).num_rows for i in range(2)] == [65_536, 1]
    assert found.read().equals(many)


def test_a_type_that_the_format_cannot_hold_is_named(tmp_path: Path) -> None:
    data = pa.table({"x": pa.array([(1, 2, 3)], pa.month_day_nano_interval())})
    with pytest.raises(QueryError, match="parquet cannot hold these columns"):
        tabular.write(data, tmp_path / "a", "parquet")


@settings(max_examples=25)
@given(
    st.lists(st.tuples(st.text(max_size=3) | st.none(), st.integers(-5, 5)), max_size=8),
    st.randoms(),
)
def test_the_content_hash_knows_rows_and_not_their_order(
    values: list[tuple[str | None, int]], chance: Any
) -> None:
    def table(pairs: list[tuple[str | None, int]], *, wide: bool = False) -> pa.Table:
        kind = pa.large_string() if wide else pa.string()
        return pa.table(
            {
                "s": pa.array([p[0] for p in pairs], kind),
                "n": pa.array([p[1] for p in pairs], pa.int64()),
            }
        )

    shuffled = list(values)
    chance.shuffle(shuffled)
    assert content_hash(table(values)) == content_hash(table(shuffled, wide=True))
    assert content_hash(table(values)) != content_hash(table([*values, ("x", 1)]))


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (pa.array([0.0]), pa.array([-0.0])),
        (pa.array([0.1]), pa.array([0.1 + 2**-56])),
        (pa.array([1], pa.int32()), pa.array([1], pa.int64())),
        (pa.array([None], pa.string()), pa.array([""])),
        (pa.array([["a,b"]]), pa.array([["a", "b"]])),
        (pa.array([1], pa.timestamp("us", "UTC")), pa.array([2], pa.timestamp("us", "UTC"))),
        (pa.array([b"a"]), pa.array([b"b"])),
    ],
)
def test_the_content_hash_sees_the_smallest_difference(a: pa.Array[Any], b: pa.Array[Any]) -> None:
    assert content_hash(pa.table({"x": a})) != content_hash(pa.table({"x": b}))


def bars(symbols: list[str], price: str = "648.8") -> pa.Table:
    count = len(symbols)
    start = datetime(2014, 6, 6, 8, 0, tzinfo=UTC)
    values = pa.array([Decimal(price)] * count, pa.decimal128(18, 6))
    return pa.table(
        {
            "symbol": symbols,
            "trade_date": pa.array([date(2014, 6, 6)] * count),
            "bar_start": pa.array([start] * count, pa.timestamp("us", "UTC")),
            **dict.fromkeys(("open", "high", "low", "close"), values),
            "volume": pa.array([Decimal("300.5")] * count, pa.decimal128(18, 6)),
        }
    )


def test_lean_has_milliseconds_of_new_york_and_ten_thousandths(tmp_path: Path) -> None:
    assert lean_writer.write(bars(["AAPL"]), tmp_path, interval="1m") == 0
    path = tmp_path / "equity" / "usa" / "minute" / "aapl" / "20140606_trade.zip"
    with zipfile.ZipFile(path) as archive:
        (entry,) = archive.infolist()
        assert entry.filename == "20140606_aapl_minute_trade.csv"
        assert entry.date_time == (1980, 1, 1, 0, 0, 0)
        # 04:00 in New York, and 648.80 dollars.
        assert archive.read(entry) == b"14400000,6488000,6488000,6488000,6488000,300.5\n"


def test_lean_daily_is_one_archive_for_each_ticker(tmp_path: Path) -> None:
    lean_writer.write(bars(["AAPL"]), tmp_path, interval="1d")
    with zipfile.ZipFile(tmp_path / "equity" / "usa" / "daily" / "aapl.zip") as archive:
        assert archive.read("aapl.csv").startswith(b"20140606 00:00,6488000,")


@pytest.mark.parametrize(("price", "counts"), [("1.23455", 4), ("1.2345", 0)])
def test_a_price_that_lean_cannot_hold_is_rounded_and_counted(
    tmp_path: Path, price: str, counts: int
) -> None:
    assert lean_writer.write(bars(["A"], price), tmp_path, interval="1d") == counts
    with zipfile.ZipFile(tmp_path / "equity" / "usa" / "daily" / "a.zip") as archive:
        assert archive.read("a.csv").split(b",")[1] == (b"12346" if counts else b"12345")


@pytest.mark.parametrize(
    ("symbols", "interval", "words"),
    [
        (["BACpA", "BACPA"], "1m", "BACPA and BACpA are one"),
        (["../etc"], "1m", "cannot be the name of a file"),
        (["A"], "5m", "LEAN has no bars of 5m"),
    ],
)
def test_what_lean_cannot_hold_is_refused(
    tmp_path: Path, symbols: list[str], interval: str, words: str
) -> None:
    with pytest.raises(QueryError, match=words):
        lean_writer.write(bars(symbols), tmp_path, interval=interval)
