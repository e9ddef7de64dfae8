"""Each defect stands in the bytes, the truth says where, and a loader written here agrees."""

from __future__ import annotations

import gzip
import re
import zlib
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from ingot.simulator.simulate import simulate
from ingot.simulator.truth import held_path
from ingot.simulator.vendor.defects import Defect

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

HEADER = ["ticker", "volume", "open", "close", "high", "low", "window_start", "transactions"]
MINUTES = "us_stocks_sip/minute_aggs_v1"
DAY = date(2025, 6, 3)
START, END = date(2025, 6, 2), date(2025, 6, 5)
EARLIEST = int(datetime(2003, 1, 1, tzinfo=UTC).timestamp()) * 10**9
ROW_DEFECTS = [
    "duplicate_rows_equal",
    "duplicate_rows_conflicting",
    "malformed_number",
    "inf_value",
    "blank_line",
    "short_line",
    "timestamp_17_digits",
]
RULES = {
    "duplicate_rows_conflicting": "duplicate_conflict",
    "malformed_number": "not_a_number",
    "inf_value": "not_finite",
    "blank_line": "blank_line",
    "short_line": "column_count",
    "timestamp_17_digits": "timestamp_out_of_range",
}

Key = tuple[str, int]
Values = tuple[Decimal, ...]


def make(out: Path, *names: str, stage: int = 1, day: date = DAY, **more: Any) -> bytes:
    """Write the tree with these defects in one day's minutes; return that file's bytes."""
    simulate(
        out,
        start=START,
        end=END,
        symbols=25,
        seed=6,
        stage=stage,
        datasets=[MINUTES],
        defects={day: names} if names else None,
        **more,
    )
    path = file(out, day)
    return path.read_bytes() if path.exists() else b"absent"


def file(out: Path, day: date = DAY) -> Path:
    return out / MINUTES / f"{day:%Y}" / f"{day:%m}" / f"{day}.csv.gz"


def lines(content: bytes) -> list[str]:
    text = gzip.decompress(content).decode()
    assert text.endswith("\n")
    return text[:-1].split("\n")


def injected(out: Path, stage: int = 1) -> list[dict[str, Any]]:
    return pl.read_parquet(out / "truth" / "defects" / f"stage={stage}.parquet").to_dicts()


def truth(out: Path, stage: int = 1, day: date = DAY) -> dict[Key, tuple[Values, bool]]:
    path = held_path(out, MINUTES, day, stage=stage)
    assert path is not None
    return {
        (r["ticker"], r["window_start"]): (
            (r["volume"], r["open"], r["close"], r["high"], r["low"], Decimal(r["transactions"])),
            r["stale_refused"],
        )
        for r in pl.read_parquet(path).to_dicts()
    }


def number(text: str) -> Decimal:
    if not re.fullmatch(r"\d+(\.\d+)?", text):
        raise ValueError(text)
    return Decimal(text)


def parse(line: str, header: Sequence[str]) -> tuple[Key, Values]:
    """Read one line by the rules of the reference, or raise ValueError."""
    parts = line.split(",")
    if len(parts) != len(header):
        raise ValueError(line)
    row = dict(zip(header, parts, strict=True))
    start = int(row["window_start"])
    if start < EARLIEST or not row["ticker"]:
        raise ValueError(line)
    names = ("volume", "open", "close", "high", "low", "transactions")
    return (row["ticker"], start), tuple(number(row[n]) for n in names)


def load(content: bytes) -> tuple[dict[Key, Values], dict[int, str]]:
    """Return what a file's good lines hold, and its bad lines by number.

    Of conflicting rows the one with most transactions counts, then volume, then the later one
    (SEMANTICS 1).
    """
    header, *rest = lines(content)
    names = header.split(",")
    held: dict[Key, tuple[Decimal, Decimal, int, Values]] = {}
    bad = {}
    for n, line in enumerate(rest, start=1):
        try:
            key, values = parse(line, names)
        except ValueError:
            bad[n] = line
            continue
        rank = (values[5], values[0], n, values)
        held[key] = max(held.get(key, rank), rank)
    return {key: best[3] for key, best in held.items()}, bad


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The lines of the day without a defect."""
    return lines(make(tmp_path_factory.mktemp("clean") / "t"))


@pytest.mark.parametrize("name", ROW_DEFECTS)
def test_the_truth_names_each_bad_line_and_its_text(
    tmp_path: Path, clean: list[str], name: str
) -> None:
    found = lines(make(tmp_path / "t", name))
    noted = injected(tmp_path / "t")
    assert 1 <= len(noted) <= max(1, 0.005 * len(clean))
    for record in noted:
        assert record["defect"] == name
        assert record["rule"] == RULES.get(name, "duplicate_equal")
        assert record["key"] == f"{MINUTES}/2025/06/{DAY}.csv.gz"
        assert found[record["line"]] == record["raw"]
        assert any(
            c.startswith(f"{record['ticker']},") and str(record["window_start"]) in c for c in clean
        )


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("malformed_number", r"^[^,]+,[^,]+,[^,]+,(12\.3\.4|1O\.5|--),"),
        ("inf_value", r",-?(inf|Infinity),"),
        ("blank_line", r"^$"),
        ("short_line", r"^[^,]+,[^,]+,[^,]+,[^,]+$"),
        ("timestamp_17_digits", r",\d{17},\d+$"),
    ],
)
def test_a_bad_line_is_bad_in_the_way_of_its_name(
    tmp_path: Path, clean: list[str], name: str, pattern: str
) -> None:
    found = lines(make(tmp_path / "t", name))
    bad = [line for line in found[1:] if re.search(pattern, line)]
    assert bad == [r["raw"] for r in sorted(injected(tmp_path / "t"), key=lambda r: r["line"])]
    assert not any(re.search(pattern, line) for line in clean[1:])
    assert set(found) - set(bad) <= set(clean), "every other line is as it was"


def test_equal_duplicates_stand_next_to_each_other(tmp_path: Path, clean: list[str]) -> None:
    found = lines(make(tmp_path / "t", "duplicate_rows_equal"))
    noted = injected(tmp_path / "t")
    assert len(found) == len(clean) + len(noted)
    assert all(found[r["line"]] == found[r["line"] - 1] for r in noted)
    assert {r["effect"] for r in noted} == {"duplicate_dropped"}


def test_conflicting_duplicates_differ_and_the_loser_is_noted(
    tmp_path: Path, clean: list[str]
) -> None:
    content = make(tmp_path / "t", "duplicate_rows_conflicting")
    held, _ = load(content)
    noted = injected(tmp_path / "t")
    assert len(lines(content)) == len(clean) + len(noted)
    for record in noted:
        assert record["rule"] == "duplicate_conflict"
        loser = parse(record["raw"], HEADER)
        assert held[loser[0]] != loser[1]


@pytest.mark.parametrize(
    "names",
    [*[(n,) for n in ROW_DEFECTS], tuple(ROW_DEFECTS), ("missing_closing_minutes", "inf_value")],
)
def test_a_loader_of_this_test_holds_what_the_truth_says(
    tmp_path: Path, names: tuple[str, ...]
) -> None:
    content = make(tmp_path / "t", *names)
    held, bad = load(content)
    assert {k: (v, False) for k, v in held.items()} == truth(tmp_path / "t")
    noted = injected(tmp_path / "t")
    refused = {
        r["line"]: r["raw"]
        for r in noted
        if r["effect"] == "row_refused" and r["rule"] != "duplicate_conflict"
    }
    assert bad == refused


def test_a_refused_row_keeps_the_row_of_the_version_before(tmp_path: Path) -> None:
    out = tmp_path / "t"
    before, _ = load(make(out))
    after, _ = load(make(out, *ROW_DEFECTS, stage=2))
    noted = [r for r in injected(out, 2) if r["defect"] in {"malformed_number", "inf_value"}]
    stale = {(r["ticker"], r["window_start"]) for r in noted} & before.keys()
    assert stale
    expected = {k: (v, False) for k, v in after.items()} | {k: (before[k], True) for k in stale}
    assert truth(out, 2) == expected


def test_the_next_stage_is_whole_again(tmp_path: Path) -> None:
    out = tmp_path / "t"
    make(out, "truncated_gzip")
    held, bad = load(make(out, stage=2))
    assert bad == {}
    assert truth(out, 2) == {k: (v, False) for k, v in held.items()}
    assert injected(out, 2) == []


def test_the_last_minutes_of_some_symbols_are_missing(tmp_path: Path, clean: list[str]) -> None:
    found = lines(make(tmp_path / "t", "missing_closing_minutes"))
    gone = set(clean) - set(found)
    assert set(found) < set(clean)
    # 2025-06-03 15:55 to 16:00 New York is 19:55 to 20:00 UTC.
    low, high = (
        int(datetime(2025, 6, 3, *hm, tzinfo=UTC).timestamp()) * 10**9 for hm in ((19, 55), (20, 0))
    )
    assert all(low <= int(line.split(",")[6]) <= high for line in gone)
    noted = {(r["ticker"], r["window_start"]) for r in injected(tmp_path / "t")}
    assert noted == {(line.split(",")[0], int(line.split(",")[6])) for line in gone}


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("wrong_header", "symbol,volume,open,close,high,low,window_start,trade_count"),
        ("extra_column", "ticker,volume,open,close,high,low,window_start,transactions,vwap"),
        ("reordered_header", "open,close,high,low,window_start,transactions,ticker,volume"),
    ],
)
def test_a_header_defect_changes_the_header(
    tmp_path: Path, clean: list[str], name: str, header: str
) -> None:
    content = make(tmp_path / "t", name)
    found = lines(content)
    assert found[0] == header
    assert len(found) == len(clean)
    assert all(line.count(",") == header.count(",") for line in found)
    if name == "reordered_header":
        assert {k: (v, False) for k, v in load(content)[0].items()} == truth(tmp_path / "t")
    else:
        assert truth(tmp_path / "t") == {}, "nothing of a refused file is held"


def test_a_torn_gzip_cannot_be_read_to_its_end(tmp_path: Path) -> None:
    content = make(tmp_path / "t", "truncated_gzip")
    reader = zlib.decompressobj(31)
    assert reader.decompress(content)
    assert not reader.eof
    assert truth(tmp_path / "t") == {}


def test_an_empty_file_has_no_bytes(tmp_path: Path) -> None:
    assert make(tmp_path / "t", "empty_file") == b""
    assert truth(tmp_path / "t") == {}


def test_a_refused_version_leaves_the_one_before_in_force(tmp_path: Path) -> None:
    out = tmp_path / "t"
    make(out)
    before = truth(out)
    make(out, "empty_file", stage=2)
    assert truth(out, 2) == before


def test_a_tenth_of_the_market_is_a_tenth_of_its_symbols(tmp_path: Path, clean: list[str]) -> None:
    found = lines(make(tmp_path / "t", "tenth_of_market"))
    symbols, all_symbols = ({line.split(",")[0] for line in x[1:]} for x in (found, clean))
    assert symbols < all_symbols
    assert len(symbols) <= -(-len(all_symbols) // 10)


def test_a_tenth_is_held_where_there_is_a_version_to_compare_with(tmp_path: Path) -> None:
    out = tmp_path / "t"
    make(out)
    before = truth(out)
    make(out, "tenth_of_market", stage=2)
    files = pl.read_parquet(out / "truth" / "files" / "stage=2.parquet")
    outcome = files.filter(pl.col("defects") == "tenth_of_market")["outcome"].to_list()
    assert outcome == ["held"]
    assert truth(out, 2) == before


def test_a_tenth_is_held_after_five_loaded_days_and_loads_before(tmp_path: Path) -> None:
    days = {date(2025, 6, 3): ["tenth_of_market"], date(2025, 6, 11): ["tenth_of_market"]}
    out = tmp_path / "t"
    simulate(out, start=START, end=date(2025, 6, 12), symbols=25, datasets=[MINUTES], defects=days)
    files = pl.read_parquet(out / "truth" / "files" / "stage=1.parquet").to_dicts()
    outcome = {f["file_date"]: f["outcome"] for f in files if f["defects"]}
    assert outcome == {date(2025, 6, 3): "done", date(2025, 6, 11): "held"}


def test_a_late_day_is_absent_and_appears_at_the_next_stage(tmp_path: Path) -> None:
    out = tmp_path / "t"
    assert make(out, "late_day") == b"absent"
    assert held_path(out, MINUTES, DAY, stage=1) is None
    assert len(lines(make(out, stage=2))) > 1
    assert {k: (v, False) for k, v in load(file(out).read_bytes())[0].items()} == truth(out, 2)


def test_a_late_day_takes_back_what_the_same_stage_had_published(tmp_path: Path) -> None:
    out = tmp_path / "t"
    make(out)
    assert make(out, "late_day") == b"absent"
    assert held_path(out, MINUTES, DAY, stage=1) is None


def test_too_many_bad_rows_refuse_the_file(tmp_path: Path) -> None:
    dataset = "us_stocks_sip/day_aggs_v1"
    simulate(
        tmp_path / "t",
        start=START,
        end=date(2025, 6, 3),
        symbols=25,
        datasets=[dataset],
        defects={(dataset, START): ["inf_value"]},
    )
    files = pl.read_parquet(tmp_path / "t" / "truth" / "files" / "stage=1.parquet").to_dicts()
    # One of some two dozen rows is more than one percent.
    assert [(f["rows"] < 30, f["outcome"]) for f in files] == [(True, "refused")]


@pytest.mark.parametrize("defect", list(Defect))
def test_every_defect_changes_the_bytes_and_no_other_file(tmp_path: Path, defect: Defect) -> None:
    clean_file = make(tmp_path / "clean")
    assert make(tmp_path / "t", defect.value) != clean_file
    for other in (date(2025, 6, 2), date(2025, 6, 4)):
        assert (
            file(tmp_path / "t", other).read_bytes() == file(tmp_path / "clean", other).read_bytes()
        )
    again = make(tmp_path / "again", defect.value)
    assert again == (file(tmp_path / "t").read_bytes() if again != b"absent" else again)


def test_the_defects_are_those_of_the_order_of_work() -> None:
    assert {d.value for d in Defect} == {
        *ROW_DEFECTS,
        "missing_closing_minutes",
        "wrong_header",
        "reordered_header",
        "extra_column",
        "truncated_gzip",
        "empty_file",
        "tenth_of_market",
        "late_day",
    }
