"""Option minutes that LEAN recorded load to bronze contract by contract, as they were recorded."""

from __future__ import annotations

import zipfile
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from tests.support.recorded_bars import Bar, lean_bars, publish_bars, rows_in
from tests.support.world import World, at

if TYPE_CHECKING:
    from pathlib import Path

OPTION_MINUTES = "us_options_opra/minute_aggs_v1"
DAYS = [date(2014, 6, 6), date(2014, 6, 9)]
ONE_DAY = timedelta(days=1)
pytestmark = pytest.mark.recorded


def read(path: Path, day: date) -> list[Bar]:
    """Read a day's archive, whose members are named by underlying, right, strike and expiry."""
    with zipfile.ZipFile(path) as archive:
        texts = {name: archive.read(name).decode() for name in archive.namelist()}
    return [bar for name, text in texts.items() for bar in lean_bars(text, _ticker(name), day)]


def _ticker(member: str) -> str:
    """Return the contract as the vendor names it, of e.g. <day>_aapl_..._call_6450000_20140613.csv.

    Strikes are in ten-thousandths of a dollar there, in thousandths here.
    """
    _, underlying, *_, right, strike, expiry = member.removesuffix(".csv").split("_")
    expires = datetime.strptime(f"{expiry} +0000", "%Y%m%d %z")
    thousandths = int(Decimal(strike) / 10)
    return f"O:{underlying.upper()}{expires:%y%m%d}{right[0].upper()}{thousandths:08}"


def test_every_minute_of_every_contract_reaches_bronze(recorded: Path, tmp_path: Path) -> None:
    folder = recorded / "equity-minute" / "lean-options" / "aapl"
    bars = [b for day in DAYS for b in read(folder / f"{day:%Y%m%d}_trade_american.zip", day)]
    world = World(tmp_path, datasets=(OPTION_MINUTES,))
    assert publish_bars(world.tree, OPTION_MINUTES, bars) == DAYS
    report = world.backfill(at(1), start=DAYS[0], end=DAYS[-1] + ONE_DAY)
    assert report.exit_code == 0
    assert {d.rows_refused for d in report.days} == {0}

    names = ("ticker", "window_start", "open", "high", "low", "close", "volume", "transactions")
    with world.lake(at(2)) as lake:
        answer = lake.sql(
            f"SELECT {', '.join(names)} FROM bronze.minute_bars "
            f"WHERE dataset = '{OPTION_MINUTES}' ORDER BY ticker, window_start"
        )
    expected = sorted(
        (b.symbol, b.start_ns, b.open, b.high, b.low, b.close, b.volume, b.transactions)
        for b in bars
    )
    assert rows_in(answer, *names) == expected
    assert len({row[0] for row in expected}) > 2000
