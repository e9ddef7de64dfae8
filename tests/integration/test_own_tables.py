"""Tables that a user declares with a file: landed, versioned, refined, read and rebuilt.

Expected rows are written by hand.
"""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import duckdb
import polars as pl
import pytest

from ingot.app.context.lake_context import init, open_parts
from ingot.app.lake import Lake
from ingot.app.operate.rebuild import RebuildRequest, rebuild
from ingot.app.read.views import Views
from ingot.cli.main import run
from ingot.connectors.table.connector import connector, first_options
from ingot.errors import ConfigError, QueryError, SchemaDriftError
from ingot.model.landing import KnownBasis
from ingot.model.time import FixedClock
from ingot.tables.own import RESERVED
from ingot.testing import check_connector

if TYPE_CHECKING:
    from pathlib import Path

HEADER = "symbol,seq,ts,bid,note\n"
FIRST = HEADER + (
    "AAPL,1,2025-06-02T13:30:00Z,100.25,a\n"
    "AAPL,2,2025-06-02T13:31:00Z,100.5,\n"
    "TRUE,1,2025-06-03T13:31:00Z,7,c\n"
)
CORRECTED = HEADER + (
    "AAPL,1,2025-06-02T13:30:00Z,100.75,a\n"  # another bid
    "AAPL,2,2025-06-02T13:31:00Z,oops,\n"  # rejected: the row before stays
    "AAPL,3,2025-06-02T13:32:00Z,101,\n"  # new
)
BIDS = "SELECT symbol, seq, bid, stale_refused FROM silver.quotes ORDER BY ALL"
AT_FIRST = [
    ("AAPL", 1, Decimal("100.25"), False),
    ("AAPL", 2, Decimal("100.5"), False),
    ("TRUE", 1, Decimal(7), False),
]
AT_LAST = [
    ("AAPL", 1, Decimal("100.75"), False),
    ("AAPL", 2, Decimal("100.5"), True),
    ("AAPL", 3, Decimal(101), False),
    ("TRUE", 1, Decimal(7), False),
]
FRAME = pl.DataFrame(
    {
        "symbol": ["A", "B"],
        "day": [date(2025, 6, 2), date(2025, 6, 2)],
        "rating": [1.5, float("nan")],
    }
)


def opened(root: Path, day: int = 9) -> Lake:
    """Open the lake at noon of a day of July 2025."""
    clock = FixedClock(datetime(2025, 7, day, 12, tzinfo=UTC))
    return Lake(open_parts(root, environ={"INGOT_QUARANTINE_LIMIT_PCT": "60"}, clock=clock))


def rows(lake: Lake, sql: str = BIDS, known_at: str | None = None) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in lake.sql(sql, known_at=known_at).arrow().to_pylist()]


def load(root: Path, text: str, *options: str, day: int = 1, name: str = "quotes") -> int:
    """Return what `ingot ingest table` of a CSV text returns, without `build`."""
    path = root.parent / "quotes.csv"
    path.write_text(text)
    now = ["--now", f"2025-07-{day:02}T12:00:00Z"]
    return run(
        ["--lake", str(root), *now, "ingest", "table", name, "--source", f"csv:{path}", *options]
    )


KEYS = ("--key", "symbol,seq", "--time", "ts")


@pytest.fixture(scope="module")
def corrected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a lake with a table of quotes, whose first file was corrected a week later."""
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.setenv("INGOT_QUARANTINE_LIMIT_PCT", "60")
    root = tmp_path_factory.mktemp("own") / "lake"
    init(root)
    assert load(root, FIRST, *KEYS, day=1) == 0
    assert load(root, CORRECTED, day=8) == 0
    with opened(root, 8) as lake:
        assert lake.build().exit_code == 0
    monkeypatch.undo()
    return root


@pytest.fixture
def lake_root(tmp_path: Path, corrected: Path) -> Path:
    """Return a copy of that lake, as on another machine."""
    shutil.copytree(corrected, tmp_path / "elsewhere" / "lake")
    return tmp_path / "elsewhere" / "lake"


def test_a_correction_is_known_from_when_it_was_loaded(corrected: Path) -> None:
    with opened(corrected) as lake:
        assert rows(lake) == AT_LAST
        assert rows(lake, known_at="2025-07-08T11:59:00Z") == AT_FIRST
        assert rows(lake, known_at="2025-07-08T12:00:00Z") == AT_LAST
        history = "SELECT seq, bid FROM silver.quotes_history WHERE symbol = 'AAPL' ORDER BY ALL"
        assert [(n, float(bid)) for n, bid in rows(lake, history)] == [
            (1, 100.25),
            (1, 100.75),
            (2, 100.5),
            (2, 100.5),
            (3, 101.0),
        ]


def test_bronze_keeps_every_version_and_quarantine_the_bad_row(corrected: Path) -> None:
    with opened(corrected) as lake:
        assert rows(lake, "SELECT count(*) FROM bronze.quotes_history") == [(5,)]
        assert rows(lake, "SELECT count(*) FROM bronze.quotes") == [(3,)]
        bad = rows(lake, "SELECT row_number, rule, raw FROM ops.quarantine")
    assert bad == [(2, "bid", "AAPL,2,2025-06-02T13:31:00Z,oops,")]


def test_a_file_of_a_declared_table_keeps_the_contract(tmp_path: Path) -> None:
    path = tmp_path / "quotes.csv"
    path.write_text(FIRST)
    declared = first_options(
        f"csv:{path}", {"name": "quotes", "key": "symbol,seq", "time": "ts"}, types={}
    )
    keys = check_connector(
        connector,
        f"csv:{path}",
        "table/quotes",
        start=date(2025, 6, 1),
        end=date(2025, 6, 5),
        folder=tmp_path,
        settings=connector.settings.model_validate(declared),
        lines=False,  # the first line of an object is not the header
    )
    assert keys == ("table/quotes/2025-06-02", "table/quotes/2025-06-03")


def test_the_table_is_listed_described_and_has_a_status(corrected: Path) -> None:
    with opened(corrected) as lake:
        assert {"bronze.quotes", "silver.quotes"} <= set(lake.tables()["table"])
        assert "bid" in lake.describe("silver.quotes")["column"]
        (row,) = [r for r in lake.status() if r["table"] == "silver.quotes"]
    assert (row["days"], row["missing_days"], row["stale_days"]) == (2, None, 0)


def test_the_same_file_again_is_nothing_new(
    lake_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert load(lake_root, FIRST.splitlines(keepends=True)[0] + FIRST.splitlines()[3], day=9) == 0
    assert "nothing new" in capsys.readouterr().err
    with opened(lake_root) as lake:
        assert sum(key.startswith("table/") for key in lake.landings()["key"]) == 3


def test_a_lake_without_state_and_data_is_rebuilt_from_landing(lake_root: Path) -> None:
    for path in lake_root.glob("state.db*"):
        path.unlink()
    for layer in ("bronze", "silver"):
        shutil.rmtree(lake_root / "warehouse" / layer / "quotes")
    with opened(lake_root) as lake:
        for layer in ("bronze", "silver"):
            assert not rebuild(lake._parts, RebuildRequest(f"{layer}.quotes")).errors
        assert rows(lake) == AT_LAST
        assert rows(lake, known_at="2025-07-08T11:59:00Z") == AT_FIRST


def test_a_lost_catalog_is_made_anew_with_the_table(lake_root: Path) -> None:
    (lake_root / "catalog.db").unlink()
    with opened(lake_root) as lake:
        lake.repair()
        assert rows(lake) == AT_LAST


def test_rows_that_landed_before_a_kill_are_built_by_the_next_run(lake_root: Path) -> None:
    later = HEADER + "MSFT,1,2025-06-04T13:30:00Z,400,\n"
    assert load(lake_root, later, day=9) == 0  # and the process ends before `build`
    with opened(lake_root, 10) as lake:
        assert rows(lake) == AT_LAST  # nothing of it is seen before it is refined
        assert lake.build().exit_code == 0
        assert ("MSFT", 1, Decimal(400), False) in rows(lake)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("symbol,seq,ts,bid\nA,1,2025-06-05T13:30:00Z,1\n", "missing columns: note"),
        (HEADER.replace("note", "note,ask") + "A,1,2025-06-05T13:30:00Z,1,x,2\n", "columns: ask"),
        (HEADER + "A,1,2025-06-05T13:30:00Z,high,x\n", r"bid \(VARCHAR, not DECIMAL\(38,12\)\)"),
    ],
)
def test_a_file_with_other_columns_is_refused_and_names_them(
    lake_root: Path, capsys: pytest.CaptureFixture[str], text: str, message: str
) -> None:
    assert load(lake_root, text, day=9) == 3
    assert pl.Series([capsys.readouterr().err]).str.contains(message).item()


def test_another_key_than_the_first_is_refused(
    lake_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert load(lake_root, FIRST, "--key", "symbol", day=9) == 2
    assert "Give the options of the first load" in capsys.readouterr().err


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    init(tmp_path / "lake")
    return opened(tmp_path / "lake")


def test_a_frame_declares_a_table_and_nan_is_absent(lake: Lake) -> None:
    with lake:
        assert lake.write_table(FRAME, name="ratings", key=["symbol"], time="day").rows == 4
        assert rows(lake, "SELECT symbol, day, rating FROM silver.ratings ORDER BY ALL") == [
            ("A", date(2025, 6, 2), 1.5),
            ("B", date(2025, 6, 2), None),
        ]
        with pytest.raises(SchemaDriftError, match=r"rating \(VARCHAR, not DOUBLE\)"):
            lake.write_table(FRAME.cast({"rating": pl.String}), name="ratings")
        with pytest.raises(ConfigError, match="key or time is not named"):
            lake.write_table(FRAME, name="others")


def test_quotes_have_nanoseconds_and_doubled_keys_are_rejected(lake: Lake) -> None:
    quotes = pl.DataFrame(
        {"ticker": ["A", "A", "A"], "n": [1, 2, 2], "sip": [1748870940123456789] * 3}
    )
    with lake:
        lake.write_table(quotes, name="quotes", key=["ticker", "n"], time="sip")
        assert rows(lake, "SELECT file_date, n, sip FROM silver.quotes ORDER BY n") == [
            (date(2025, 6, 2), 1, 1748870940123456789),  # 2025-06-02T13:29:00.123456789Z
            (date(2025, 6, 2), 2, 1748870940123456789),
        ]
        assert rows(lake, "SELECT rule, row_number FROM ops.quarantine") == [("duplicate_key", 3)]
        fine = quotes.with_columns(pl.col("sip").cast(pl.Datetime("ns")))
        with pytest.raises(ConfigError, match="finer than a microsecond"):
            lake.write_table(fine, name="fine", key=["n"], time="sip", zone="UTC")


def test_types_of_a_new_table_can_be_named(tmp_path: Path, lake: Lake) -> None:
    text = "code,day,size\n00123,2025-06-02,5\n7,2025-06-02,none\n"
    options = ("--key", "code", "--time", "day", "--types", "size=integer")
    with lake:
        assert load(tmp_path / "lake", text, *options, name="sizes") == 3  # one row of two is bad
        found = lake.describe("silver.sizes")
        assert dict(zip(found["column"], found["type"], strict=True)).items() >= {
            ("code", "VARCHAR"),
            ("size", "BIGINT"),
        }


def test_a_first_file_without_a_readable_time_declares_nothing(tmp_path: Path, lake: Lake) -> None:
    text = "code,day\nA,2025-06-02 09:30\n"
    with lake:
        assert load(tmp_path / "lake", text, "--key", "code", "--time", "day", name="later") == 2
        assert "silver.later" not in lake.tables()["table"]


def test_a_table_is_not_a_source_of_bars_and_its_dates_are_not_theirs(lake: Lake) -> None:
    with lake:
        lake.write_table(FRAME, name="ratings", key=["symbol"], time="day")
        facts = Views(lake._parts).facts()
        assert facts.sources.present == ()
        assert facts.dates(datetime(2025, 7, 10, tzinfo=UTC), list(KnownBasis)) == ()
        with pytest.raises(QueryError, match="this lake has bars of: none"):
            lake.bars("A", start="2025-06-02", end="2025-06-03", source="mine")


@pytest.mark.parametrize(
    ("name", "column", "message"),
    [
        ("minute_bars", "price", "Ingot has a table minute_bars already"),
        ("Quotes", "price", "The name of the table was 'Quotes'"),
        ("a_history", "price", "no name that ends in _history"),
        ("../up", "price", "The name of the table was"),
        ("ok", "order", "The column 'order' cannot be stored"),
        ("ok", "known_to", "The column 'known_to' cannot be stored"),
        ("ok", "Bid Price", "The column 'Bid Price' cannot be stored"),
    ],
)
def test_names_that_cannot_be_used_are_refused(
    lake: Lake, name: str, column: str, message: str
) -> None:
    frame = FRAME.rename({"rating": column})
    with lake, pytest.raises(ConfigError, match=message):
        lake.write_table(frame, name=name, key=["symbol"], time="day")


def test_a_truncated_parquet_file_is_refused_whole(tmp_path: Path, lake: Lake) -> None:
    path = tmp_path / "torn.parquet"
    FRAME.write_parquet(path)
    path.write_bytes(path.read_bytes()[:-9])
    with lake:
        options = ["--key", "symbol", "--time", "day", "--source", f"parquet:{path}"]
        assert run(["--lake", str(tmp_path / "lake"), "ingest", "table", "torn", *options]) == 3
        assert "silver.torn" not in lake.tables()["table"]


def test_words_that_are_not_reserved_are_names_of_columns() -> None:
    words = duckdb.execute("SELECT keyword_name FROM duckdb_keywords()").fetchall()
    free = [word for (word,) in words if word not in RESERVED]
    columns = ", ".join(f"lag({word}) OVER (ORDER BY {word})" for word in free)
    values = ", ".join(f"1 AS {word}" for word in free)
    assert len(duckdb.execute(f"SELECT {columns} FROM (SELECT {values})").fetchone() or ()) > 100
