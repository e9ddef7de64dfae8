"""The law: no observed event changes the answer to (question, moment).

One small market of random prices, splits, dividends and renames (the seed is fixed; set
INGOT_LAW_SEED for another). Answers are taken after each of several loads and again after all of
them. A pair is (question about one symbol, moment). Those of the public API ask for all symbols
at once and are cut by symbol; those of histories are the rows of `<table>_history` whose
[known_from, known_to) holds the moment, which the API's answers are shown to equal.
"""

from __future__ import annotations

import math
import os
import random
import shutil
from collections import defaultdict
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from ingot.tables import gold, silver
from tests.support.fingerprint import fingerprint
from tests.support.recorded_bars import NEW_YORK
from tests.support.small_market import Desk, day_bar, weekdays
from tests.support.world import rows_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import polars as pl

    from ingot.app.context.report import LoadReport
    from ingot.app.lake import Lake
    from ingot.tables.contract import Table

pytestmark = pytest.mark.services  # a minute: three loads, each asked hundreds of times
SEED = int(os.environ.get("INGOT_LAW_SEED", "20250602"))
FIRST = date(2025, 5, 27)
LOADED = weekdays(FIRST, 10)
LATER = weekdays(LOADED[-1] + timedelta(days=1), 4)
SYMBOLS = tuple("ABCDEFGHIJ")
RENAMED = {"D": "DX", "E": "EX"}
EVERY = (*SYMBOLS, *RENAMED.values())
BASES = ("raw", "split", "total_return", "scaled_raw")
MOMENTS = 2
PAIRS = 10_000
ONE_DAY = timedelta(days=1)
Pair = tuple[str, str, datetime]


@dataclass
class Market:
    """What the vendor and the keeper of the CSV files say at present."""

    desk: Desk
    rng: random.Random
    prices: dict[tuple[date, str], Decimal] = field(default_factory=dict)
    actions: dict[str, str] = field(default_factory=dict)
    renamed_on: dict[str, date] = field(default_factory=dict)

    def price(self) -> Decimal:
        return Decimal(self.rng.randint(500, 50_000)) / 100

    def trade(self, day: date) -> None:
        for symbol in SYMBOLS:
            since = self.renamed_on.get(symbol)
            now = RENAMED[symbol] if since and day >= since else symbol
            self.prices[day, now] = self.price()

    def split(self, symbol: str, day: date) -> None:
        old, new = self.rng.choice([(1, 2), (1, 7), (10, 1), (2, 3)])
        self.actions[f"{symbol} split {day}"] = f"{symbol},{day},split,{old},{new},,,\n"

    def dividend(self, symbol: str, day: date) -> None:
        cents = self.rng.randint(1, 300)
        self.actions[f"{symbol} cash {day}"] = (
            f"{symbol},{day},cash_dividend,,,{Decimal(cents) / 100},,\n"
        )

    def load(self, now: datetime) -> LoadReport:
        """Publish all as it is, in random order, load what is new and refine it."""
        days = sorted({day for day, _ in self.prices})
        self.desk.publish(day_bar(s, day, p) for (day, s), p in self.prices.items())
        steps: dict[str, Callable[[], LoadReport]] = {
            "bars": lambda: self.desk.load_bars(now, days),
            "actions": lambda: self.desk.actions(now, "".join(self.actions.values())),
            "instruments": lambda: self.desk.instruments(now, self.holdings()),
        }
        for name in self.rng.sample(sorted(steps), len(steps)):
            assert steps[name]().exit_code == 0, name
        report = self.desk.build(now, FIRST, LATER[-1] + ONE_DAY)
        assert report.exit_code == 0
        return report

    def holdings(self) -> str:
        lines = ""
        for symbol in SYMBOLS:
            on = self.renamed_on.get(symbol)
            lines += f"id-{symbol},{symbol},2024-01-02,{on or ''},,,,\n"
            lines += f"id-{symbol},{RENAMED[symbol]},{on},,,,,\n" if on else ""
        return lines


def moments(rng: random.Random, now: datetime, count: int) -> list[datetime]:
    """Return random moments up to now, among them the edges of the days."""
    first = datetime(2025, 5, 27, 12, tzinfo=UTC)
    return [first + (now - first) * rng.random() for _ in range(count)] + [now]


def digest(rows: Any) -> str:
    return sha256(repr(rows).encode()).hexdigest()


def asked(lake: Lake, known_at: datetime) -> dict[tuple[str, str], str]:
    """Return the answer's digest by (question, symbol), through the public API."""
    frames: dict[str, pl.DataFrame] = {}
    for basis in BASES:
        how: dict[str, Any] = {"basis": basis, "known_at": known_at}
        answer = lake.bars(*EVERY, start=FIRST, end=LATER[-1] + ONE_DAY, **how)
        frames[f"bars {basis}"] = answer.to_polars()
    for table in ("silver.corporate_actions", "silver.instruments", "gold.performance"):
        frames[table] = lake.sql(f"select * from {table}", known_at=known_at).to_polars()
    return {
        (question, symbol): digest(sorted(map(repr, frame.filter(symbol=symbol).rows())))
        for question, frame in frames.items()
        for symbol in EVERY
    }


@dataclass
class Histories:
    """Every version of every row, by table and symbol."""

    rows: dict[tuple[str, str], list[dict[str, Any]]]

    @classmethod
    def of(cls, lake: Lake) -> Histories:
        found: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
        for table in TABLES:
            answer = lake.sql(f"select * from {table}_history").to_arrow()
            for row in answer.to_pylist():
                found[table, row["symbol"]].append(row)
        return cls(found)

    def at(self, table: str, symbol: str, known_at: datetime) -> str:
        """Return the digest of the rows in force at a moment, without the end of their time."""
        there = [
            repr([v for n, v in row.items() if n != "known_to"])
            for row in self.rows.get((table, symbol), ())
            if row["known_from"] <= known_at < row["known_to"]
        ]
        return digest(sorted(there))


TABLES = ("silver.day_bars", "silver.corporate_actions", "silver.instruments", "gold.performance")


@dataclass
class Told:
    """What was answered when, and what is answered in the end."""

    market: Market
    before: dict[Pair, str] = field(default_factory=dict)
    after: dict[Pair, str] = field(default_factory=dict)
    before_of_histories: dict[Pair, str] = field(default_factory=dict)
    after_of_histories: dict[Pair, str] = field(default_factory=dict)
    api_as_histories: list[tuple[str, str]] = field(default_factory=list)
    now: datetime = datetime(2025, 6, 9, tzinfo=UTC)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """Play the market: load, ask, let things happen, load, ask; in the end ask all again."""
    rng = random.Random(SEED)
    market = Market(Desk(tmp_path_factory.mktemp("law")), rng)
    told = Told(market)
    for day in LOADED:
        market.trade(day)
    for symbol in "ABC":
        market.split(symbol, rng.choice(LOADED[3:]))
        market.dividend(symbol, rng.choice(LOADED[3:]))
    for n, day in enumerate([LOADED[-1], *LATER[:2]]):
        if n:
            happen(market, day, n)
        now = datetime(day.year, day.month, day.day, 20, rng.randrange(60), tzinfo=UTC) + ONE_DAY
        market.load(now)
        with market.desk.lake(now) as lake:
            ask(told, lake, rng, now, rng.sample(EVERY, len(EVERY)))
        told.now = now
    with market.desk.lake(told.now + ONE_DAY) as lake:
        histories = Histories.of(lake)
        for known_at in {pair[2] for pair in told.before}:
            for (question, symbol), found in asked(lake, known_at).items():
                told.after[question, symbol, known_at] = found
        for table, symbol, known_at in told.before_of_histories:
            found = histories.at(table, symbol, known_at)
            told.after_of_histories[table, symbol, known_at] = found
    return told


def happen(market: Market, day: date, n: int) -> None:
    """Let a day be traded, and things of the past turn out to be otherwise."""
    rng = market.rng
    old, new = list(RENAMED.items())[n - 1]
    market.renamed_on[old] = day
    market.trade(day)
    for corrected in rng.sample(sorted(market.prices), 8):
        market.prices[corrected] = market.price()
    market.prices.pop((LOADED[n], rng.choice("FG")))  # one of ten: fewer would be held
    market.actions.pop(rng.choice(sorted(market.actions)))
    changed = rng.choice([k for k in sorted(market.actions) if "cash" in k])
    market.dividend(changed[0], date.fromisoformat(changed[-10:]))
    market.split(rng.choice("FGHIJ"), rng.choice([*LOADED[3:], LATER[3]]))
    market.dividend(rng.choice("FGHIJ"), rng.choice([*LOADED[3:], LATER[2]]))
    market.split(rng.choice([old, new]), rng.choice(LOADED[3:]))


def ask(told: Told, lake: Lake, rng: random.Random, now: datetime, symbols: list[str]) -> None:
    histories = Histories.of(lake)
    for known_at in moments(rng, now, MOMENTS):
        for (question, symbol), found in asked(lake, known_at).items():
            told.before[question, symbol, known_at] = found
    for known_at in moments(rng, now, PAIRS // (3 * len(TABLES) * len(EVERY))):
        for table in TABLES:
            for symbol in symbols:
                found = histories.at(table, symbol, known_at)
                told.before_of_histories[table, symbol, known_at] = found
    known_at = now - timedelta(hours=30)
    frame = lake.sql("select * from gold.performance", known_at=known_at).to_arrow().to_pylist()
    for symbol in symbols:
        rows = sorted(repr(list(r.values())) for r in frame if r["symbol"] == symbol)
        told.api_as_histories.append((digest(rows), histories.at(TABLES[3], symbol, known_at)))


def test_no_later_event_changes_an_answer_of_the_public_api(told: Told) -> None:
    changed = {pair for pair, was in told.before.items() if told.after[pair] != was}
    assert changed == set()
    assert len(told.before) == 3 * (MOMENTS + 1) * (len(BASES) + 3) * len(EVERY)
    assert len(set(told.before.values())) > 100, "the answers differ between moments"


def test_no_later_event_changes_one_of_ten_thousand_answers_of_histories(told: Told) -> None:
    before, after = told.before_of_histories, told.after_of_histories
    assert {pair for pair, was in before.items() if after[pair] != was} == set()
    assert len(before) >= PAIRS


def test_a_history_at_a_moment_is_what_the_public_api_answers(told: Told) -> None:
    assert [a for a, b in told.api_as_histories if a != b] == []
    assert len(told.api_as_histories) == 3 * len(EVERY)


def last_trade_date(known_at: datetime) -> date:
    """Return the trade date that holds a moment of these weeks, or the next one."""
    clock = known_at.astimezone(NEW_YORK)
    day = clock.date() + (ONE_DAY if clock.hour >= 20 else timedelta())
    while day.weekday() > 4:
        day += ONE_DAY
    return day


def test_no_price_is_on_a_scale_that_nobody_knew_or_nobody_traded_on(told: Told) -> None:
    """Raw closes as known, times from / to of what was known then with an ex-date by then."""
    rng, applied = random.Random(SEED), 0
    with told.market.desk.lake(told.now + ONE_DAY) as lake:
        rows = Histories.of(lake).rows
        for known_at in moments(rng, told.now, 12):
            answer = lake.bars(*"ABCFGH", basis="split", known_at=known_at, start=FIRST)
            raw = lake.bars(*"ABCFGH", known_at=known_at, start=FIRST)
            exact = raw.to_polars(exact=True).select("symbol", "trade_date", "close").rows()
            found = dict(zip(exact, answer.to_polars()["close"], strict=True))
            for (symbol, day, close), price in found.items():
                expected = Fraction(close)
                for a in rows.get(("silver.corporate_actions", symbol), ()):
                    known = a["known_from"] <= known_at < a["known_to"]
                    later = day < a["ex_date"] <= last_trade_date(known_at)
                    if a["kind"] == "split" and known and later:
                        expected *= Fraction(a["ratio_from"]) / Fraction(a["ratio_to"])
                        applied += 1
                assert price == pytest.approx(float(expected), rel=1e-15)
    assert applied > 50


def test_a_lake_made_from_nothing_holds_the_same(told: Told, tmp_path: Path) -> None:
    """The landed bytes and versions alone; performance by basis, floats to 1e-12."""
    other = Desk(tmp_path)
    old, new = (desk.world.root / "landing" for desk in (told.market.desk, other))
    with closing(other.parts(told.now)):
        pass
    for folder in ("objects", "versions"):
        shutil.copytree(old / folder, new / folder, dirs_exist_ok=True)
    shutil.copytree(told.market.desk.world.tree, other.world.tree)
    with closing(other.parts(told.now)) as parts:
        parts.ledger.rebuild()
    told.market.desk, mine = other, told.market.desk
    try:
        told.market.load(told.now)
    finally:
        told.market.desk = mine
    for table in (silver.DAY_BARS, silver.CORPORATE_ACTIONS, silver.INSTRUMENTS, gold.PERFORMANCE):
        stepwise, at_once = (held(desk, table, told.now) for desk in (mine, other))
        assert stepwise.num_rows > 10
        for basis in ("raw", "split", "total_return") if table is gold.PERFORMANCE else (None,):
            a, b = (of_basis(rows, basis) for rows in (stepwise, at_once))
            assert fingerprint(table, a.to_reader()) == fingerprint(table, b.to_reader())
            assert_same_floats(table, a, b)


def held(desk: Desk, table: Table, now: datetime) -> pa.Table:
    with closing(desk.parts(now)) as parts:
        return rows_of(parts, table).sort_by([(name, "ascending") for name in table.key])


def of_basis(rows: pa.Table, basis: str | None) -> pa.Table:
    return rows if basis is None else rows.filter(pc.field("basis") == basis)


def assert_same_floats(table: Table, a: pa.Table, b: pa.Table) -> None:
    for name in (f.name for f in a.schema if pa.types.is_floating(f.type)):
        pairs: Any = zip(a[name].to_pylist(), b[name].to_pylist(), strict=True)
        same = (x == y or math.isclose(x, y, rel_tol=1e-12, abs_tol=1e-12) for x, y in pairs)
        assert all(same), f"{table.name} {name}"


def test_only_months_that_read_a_change_are_measured_again(told: Told) -> None:
    market = told.market
    steps: list[tuple[Callable[[], None], list[int]]] = [
        (lambda: None, []),
        (lambda: market.prices.update({(LOADED[-1], "A"): Decimal("77.77")}), [6]),
        (lambda: market.split("B", LOADED[-2]), [6]),
        (lambda: market.dividend("C", LOADED[2]), [5, 6]),
    ]
    for number, (change, months) in enumerate(steps, start=1):
        change()
        told.now += timedelta(hours=1)
        report = market.load(told.now)
        again = [day.date.month for day in report.days if day.table == gold.PERFORMANCE.name]
        assert again == months, number
