"""A market of pairs: each scenario is one company to which two things happen at the same time.

Prices are those of the simulator's bars, a few a day, given to companies of our own. What the
lake must answer follows from `rows`, which knows who traded what and nothing of the lake.
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import combinations
from typing import TYPE_CHECKING, Final

import polars as pl

from ingot.app.context.lake_context import init, open_parts
from ingot.app.context.load_request import LoadRequest
from ingot.app.lake import Lake
from ingot.app.pipeline import build, ingest
from ingot.model.time import FixedClock
from ingot.simulator.simulate import simulate
from ingot.simulator.truth import held_path
from tests.support.recorded_bars import HEADER, NEW_YORK, Bar, as_vendor, one_of
from tests.support.small_market import ACTIONS, INSTRUMENTS, midnight
from tests.support.world import DAYS, MINUTES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from ingot.app.context.lake_context import Parts

FEATURES: Final = (
    *("renamed", "hands", "delisted", "split", "dividend"),
    *("correction", "late", "refused", "half", "overnight"),
)
PAIRS: Final = tuple(combinations(FEATURES, 2))
TRADED: Final = tuple(
    date(2025, *day) for day in ((6, 30), (7, 1), (7, 7), (7, 8), (7, 9), (7, 10))
)
LATE, HALF = date(2025, 7, 2), date(2025, 7, 3)
CORRECTED, CHANGED, LAST = date(2025, 7, 7), date(2025, 7, 8), date(2025, 7, 9)
"""The day with a second version; the first day after a rename, an ex-date; the last if delisted."""
START, END = date(2025, 6, 30), date(2025, 7, 11)
RATIO, CASH = 4, Decimal("0.25")
LOADS: Final = tuple(datetime(2025, 7, day, 16, tzinfo=UTC) for day in (11, 14, 15))
"""When all but the late day is loaded, then the late day, then the second version."""
MOMENTS: Final = tuple(load + timedelta(hours=1) for load in LOADS)
_OHLC: Final = ("open", "high", "low", "close")
CLOCK: Final = (time(8, 30), time(9, 30), time(9, 41), time(11, 5), time(12, 59), time(13, 30))
NIGHT: Final = time(21, 15)
RULEBOOK: Final = """
[calendar.XNYS]
zone = "America/New_York"

[[calendar.XNYS.session]]
session = "pre"
valid_from = 2000-01-01
start = 04:00:00
end = "open"

[[calendar.XNYS.session]]
session = "post"
valid_from = 2000-01-01
start = "close"
end = 20:00:00
end_on_early_close = 17:00:00

[[calendar.XNYS.session]]
session = "overnight"
valid_from = 2025-06-02
start = 21:00:00
start_day_before = true
end = 04:00:00
"""


@dataclass(frozen=True)
class Scenario:
    """One pair of features, and the symbols that it has for itself."""

    features: tuple[str, ...]
    symbol: str

    def has(self, feature: str) -> bool:
        """Return True if the feature is part of the pair."""
        return feature in self.features

    @property
    def late_day(self) -> date:
        """The day whose file comes late; it is the half day where the pair says so."""
        return HALF if self.has("half") else LATE

    @property
    def days(self) -> tuple[date, ...]:
        """Trade dates on which the pair's symbols have bars."""
        more = [HALF] * self.has("half") + [LATE] * (self.has("late") and not self.has("half"))
        last = LAST if self.has("delisted") else END
        return tuple(sorted(d for d in (*TRADED, *more) if d <= last))

    def company_on(self, day: date) -> str:
        """Return who trades under the scenario's current symbol on a trade date."""
        return f"{self.symbol}-2" if self.has("hands") and day >= CHANGED else f"{self.symbol}-1"

    @property
    def holdings(self) -> list[tuple[str, str, date, date | None]]:
        """Return company, symbol, first date and the date after the last."""
        gone = LAST + timedelta(days=1) if self.has("delisted") else None
        first, second = f"{self.symbol}-1", f"{self.symbol}-2"
        changes = self.has("renamed") or self.has("hands")
        found = [(first, self.symbol, START, CHANGED if changes else gone)]
        if self.has("renamed"):
            found.append((first, f"{self.symbol}N", CHANGED, gone))
        if self.has("hands"):
            found.append((second, self.symbol, CHANGED, gone))
        return found

    def traded(self, day: date) -> list[tuple[str, str]]:
        """Return the companies that trade on a date, each with its symbol."""
        return [(c, s) for c, s, start, end in self.holdings if start <= day < (end or date.max)]

    @property
    def acting(self) -> str:
        """The symbol that the split and the dividend are published under."""
        return f"{self.symbol}N" if self.has("renamed") and not self.has("hands") else self.symbol


def scenarios(pairs: Iterable[tuple[str, ...]] = PAIRS) -> tuple[Scenario, ...]:
    """Return a scenario for each pair, in order."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    return tuple(Scenario(p, f"Q{letters[i // 26]}{letters[i % 26]}") for i, p in enumerate(pairs))


@dataclass(frozen=True)
class Row:
    """One bar as one version of its file has it."""

    company: str
    bar: Bar
    trade_date: date
    session: str
    since: int = 0
    """The load from which it is known."""
    until: int = len(LOADS)
    refused_since: int = len(LOADS)
    """The load from which it stands for a refused row."""

    @property
    def filed(self) -> date:
        """The date of the file that holds it."""
        return self.bar.day


def rows(scenario: Scenario, prices: Sequence[Bar]) -> list[Row]:
    """Return every minute bar of a scenario, in all versions, by company and time."""
    found: list[Row] = []
    for day in scenario.days:
        since = 1 if scenario.has("late") and day == scenario.late_day else 0
        for company, symbol in scenario.traded(day):
            acted = day >= CHANGED and scenario.has("split") and symbol == scenario.acting
            for index, clock in enumerate(CLOCK):
                bar = _scaled(prices[day.day * 7 + index], symbol, day, clock, acted=acted)
                found.append(Row(company, bar, day, _session(clock, day), since))
            if scenario.has("overnight") and day == CHANGED:
                eve = day - timedelta(days=1)
                bar = _scaled(prices[day.day], symbol, eve, NIGHT, acted=acted)
                found.append(Row(company, bar, day, "overnight", since))
    found = [version for row in found for version in _versions(scenario, row)]
    return sorted(found, key=lambda r: (r.company, r.bar.start, r.since))


def _versions(scenario: Scenario, row: Row) -> list[Row]:
    """Return the row, or what the second version of its file makes of it."""
    if row.filed != CORRECTED:
        return [row]
    clock = row.bar.clock
    if scenario.has("refused") and clock == CLOCK[2]:
        return [replace(row, refused_since=2)]
    changes = {CLOCK[1], NIGHT} if scenario.has("refused") else {CLOCK[2], NIGHT}
    if scenario.has("correction") and clock in changes:
        more = replace(row.bar, close=row.bar.high, volume=row.bar.volume + 7)
        return [replace(row, until=2), replace(row, bar=more, since=2)]
    return [row]


def _scaled(price: Bar, symbol: str, day: date, clock: time, *, acted: bool) -> Bar:
    start = datetime.combine(day, clock, NEW_YORK).astimezone(UTC)
    ratio = RATIO if acted else 1
    names = ("open", "high", "low", "close")
    four = {n: (getattr(price, n) / ratio).quantize(Decimal("0.000001")) for n in names}
    return replace(price, symbol=symbol, start=start, volume=price.volume * ratio, **four)


def _session(clock: time, day: date) -> str:
    close = time(13) if day == HALF else time(16)
    return "pre" if clock < time(9, 30) else "regular" if clock < close else "post"


def day_rows(minutes: Sequence[Row]) -> list[Row]:
    """Return the vendor's day bars of minutes: regular prices, volume of all, filed by the date."""
    found = []
    for load in range(len(LOADS)):
        days: dict[tuple[str, date], list[Row]] = {}
        for row in known(minutes, load):
            if row.session != "overnight":
                days.setdefault((row.company, row.trade_date), []).append(row)
        for (company, day), own in days.items():
            bar = one_of([r.bar for r in own if r.session == "regular"], midnight(day))
            bar = replace(bar, volume=sum((r.bar.volume for r in own), Decimal(0)))
            found.append(Row(company, bar, day, "regular", load, load + 1))
    return found


def known(found: Iterable[Row], load: int) -> list[Row]:
    """Return the rows that are known after a load."""
    return [r for r in found if r.since <= load < r.until]


def holder(scenario: Scenario, symbol: str, day: date) -> str | None:
    """Return the company that holds a symbol on a date."""
    return next((c for c, s in scenario.traded(day) if s == symbol), None)


def read_as(scenario: Scenario, found: Iterable[Row], symbol: str) -> list[Row]:
    """Return the rows that a symbol stands for, read up to the end: its holder's, or its own."""
    company = holder(scenario, symbol, END - timedelta(days=1))
    if company is None:
        return [r for r in found if r.bar.symbol == symbol]
    return [r for r in found if r.company == company]


def scale(scenario: Scenario, row: Row) -> Fraction:
    """Return what a price is divided by on the basis of splits."""
    if not scenario.has("split") or row.trade_date >= CHANGED:
        return Fraction(1)
    acting = holder(scenario, scenario.acting, CHANGED)
    return Fraction(RATIO) if row.company == acting else Fraction(1)


@dataclass(frozen=True)
class PairMarket:
    """A vendor's tree with the scenarios' bars among the simulator's, and a lake that loads it."""

    folder: Path
    scenarios: tuple[Scenario, ...]
    late: date = LATE

    @property
    def tree(self) -> Path:
        """Where the vendor publishes."""
        return self.folder / "vendor"

    def parts(self, now: datetime) -> Parts:
        """Open the lake at a moment."""
        rulebook = self.folder / "rulebook.toml"
        environ = {
            "INGOT_SESSIONS__RULEBOOK": str(rulebook),
            "INGOT_ASSUMED_KNOWN": "first_seen",
            "INGOT_CHECKS_ON_BUILD": "false",
        }
        clock = FixedClock(now, stated=False)
        return open_parts(self.folder / "lake", environ=environ, clock=clock)

    def lake(self, now: datetime) -> Lake:
        """Open the lake for queries at a moment."""
        return Lake(self.parts(now))

    def prices(self) -> list[Bar]:
        """Return bars of the simulator's truth that lend the scenarios their prices."""
        path = held_path(self.tree, MINUTES, START, stage=1)
        assert path is not None
        frame = pl.read_parquet(path).filter(pl.col("ticker") == "AAPL").head(400)
        values = frame.select(*_OHLC, "volume", "transactions").rows()
        return [Bar("AAPL", midnight(START), *row) for row in values]

    def minutes(self) -> dict[Scenario, list[Row]]:
        """Return every version of every minute bar by scenario."""
        prices = self.prices()
        return {s: rows(s, prices[i:]) for i, s in enumerate(self.scenarios)}

    def load(self) -> None:
        """Simulate, publish and load the market in three steps, and its reference data first."""
        (self.folder / "rulebook.toml").write_text(RULEBOOK)
        simulate(self.tree, start=START, end=END, symbols=20, seed=7, datasets=(MINUTES, DAYS))
        init(self.folder / "lake")
        minutes = [r for found in self.minutes().values() for r in found]
        plain = {
            (dataset, day): gzip.decompress(self._path(dataset, day).read_bytes()).decode()
            for dataset in (MINUTES, DAYS)
            for day in (*TRADED, LATE, HALF)
        }
        self._reference()
        found_of = {MINUTES: minutes, DAYS: day_rows(minutes)}
        for load, now in enumerate(LOADS):
            for (dataset, day), text in plain.items():
                shown = [r for r in known(found_of[dataset], load) if r.filed == day]
                if day == self.late and load == 0:
                    self._path(dataset, day).unlink(missing_ok=True)
                elif load == 0 or day in {self.late, CORRECTED}:
                    spoilt = dataset == MINUTES
                    self._publish(dataset, day, text, shown, load if spoilt else -1)
            self._run(now)

    def _publish(self, dataset: str, day: date, text: str, shown: list[Row], load: int) -> None:
        lines = text.splitlines()
        for row in shown:
            line = as_vendor([row.bar]).removeprefix(HEADER + "\n").strip()
            if load >= row.refused_since:
                line = line.replace(f",{row.bar.open},", ",much,", 1)
            lines.append(line)
        self._path(dataset, day).write_bytes(
            gzip.compress("".join(f"{line}\n" for line in lines).encode(), mtime=0)
        )

    def _path(self, dataset: str, day: date) -> Path:
        return self.tree / dataset / f"{day:%Y}" / f"{day:%m}" / f"{day}.csv.gz"

    def _reference(self) -> None:
        held = (
            f"{c},{s},{a},{b or ''},{c},XNAS,CS,"
            for one in self.scenarios
            for c, s, a, b in one.holdings
        )
        acts = [
            f"{s.acting},{CHANGED},{what}"
            for s in self.scenarios
            for kind, what in (
                ("split", f"split,1,{RATIO},,,"),
                ("dividend", f"cash_dividend,,,{CASH},USD,"),
            )
            if s.has(kind)
        ]
        acts.append(f"NOSUCH,{CHANGED},split,1,2,,,")
        for name, header, lines in (
            ("instruments", INSTRUMENTS, held),
            ("actions", ACTIONS, acts),
        ):
            path = self.folder / f"{name}.csv"
            path.write_text(header + "".join(f"{line}\n" for line in lines))
            request = LoadRequest("csv", str(path), (name,), reference=True)
            parts = self.parts(LOADS[0])
            try:
                assert ingest.ingest(parts, request).exit_code == 0
            finally:
                parts.close()

    def _run(self, now: datetime) -> None:
        request = LoadRequest("massive", str(self.tree), (MINUTES, DAYS), start=START, end=END)
        parts = self.parts(now)
        try:
            assert ingest.ingest(parts, request).exit_code in {0, 4}
            refined = build.build(parts, build.BuildRequest(START, END + timedelta(days=4)))
            assert refined.exit_code == 0
        finally:
            parts.close()
