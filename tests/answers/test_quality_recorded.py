"""Recorded files against each other: what differs is named as those who kept the files name it."""

from __future__ import annotations

import gzip
from dataclasses import replace
from datetime import date, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from ingot.errors import QueryError
from ingot.quality.reconcile.compare import Context, compare
from ingot.quality.reconcile.self_check import alone
from ingot.tables.view import Condition
from tests.support.quality_faults import differs, found_between, opened, reads, table_of

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

NEW_YORK = ZoneInfo("America/New_York")
DIVIDENDS = (
    "1398-HK",
    "4063-T",
    "ABDP-L",
    "CLC-L",
    "KAP-IL",
    "KME-MI",
    "NVT-L",
    "REL-L",
    "SCR-TO",
    "TENT-L",
)
# The name of each file says what is wrong with it; yfinance's tests repair it so.
BAD = {
    **{f"{name}-1d-bad-div": "dividend" for name in DIVIDENDS},
    "DODFX-1d-cg-double-count": "dividend",
    "AET-L-1d-100x-error": "scale_x100",
    "4063-T-1d-bad-stock-split": "split_factor",
    "AV-L-1wk-bad-stock-split": "split_factor",
    "CNE-L-1d-bad-stock-split": "split_factor",
    "LA-V-1d-bad-stock-split": "split_factor",
    "SPM-MI-1d-bad-stock-split": "split_factor",
}


def yahoo(recorded: Path, name: str) -> str:
    return f"yahoo:{recorded}/corporate-actions/yahoo-pairs/{name}.csv.gz?symbol=X"


def causes(found: pl.DataFrame) -> set[str]:
    return set(found["cause"].to_list())


@pytest.mark.parametrize(("name", "cause"), BAD.items())
def test_a_bad_file_of_yahoo_against_its_repair_is_named_as_what_it_is(
    recorded: Path, name: str, cause: str
) -> None:
    found = found_between(yahoo(recorded, name), yahoo(recorded, f"{name}-fixed"))
    assert causes(found) == {cause}
    bad, good = (
        pl.DataFrame(opened(yahoo(recorded, n)).view.relation.data)  # type: ignore[union-attr]
        for n in (name, f"{name}-fixed")
    )
    both = bad.join(good, on="trade_date", suffix="_b").cast({pl.Decimal: pl.Float64})
    columns = [n for n in ("open", "high", "low", "close", "adj_close", "dividend") if n in bad]
    expected = {
        row["trade_date"]
        for row in both.to_dicts()
        if any(differs("", row[n], row[f"{n}_b"]) for n in columns if n[0] != "d" and n[0] != "a")
        or any(
            abs(row[n] - row[f"{n}_b"]) > max(1e-4 * max(row[n], row[f"{n}_b"]), 2.5e-5)
            for n in columns
            if n[0] in "da"
        )
    }
    weekly = "1wk" in name
    if not weekly:
        assert set(found["trade_date"].to_list()) == expected


@pytest.mark.parametrize("name", ["CALM-1d-no-bad-divs", "IBE-MC-1d-no-bad-divs"])
def test_a_clean_control_of_yahoo_gives_no_finding(
    recorded: Path, tmp_path: Path, name: str
) -> None:
    text = gzip.decompress(
        (recorded / "corporate-actions" / "yahoo-pairs" / f"{name}.csv.gz").read_bytes()
    ).decode()
    header, *rows = text.splitlines()
    plain = tmp_path / "newest-first.csv"
    plain.write_text("\n".join([header, *reversed(rows)]))
    assert found_between(yahoo(recorded, name), f"yahoo:{plain}?symbol=X").is_empty()


@pytest.mark.parametrize("symbol", ["SPY", "MSFT"])
def test_end_labelled_minutes_agree_with_their_quarters_after_the_shift(
    recorded: Path, symbol: str
) -> None:
    folder = recorded / "equity-minute" / "alphavantage"
    minutes, quarters = (
        f"alphavantage:{folder}/{symbol}_{width}.csv.gz" for width in ("1min", "15min")
    )
    assert found_between(minutes, quarters).is_empty()
    unshifted = found_between(f"{minutes}?label=start", quarters)
    by_cause = dict(unshifted.group_by("cause").len().rows())
    assert by_cause["end_labelled_bars"] >= 0.95 * len(unshifted)
    assert '"shift_minutes":-1' in unshifted["evidence"][0]


def test_minutes_in_another_zone_are_named(recorded: Path) -> None:
    folder = recorded / "equity-minute" / "alphavantage"
    minutes, quarters = (f"alphavantage:{folder}/SPY_{width}.csv.gz" for width in ("1min", "15min"))
    found = found_between(f"{minutes}?zone=UTC", quarters)
    by_cause = dict(found.group_by("cause").len().rows())
    assert by_cause["time_zone"] >= 0.95 * len(found)
    same_width = found_between(f"{quarters}?zone=UTC", quarters)
    assert causes(same_width) <= {"time_zone", "not_published"}
    # New York is five hours behind in February.
    assert '"shift_minutes":300' in same_width.filter(cause="time_zone")["evidence"][0]


def test_an_average_beside_the_range_is_no_finding(recorded: Path) -> None:
    path = recorded / "equity-minute/massive-rest-shape/SPY_1min_2024-02-20_2024-03-08.csv.gz"
    side = f"csv:{path}?symbol=SPY"
    frame = pl.read_csv(path)
    outside = frame.filter((pl.col.vwap > pl.col.high) | (pl.col.vwap < pl.col.low))
    assert len(outside) > 0
    assert found_between(side, side).is_empty()


def sessions(days: list[date]) -> pa.Table:
    """Return pre-market, regular and post-market of whole days."""
    hours = {"pre": (4, 0, 9, 30), "regular": (9, 30, 16, 0), "post": (16, 0, 20, 0)}
    rows = [
        (day, name, *(_ns(day, h, m) for h, m in ((a, b), (c, d))))
        for day in days
        for name, (a, b, c, d) in hours.items()
    ]
    names = ["trade_date", "session", "start_ns", "end_ns"]
    return table_of(pl.DataFrame(rows, schema=names, orient="row"))


def _ns(day: date, hour: int, minute: int) -> int:
    moment = datetime(day.year, day.month, day.day, hour, minute, tzinfo=NEW_YORK)
    return int(moment.timestamp()) * 10**9


def test_minutes_of_lean_against_its_days_differ_legally_but_for_filtered_extremes(
    recorded: Path,
) -> None:
    days = [date(2013, 10, d) for d in (4, 7, 8, 9, 10, 11)]
    minutes = opened(f"lean:{recorded}/equity-minute/lean")
    daily = opened(f"lean:{recorded}/corporate-actions/lean/daily")
    narrow = (
        Condition("symbol", "in", ("SPY", "IBM", "AIG", "BAC")),
        Condition("trade_date", "in", tuple(days)),
    )
    a, b = (replace(side, view=side.view.narrowed(*narrow)) for side in (minutes, daily))
    with reads() as engine:
        found = pl.DataFrame(compare(engine.run, a, b, Context(sessions=sessions(days))).findings)
    legal = found.filter("legal")
    assert causes(legal) <= {"extended_hours_volume", "closing_auction"}
    assert legal.filter(cause="extended_hours_volume").height >= 20
    # Read from the archives by hand: LEAN's days leave out the odd extreme of a minute.
    errors = found.filter(~pl.col.legal).select("symbol", "trade_date", "fields").rows()
    assert sorted(errors) == [
        ("AIG", date(2013, 10, 4), "low"),
        ("AIG", date(2013, 10, 9), "high"),
        ("IBM", date(2013, 10, 4), "high"),
        ("IBM", date(2013, 10, 8), "high"),
    ]


def test_days_of_alphavantage_hold_more_than_their_regular_minutes(recorded: Path) -> None:
    folder = recorded / "equity-minute" / "alphavantage"
    days = [date(2019, 2, d) for d in (11, 12, 13, 14, 15)]
    found = found_between(
        f"alphavantage:{folder}/SPY_1min.csv.gz",
        f"alphavantage:{folder}/SPY_daily.csv.gz",
        Context(sessions=sessions(days)),
    )
    volumes = found.filter(pl.col.fields.str.contains("volume"))
    assert volumes["trade_date"].to_list() == days
    assert causes(volumes) == {"extended_hours_volume"}


# Adjusted closes follow the wrong dividend, and SPM-MI had a rights issue on top of its split: the
# file agrees with itself, and only another source can tell.
UNSEEN_ALONE = {
    "KAP-IL-1d-bad-div",
    "KME-MI-1d-bad-div",
    "NVT-L-1d-bad-div",
    "SCR-TO-1d-bad-div",
    "SPM-MI-1d-bad-stock-split",
    "TENT-L-1d-bad-div",
}


@pytest.mark.parametrize(("name", "cause"), BAD.items())
def test_a_bad_file_of_yahoo_is_named_alone(recorded: Path, name: str, cause: str) -> None:
    assert (cause in _alone(recorded, name)) == (name not in UNSEEN_ALONE)


@pytest.mark.parametrize("name", ["CALM-1d-no-bad-divs", "IBE-MC-1d-no-bad-divs"])
def test_a_clean_control_of_yahoo_does_not_contradict_itself(recorded: Path, name: str) -> None:
    assert _alone(recorded, name) == set()


def test_bars_of_a_quarter_of_an_hour_are_not_checked_alone(recorded: Path) -> None:
    with pytest.raises(QueryError, match="only bars of days or weeks"):
        _alone(recorded, "EA-15m-no-bad-divs")


def _alone(recorded: Path, name: str) -> set[str]:
    given = opened(yahoo(recorded, name))
    with reads() as engine:
        found = engine.run(alone(given), {given.rows.name: given.view})
    return {str(cause) for cause in found["cause"].to_pylist()}
