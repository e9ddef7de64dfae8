"""What counts as drift (SEMANTICS 8), by decimals, and the same from either side."""

from __future__ import annotations

import random
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from ingot.errors import QueryError
from ingot.quality.reconcile.compare import Context, compare
from ingot.quality.reconcile.inputs import described, parse
from ingot.quality.reconcile.pairs import Tolerance
from tests.support.quality_faults import PRICES, reads, side_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ingot.engines.trusted_queries import Reads
    from ingot.quality.reconcile.compare import Input

SIX = pl.Decimal(18, 6)
MILLIONTH = Decimal("0.000001")
FIRST = date(2025, 6, 2)
Bar = tuple[Decimal, Decimal]
"""A price and a volume."""
Row = dict[str, Any]


@pytest.fixture(scope="module")
def engine() -> Iterator[Reads]:
    with reads() as opened:
        yield opened


def differs(engine: Reads, a: str, b: str, tolerance: Tolerance | None = None) -> bool:
    values = (f"CAST('{text}' AS DECIMAL(18,6))" for text in (a, b))
    found = engine.run(f"SELECT {(tolerance or Tolerance()).price_differs(*values)} AS found", {})
    return bool(found["found"][0].as_py())


# 0.01 % of the larger of 28.38 and 28.385 is 0.0028; half a tick of one cent is 0.005, no less than
# the difference. Below 1 a tick is 0.0001 (Rule 612); the larger tick of 0.999 and 1.001 is a cent.
@pytest.mark.parametrize(
    ("a", "b", "is_drift"),
    [
        ("28.38", "28.385", False),
        ("28.38", "28.375", False),
        ("28.38", "28.385001", True),
        ("0.999", "1.001", False),
        ("0.999", "0.998", True),
        ("0.4", "0.40005", False),
        ("0.4", "0.400051", True),
        ("100", "100.01", False),
        ("100", "100.010002", True),
        ("0", "0.000001", True),
        ("0", "0", False),
    ],
)
def test_a_price_drifts_beyond_a_hundredth_of_a_percent_and_half_the_larger_tick(
    engine: Reads, a: str, b: str, is_drift: bool
) -> None:
    assert differs(engine, a, b) is is_drift
    assert differs(engine, b, a) is is_drift


def test_the_larger_tick_of_both_sides_counts(engine: Reads) -> None:
    coarse, fine, exchange = Decimal("0.05"), Decimal("0.0001"), Decimal(0)
    for ticks in ((coarse, fine), (fine, coarse)):
        assert not differs(engine, "10.00", "10.02", Tolerance(ticks=ticks))
    assert differs(engine, "10.00", "10.003", Tolerance(ticks=(fine, fine)))
    assert not differs(engine, "10.00", "10.003", Tolerance(ticks=(fine, exchange)))


def near(rng: random.Random, places: int) -> tuple[Decimal, Decimal]:
    """Return a value and one as far off as the tolerances are, or a millionth more or less."""
    value = Decimal(rng.randint(0, 2000 * 10**places)).scaleb(-places)
    if rng.random() < 0.2:
        value /= 1000
    steps = (Decimal("0.005"), Decimal("0.00005"), value / 10_000, value)
    off = rng.choice((-1, 1)) * rng.choice(steps) + rng.randint(-1, 1) * MILLIONTH
    other = max(value + off, Decimal(0))
    return value.quantize(MILLIONTH), other.quantize(MILLIONTH)


def made(count: int) -> list[tuple[Bar, Bar]]:
    rng = random.Random(8)
    found = []
    for _ in range(count):
        (price, other_price), (volume, other_volume) = near(rng, 3), near(rng, 0)
        found.append(((price, volume), (other_price, other_volume)))
    return found


def found_between(engine: Reads, a: Sequence[Bar], b: Sequence[Bar]) -> dict[str, Row]:
    """Return the findings of a bar a symbol, its prices all alike."""
    sides: dict[str, Input] = {}
    for name, values in (("side.a", a), ("side.b", b)):
        rows = [(f"S{i}", FIRST + timedelta(i % 3), p, v) for i, (p, v) in enumerate(values)]
        frame = pl.DataFrame(
            rows,
            schema={"symbol": pl.String, "trade_date": pl.Date, "close": SIX, "volume": SIX},
            orient="row",
        )
        prices = [pl.col("close").alias(n) for n in PRICES]
        sides[name] = side_of(frame.select("symbol", "trade_date", *prices, "volume"), name)
    made = compare(engine.run, sides["side.a"], sides["side.b"], Context())
    return {row["symbol"]: row for row in made.findings.to_pylist()}


def is_drift(a: Bar, b: Bar) -> bool:
    """Say whether two bars differ, by SEMANTICS 8, in decimals, written once more."""
    if any((x == 0) != (y == 0) for x, y in zip(a, b, strict=True)):
        return True
    (price, volume), (other_price, other_volume) = a, b
    larger = max(price, other_price)
    half_tick = Decimal("0.005") if larger >= 1 else Decimal("0.00005")
    far = abs(price - other_price) > max(larger / 10_000, half_tick)
    return far or abs(volume - other_volume) > max(volume, other_volume) / 10_000


def test_swapping_the_sides_changes_no_verdict(engine: Reads) -> None:
    pairs = made(600)
    a, b = [p[0] for p in pairs], [p[1] for p in pairs]
    rows, swapped = found_between(engine, a, b), found_between(engine, b, a)
    expected = {f"S{i}" for i, (one, other) in enumerate(pairs) if is_drift(one, other)}
    assert 100 < len(expected) < 500
    assert rows.keys() == swapped.keys() == expected
    for symbol, row in rows.items():
        other = swapped[symbol]
        assert (row["kind"], row["legal"]) == (other["kind"], other["legal"])
        base = Decimal(str(row["value_a"]))
        if base:
            apart = (Decimal(str(row["value_b"])) - base) / base * 100
            assert row["difference_pct"] == pytest.approx(float(apart), abs=1e-6)
        else:
            assert row["difference_pct"] is None


@pytest.mark.parametrize("option", ["tick=nan", "scale=inf", "scale=0", "tick=1e9", "tick=-1"])
def test_a_step_or_scale_that_is_no_size_is_refused(option: str) -> None:
    name, _, text = option.partition("=")
    with pytest.raises(QueryError, match=f"{name} was '{text}': write a number from"):
        described(parse(f"csv:a.csv?{option}"))
