"""Day bars, actions and instruments written by hand, and loaded as a person would."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from ingot.app.context.lake_context import init, open_parts
from ingot.app.context.load_request import LoadRequest
from ingot.app.lake import Lake
from ingot.app.pipeline import build, ingest
from ingot.model.time import FixedClock
from tests.support.recorded_bars import NEW_YORK, Bar, publish, publish_bars
from tests.support.world import DAYS, World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from ingot.app.context.lake_context import Parts
    from ingot.app.context.report import LoadReport

ACTIONS = "symbol,ex_date,kind,ratio_from,ratio_to,cash,currency,known_from\n"
INSTRUMENTS = "id,symbol,valid_from,valid_to,name,exchange,type,known_from\n"


def weekdays(first: date, count: int) -> list[date]:
    """Return so many weekdays from `first` on; choose spans without holidays."""
    days = (first + timedelta(days=n) for n in range(count * 2 + 3))
    return [day for day in days if day.weekday() < 5][:count]


def midnight(day: date) -> datetime:
    """Return 00:00 New York of a date, UTC."""
    return datetime.combine(day, time(), NEW_YORK).astimezone(UTC)


def day_bar(symbol: str, day: date, close: str | Decimal, volume: int = 1000) -> Bar:
    """Return a day bar whose four prices are the close."""
    price = Decimal(close)
    return Bar(symbol, midnight(day), price, price, price, price, Decimal(volume))


def closes(days: Mapping[date, Mapping[str, str | Decimal]]) -> list[Bar]:
    """Return the day bars of closes by date and symbol."""
    return [day_bar(s, day, c) for day, found in days.items() for s, c in found.items()]


@dataclass(frozen=True)
class Desk:
    """A lake beside a vendor's tree of day bars and a folder of hand-written CSV files."""

    folder: Path
    environ: Mapping[str, str] | None = None

    @property
    def world(self) -> World:
        """The vendor's tree and the lake."""
        return World(self.folder, datasets=(DAYS,), environ=self.environ or {})

    def publish(self, bars: Iterable[Bar], dataset: str = DAYS) -> list[date]:
        """Have the vendor publish bars; return their days."""
        return publish_bars(self.world.tree, dataset, bars)

    def withdraw(self, day: date, header: str, dataset: str = DAYS) -> None:
        """Have the vendor publish a day without a row."""
        publish(self.world.tree, dataset, day, header)

    def write(self, name: str, text: str) -> Path:
        """Write a CSV file of reference data."""
        path = self.folder / name
        path.write_text(text)
        return path

    def load_bars(self, now: datetime, days: Sequence[date], dataset: str = DAYS) -> LoadReport:
        """Load what the vendor has of these days to bronze."""
        request = self.world.request(
            datasets=(dataset,), start=min(days), end=max(days) + timedelta(days=1)
        )
        return self._ingest(now, request)

    def load(self, now: datetime, dataset: str, source: str, location: Path | str) -> LoadReport:
        """Load actions or instruments to bronze, as `ingot ingest DATASET --source` does."""
        return self._ingest(now, LoadRequest(source, str(location), (dataset,), reference=True))

    def actions(self, now: datetime, lines: str, name: str = "actions.csv") -> LoadReport:
        """Load hand-written actions to bronze."""
        return self.load(now, "actions", "csv", self.write(name, ACTIONS + lines))

    def instruments(self, now: datetime, lines: str, name: str = "symbols.csv") -> LoadReport:
        """Load hand-written instruments to bronze."""
        return self.load(now, "instruments", "csv", self.write(name, INSTRUMENTS + lines))

    def build(self, now: datetime, start: date, end: date) -> LoadReport:
        """Refine what is loaded of `[start, end)`."""
        return self._with(now, lambda p: build.build(p, build.BuildRequest(start, end)))

    def _ingest(self, now: datetime, request: LoadRequest) -> LoadReport:
        return self._with(now, lambda p: ingest.ingest(p, request))

    def parts(self, now: datetime) -> Parts:
        """Open the lake at a moment that is taken for the true one; make it if there is none."""
        root = self.world.root
        init(root)
        return open_parts(root, environ=self.environ or {}, clock=FixedClock(now, stated=False))

    def lake(self, now: datetime) -> Lake:
        """Open the lake for questions at a moment."""
        return Lake(self.parts(now))

    def _with(self, now: datetime, work: Callable[[Parts], LoadReport]) -> LoadReport:
        parts = self.parts(now)
        try:
            return work(parts)
        finally:
            parts.close()
