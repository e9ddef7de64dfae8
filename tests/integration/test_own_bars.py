"""Bars of one's own: landed, versioned and refused like any vendor's."""

from __future__ import annotations

import zipfile
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from ingot.app.context.lake_context import init, open_parts
from ingot.app.context.load_request import LoadRequest
from ingot.app.lake import Lake
from ingot.app.pipeline.backfill import backfill
from ingot.cli.main import run
from ingot.connectors.bars.connector import connector
from ingot.connectors.bars.parse import read_bars
from ingot.connectors.bars.settings import BarsSettings
from ingot.connectors.bars.source import BarsSource, settings_of
from ingot.connectors.reference.file_rows import FileRows
from ingot.connectors.reference.rows import Bad, BarRow
from ingot.errors import ConfigError, CorruptFileError, SchemaDriftError
from ingot.model.time import FixedClock, from_ns
from ingot.model.vendor_files import DEFAULT_LIMITS
from ingot.testing import check_connector

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HEADER = "symbol,time,open,high,low,close,volume\n"
# 09:30 in New York in June is 13:30 UTC: four hours behind.
MINUTES = HEADER + (
    "AAPL,2025-06-02 09:30,100,101,99,100.5,1000\n"
    "AAPL,2025-06-02 09:31,100.5,101,100,100.75,900.5\n"
    "AAPL,2025-06-03 09:30,101,102,100,101.5,7\n"
)
DAYS = pl.DataFrame(
    {
        "symbol": ["AAPL", "AAPL"],
        "time": ["2025-06-02", "2025-06-03"],
        "open": [100.0, 101.0],
        "high": [103.0, 104.0],
        "low": [99.0, 100.0],
        "close": [102.25, 103.5],
        "volume": [1000.0, 2000.5],
    }
)


def opened(root: Path, day: int) -> Lake:
    """Open the lake on a day of July 2025; make it if there is none."""
    init(root)
    clock = FixedClock(datetime(2025, 7, day, 16, tzinfo=UTC))
    environ = {"INGOT_QUARANTINE_LIMIT_PCT": "60"}
    return Lake(open_parts(root, environ=environ, clock=clock))


def closes(lake: Lake, known_at: str | None = None) -> list[float]:
    """Return the closes of AAPL's day bars."""
    answer = lake.bars("AAPL", start="2025-06-02", end="2025-06-04", known_at=known_at)
    return [float(value) for value in answer.to_polars()["close"].to_list()]


@pytest.fixture
def ingest(tmp_path: Path) -> Callable[..., int]:
    """Return `ingot ingest bars` of a CSV text."""
    root = str(tmp_path / "lake")
    assert run(["--lake", root, "init"]) == 0

    def load(text: str, *options: str) -> int:
        path = tmp_path / "bars.csv"
        path.write_text(text)
        return run(["--lake", root, "ingest", "bars", "--source", f"csv:{path}", *options])

    return load


@pytest.mark.parametrize(
    ("interval", "text"),
    [("1m", MINUTES), ("1d", HEADER + "A,2025-06-02,1,2,1,2,5\nB,2025-06-03,1,2,1,2,5\n")],
)
def test_a_file_of_bars_keeps_the_contract(tmp_path: Path, interval: str, text: str) -> None:
    path = tmp_path / "bars.csv"
    path.write_text(text)
    settings = connector.settings.model_validate({"interval": interval, "zone": "America/New_York"})
    keys = check_connector(
        connector,
        f"csv:{path}",
        f"bars/{interval}",
        start=datetime(2025, 6, 1, tzinfo=UTC).date(),
        end=datetime(2025, 6, 5, tzinfo=UTC).date(),
        folder=tmp_path,
        settings=settings,
        lines=False,  # its first line says how it is read
    )
    assert keys == (f"bars/{interval}/2025-06-02", f"bars/{interval}/2025-06-03")


def test_minutes_of_a_csv_file_are_refined_and_read(
    tmp_path: Path, ingest: Callable[..., int]
) -> None:
    assert ingest(MINUTES, "--interval", "1m", "--zone", "America/New_York") == 0
    assert run(["--lake", str(tmp_path / "lake"), "build"]) == 0
    with opened(tmp_path / "lake", 2) as lake:
        found = lake.bars("AAPL", start="2025-06-02", end="2025-06-04", interval="1m").to_polars()
    assert found["bar_start"].to_list() == [
        datetime(2025, 6, 2, 13, 30, tzinfo=UTC),
        datetime(2025, 6, 2, 13, 31, tzinfo=UTC),
        datetime(2025, 6, 3, 13, 30, tzinfo=UTC),
    ]
    assert found["volume"].to_list() == [1000.0, 900.5, 7.0]
    assert set(found["source"]) == {"mine"}


def test_a_label_at_the_end_moves_a_bar_to_its_start(
    tmp_path: Path, ingest: Callable[..., int]
) -> None:
    assert ingest(MINUTES, "--interval", "1m", "--zone", "America/New_York", "--label", "end") == 0
    with opened(tmp_path / "lake", 2) as lake:
        found = lake.sql("SELECT min(window_start) AS first FROM bronze.minute_bars").to_polars()
    assert found["first"].to_list() == [1748870940 * 10**9]  # 2025-06-02T13:29:00Z


@pytest.mark.parametrize("library", ["polars", "arrow", "pandas"])
def test_a_frame_is_loaded_and_read(tmp_path: Path, library: str) -> None:
    convert = {"polars": DAYS.clone, "arrow": DAYS.to_arrow, "pandas": DAYS.to_pandas}
    frame: Any = convert[library]()  # type: ignore[operator]
    with opened(tmp_path / "lake", 1) as lake:
        report = lake.write_bars(frame, source="model_a")
        assert report.exit_code == 0
        assert closes(lake) == [102.25, 103.5]


def test_a_corrected_frame_is_a_new_version_of_its_date_alone(tmp_path: Path) -> None:
    with opened(tmp_path / "lake", 1) as lake:
        lake.write_bars(DAYS)
    corrected = DAYS.with_columns(close=pl.Series([102.25, 103.75]))
    with opened(tmp_path / "lake", 10) as lake:
        lake.write_bars(corrected)
        assert closes(lake) == [102.25, 103.75]
        assert closes(lake, known_at="2025-07-05") == [102.25, 103.5]
        versions = lake.sql("SELECT file_date, ordinal FROM ops.landings WHERE source = 'mine'")
        assert sorted(versions.to_polars().rows()) == [
            (datetime(2025, 6, 2).date(), 1),  # noqa: DTZ001 (a date)
            (datetime(2025, 6, 3).date(), 1),  # noqa: DTZ001
            (datetime(2025, 6, 3).date(), 2),  # noqa: DTZ001
        ]


def test_a_row_that_breaks_a_rule_is_refused_with_its_text(tmp_path: Path) -> None:
    bad = pl.DataFrame(
        {
            "symbol": ["AAPL", "AAPL", "AAPL", "MSFT", "MSFT", "SPY"],
            "time": ["2025-06-02"] * 6,
            "open": [100.0] * 6,
            "high": [103.0] * 6,
            "low": [99.0] * 6,
            "close": [102.25, float("nan"), 102.25, 102.25, 102.25, 102.25],
            "volume": [1.0, 2.0, -3.0, 4.0, 4.0, 5.0],
            "transactions": [1.0] * 5 + [1.5],
        }
    )
    with opened(tmp_path / "lake", 1) as lake:
        lake.write_bars(bad)
        rows = lake.sql("SELECT row_number, rule, raw FROM ops.quarantine").to_polars().rows()
    assert sorted(rows) == [
        (2, "close", "AAPL,2025-06-02,100.0,103.0,99.0,nan,2.0,1.0"),
        (3, "volume_is_not_negative", "AAPL,2025-06-02,100.0,103.0,99.0,102.25,-3.0,1.0"),
        (5, "duplicate_key", "MSFT,2025-06-02,100.0,103.0,99.0,102.25,4.0,1.0"),
        (6, "transactions", "SPY,2025-06-02,100.0,103.0,99.0,102.25,5.0,1.5"),
    ]


def test_wrong_input_says_what_to_do(tmp_path: Path) -> None:
    naive = DAYS.with_columns(time=pl.lit(datetime(2025, 6, 2, 9, 30)))  # noqa: DTZ001 (naive)
    with opened(tmp_path / "lake", 1) as lake:
        with pytest.raises(ConfigError, match="not an IANA time zone"):
            lake.write_bars(DAYS, zone="New York")
        with pytest.raises(ConfigError, match="Name the zone of its times"):
            lake.write_bars(naive, interval="1m")
        with pytest.raises(ConfigError, match="is not FIELD=COLUMN"):
            lake.write_bars(DAYS, columns={"price": "p"})
        with pytest.raises(ConfigError, match="under which a connector stores its own rows"):
            lake.write_bars(DAYS, source="massive")
        with pytest.raises(ConfigError, match="Pass a frame of Polars, pandas or Arrow"):
            lake.write_bars([1, 2])
        with pytest.raises(SchemaDriftError, match="missing columns: close"):
            lake.write_bars(DAYS.drop("close"))


# In New York clocks went back on 2025-11-02 at 06:00 UTC: 01:30 was 05:30 and 06:30 UTC. They went
# forward on 2025-03-09 at 07:00 UTC: 02:30 was no time.
HOURS = (
    "BTC,2025-11-02 00:30,1,2,1,2,5\n"  # 04:30 UTC
    "BTC,2025-11-02 01:30,1,2,1,2,6\n"
    "BTC,2025-11-02 01:30-05:00,1,2,1,2,7\n"  # 06:30 UTC: an offset leaves no doubt
    "BTC,2025-03-09 02:30,1,2,1,2,8\n"
    "BTC,2025-03-09 03:30,1,2,1,2,9\n"  # 07:30 UTC
)
ZONED = {"interval": "1m", "zone": "America/New_York"}
SPRING = {9: "07:30", 8: "time_does_not_exist"}


@pytest.mark.parametrize(
    ("fold", "expected"),
    [
        ("refuse", {5: "04:30", 6: "time_occurs_twice", 7: "06:30"}),
        ("first", {5: "04:30", 6: "05:30", 7: "06:30"}),
        ("second", {5: "04:30", 6: "06:30", 7: "duplicate_key"}),
        (None, {5: "04:30", 6: "05:30", 7: "06:30"}),  # landed before the option was kept
    ],
)
def test_a_time_that_occurs_twice_is_rejected_unless_it_is_said_which(
    tmp_path: Path, fold: str | None, expected: dict[int, str]
) -> None:
    path = tmp_path / "bars.csv"
    path.write_text(HEADER + HOURS)
    settings = BarsSettings.model_validate(ZONED | ({"fold": fold} if fold else {}))
    source = BarsSource(path, settings)
    found: dict[int, str] = {}
    for day in source._parts:
        table = FileRows(source._parts[day], "part", DEFAULT_LIMITS)
        kept = table.options if fold else {k: v for k, v in table.options.items() if k != "fold"}
        for row in read_bars(table.lines, settings_of(kept, "mine")):
            if isinstance(row, Bad):
                found[int(row.raw.rpartition(",")[2])] = row.rule
            else:
                bar = row.row
                assert isinstance(bar, BarRow)
                found[int(bar.volume)] = f"{from_ns(bar.window_start):%H:%M}"
    assert found == expected | SPRING


def test_a_date_without_a_change_of_clocks_lands_as_before(tmp_path: Path) -> None:
    (tmp_path / "bars.csv").write_text(MINUTES)
    source = BarsSource(tmp_path / "bars.csv", BarsSettings.model_validate(ZONED))
    first = next(iter(source._parts.values()))
    assert first.splitlines()[0] == b'#ingot {"interval": "1m", "zone": "America/New_York"}'


def lean_archive(path: Path, text: str) -> None:
    """Write an archive as LEAN does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("trades.csv", text)


def test_archives_of_lean_are_bars(tmp_path: Path) -> None:
    # 34,200,000 ms are 09:30; prices in ten-thousandths (QuantConnect/Lean, Data/equity/readme.md).
    minutes = "34200000,1002500,1010000,1000000,1005001,1200\n34260000,oops,1,1,1,5\n"
    lean_archive(tmp_path / "usa/minute/aapl/20250602_trade.zip", minutes)
    lean_archive(
        tmp_path / "usa/daily/aapl.zip", "20250602 00:00,1002500,1010000,990000,1000000,7\n"
    )
    place = f"lean:{tmp_path / 'usa'}"
    with opened(tmp_path / "lake", 1) as lake:
        for interval in ("1m", "1d"):
            options = (("interval", interval),)
            request = LoadRequest("bars", place, (), options=options)
            assert not backfill(lake._parts, request).errors
        minute = lake.bars("AAPL", start="2025-06-02", end="2025-06-03", interval="1m").to_polars()
        assert minute["bar_start"].to_list() == [datetime(2025, 6, 2, 13, 30, tzinfo=UTC)]
        assert minute.select("open", "close", "volume").row(0) == (100.25, 100.5001, 1200.0)
        assert closes(lake) == [100.0]
        bad = lake.sql("SELECT row_number, rule, raw FROM ops.quarantine").to_polars().rows()
    assert bad == [(2, "open", "AAPL,2025-06-02T09:31:00,oops,0.0001,0.0001,0.0001,5")]


def test_a_folder_without_archives_or_with_torn_ones_is_refused(tmp_path: Path) -> None:
    source = connector.open(f"lean:{tmp_path}", BarsSettings())
    first, last = DAYS["time"].str.to_date().min(), DAYS["time"].str.to_date().max()
    with pytest.raises(ConfigError, match="has no LEAN archive of 1d bars"):
        source.list("bars/1d", first, last)  # type: ignore[arg-type]
    (tmp_path / "aapl.zip").write_bytes(b"PK torn")
    with pytest.raises(CorruptFileError, match="is not a LEAN archive"):
        source.list("bars/1d", first, last)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="Name a folder of LEAN's archives"):
        connector.open("lean:/nowhere/at/all", BarsSettings())
