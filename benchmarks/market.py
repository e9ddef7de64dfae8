"""The market that everybody loads: simulated once, kept in the output folder."""

from __future__ import annotations

import csv
import gzip
import sys
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from benchmarks.clock import timed
from ingot.app.operate.simulate import SimulationRequest, simulate
from ingot.connectors.sessions import build_calendar

MINUTES = "us_stocks_sip/minute_aggs_v1"
DAYS = "us_stocks_sip/day_aggs_v1"
FIRST = date(2025, 6, 2)
_SYMBOLS_READ = 24


@dataclass(frozen=True)
class Market:
    """A tree of the vendor's files."""

    tree: Path

    @property
    def minutes(self) -> Path:
        """Folder of the minute files."""
        return self.tree / MINUTES

    def files(self, dataset: str = MINUTES) -> list[Path]:
        """Return a dataset's files, oldest first."""
        return sorted((self.tree / dataset).rglob("*.csv.gz"))

    @property
    def days(self) -> list[date]:
        """Return the dates that have minute files, oldest first."""
        return [date.fromisoformat(path.name[:10]) for path in self.files()]

    def content(self, day: date) -> bytes:
        """Return the bytes of a day's minute file."""
        return next(p.read_bytes() for p in self.files() if p.name.startswith(f"{day}"))

    @property
    def gzip_bytes(self) -> int:
        """Return the size of the minute files as the vendor has them."""
        return sum(path.stat().st_size for path in self.files())

    def symbols(self) -> list[str]:
        """Return symbols to read, from the most traded to the rare, of the last day."""
        with gzip.open(self.files(DAYS)[-1], "rt", newline="") as file:
            rows = sorted(csv.DictReader(file), key=lambda row: -float(row["transactions"]))
        steps = [(i + 1) / (_SYMBOLS_READ + 1) for i in range(_SYMBOLS_READ)]
        return [rows[int(len(rows) ** step)]["ticker"] for step in steps]


def main() -> None:
    """Run: market TREE FIRST_TRADE_DATE DAYS SYMBOLS STAGE; writes what is not there."""
    tree = Path(sys.argv[1])
    first = date.fromisoformat(sys.argv[2])
    days, symbols, stage = map(int, sys.argv[3:6])
    market = Market(tree)
    if len(market.files()) == len(market.files(DAYS)) == days:
        return
    dates = build_calendar("XNYS", first, first + timedelta(days=2 * days + 10)).trade_dates
    with timed("market") as figures:
        written = simulate(
            SimulationRequest(
                out=tree,
                start=first,
                end=dates[days - 1] + timedelta(days=1),
                symbols=symbols,
                stage=stage,
                datasets=(MINUTES, DAYS),
                truth=False,
            )
        )
        figures["rows"] = written.rows


if __name__ == "__main__":
    main()
