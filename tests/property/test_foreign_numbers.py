"""Numbers that others wrote: each reader takes or refuses them, and nothing breaks."""

from __future__ import annotations

import random
import zipfile
from contextlib import suppress
from decimal import Decimal
from typing import TYPE_CHECKING

import polars as pl
import pytest

from ingot.errors import IngotError
from ingot.model.number import number, rounded
from ingot.quality.reconcile import cells
from ingot.quality.reconcile.compare import Context, compare, of_file
from ingot.quality.reconcile.file_inputs import read
from ingot.quality.reconcile.inputs import described, parse
from ingot.quality.reconcile.refusals import refused_findings
from ingot.quality.reconcile.self_check import alone
from tests.support.quality_faults import reads

if TYPE_CHECKING:
    from pathlib import Path

    from ingot.quality.reconcile.compare import Input

# What a file's cell may be, and no number of DECIMAL(18,6); then numbers; then what is not there.
BAD = ("-inf", "inf", "1e308", "-1e308", "1e12", "abc", "1_5", "0x10", "1e9999", "\uff19")
GOOD = (
    "1e3",
    "+12.5",
    "-3",
    ".5",
    "5.",
    "999999999999.999999",
    "1e-308",
    "0e999",
    "12.34567849999",
)
ABSENT = ("", "nan", "NaN", "None", "-", "N/A", "na", "NULL")
HEADER = "Date,Open,High,Low,Close,Adj Close,Volume,Dividends,Stock Splits\n"


def texts(rng: random.Random, count: int) -> list[str]:
    """Return texts like numbers, of their characters alone and of their parts."""
    digits = "0123456789"
    found = set(BAD) | set(GOOD)
    while len(found) < count:
        found.add("".join(rng.choices("0123456789.eE+-x_infa,", k=rng.randint(1, 8))))
        whole = "".join(rng.choices(digits, k=rng.randint(0, 14)))
        part = "".join(rng.choices(digits, k=rng.randint(0, 9)))
        power = rng.choice(("", f"e{rng.randint(-20, 20)}", f"E+{rng.randint(0, 400)}"))
        found.add(f"{rng.choice(('', '-', '+'))}{whole}.{part}{power}")
    return sorted(found)


def test_a_column_and_a_cell_are_read_alike() -> None:
    each = texts(random.Random(3), 20_000)
    rows = pl.DataFrame({"text": each, "n": each}).with_row_index(cells.ROW, 1)
    keys = {"symbol": pl.lit("A"), "trade_date": pl.date(2025, 1, 1), "bar_start_ns": pl.lit(0)}
    good, refused = cells.divided(rows.rename({"text": "own"}).with_columns(**keys), ["n"], [*keys])
    absent = {text.lower() for text in ABSENT}
    taken = dict(good.select("own", "n").rows())
    for text in each:
        value = number(text)
        own = None if value is None else rounded(value, 6)
        assert (text in taken) == (own is not None or text.lower() in absent), text
        if own is not None:
            assert taken[text] == own
    assert refused.num_rows + len(taken) == len(each)
    assert set(BAD) <= set(refused["text"].to_pylist())


def test_a_number_is_exact_and_of_bounded_size() -> None:
    assert [number(text) for text in BAD] == [None] * len(BAD)
    assert number("999999999999.999999") == Decimal("999999999999.999999")
    assert number("1e-308") == 0
    assert number("1" * 10_000) is None


def opened(path: Path, text: str, reader: str = "yahoo") -> Input:
    path.write_text(text)
    named = parse(f"{reader}:{path}?symbol=X")
    return of_file(named, read(named, described(named)))


def lines(rng: random.Random, days: int) -> str:
    """Return a file of day bars in which every cell may be anything."""
    odd = (*BAD, *GOOD, *ABSENT, "0", "-0.0", '"a\nb"', "\u202e1", "1e-7")
    rows = []
    for day in range(1, days + 1):
        values = ["10", "12", "9", "11", "11", "500", "0", "0"]
        for place in range(8):
            if rng.random() < 0.15:
                values[place] = rng.choice(odd)
        date = rng.choice([f"2025-01-{day:02}"] * 20 + ["", "9999-12-31", "0001-01-01"])
        rows.append(",".join((date, *values)))
    return HEADER + "\n".join(rows) + "\n"


def test_a_file_of_anything_is_checked_and_reconciled(tmp_path: Path) -> None:
    rng = random.Random(5)
    plain = opened(tmp_path / "plain.csv", lines(random.Random(0), 0) + _sound(28))
    refused = 0
    with reads() as engine:
        for number_of_file in range(12):
            text = lines(rng, 28)
            with suppress(IngotError):
                side = opened(tmp_path / "odd.csv", text)
            engine.run(alone(side), {side.rows.name: side.view})
            assert refused_findings(side.refused, side.side, None).num_rows == side.refused.num_rows
            refused += side.refused.num_rows
            if number_of_file == 0:
                found = compare(engine.run, side, plain, Context()).findings
                listed = [r for r in found.to_pylist() if r["kind"] == "REFUSED"]
                assert len(listed) == side.refused.num_rows
    assert refused > 50


def _sound(days: int) -> str:
    return "\n".join(f"2025-01-{d:02},10,12,9,11,11,500,0,0" for d in range(1, days + 1)) + "\n"


@pytest.mark.parametrize("text", [HEADER, "", "\n\n", "a\n1\n", HEADER.replace("\n", ",x")])
def test_an_empty_file_has_no_bars_or_is_an_error_of_ours(tmp_path: Path, text: str) -> None:
    side = plain = opened(tmp_path / "plain.csv", HEADER + _sound(2))
    with suppress(IngotError):
        side = opened(tmp_path / "empty.csv", text)
    assert side is plain or not side.view.relation.data.num_rows  # type: ignore[union-attr]


def test_a_refused_row_is_named_by_its_cell_and_not_compared(tmp_path: Path) -> None:
    rows = _sound(20).splitlines()
    rows[3] = rows[3].replace(",11,11,", ",-inf,11,")
    a, b = (
        opened(tmp_path / "a.csv", HEADER + _sound(20)),
        opened(tmp_path / "b.csv", HEADER + "\n".join(rows)),
    )
    with reads() as engine:
        (row,) = compare(engine.run, a, b, Context()).findings.to_pylist()
    assert (row["kind"], row["cause"], row["legal"]) == ("REFUSED", "unreadable", False)
    assert (row["symbol"], str(row["trade_date"]), row["side"]) == ("X", "2025-01-04", "b")
    assert row["evidence"] == '{"row":4,"column":"close","text":"-inf"}'


@pytest.mark.parametrize(
    ("name", "line", "column"),
    [
        ("spy.zip", "20250102 00:00,1000000,1200000,900000,inf,5", "close"),
        ("spy.zip", "2025,1000000,1200000,900000,1100000,5", "trade_date"),
        ("20250102_trade.zip", "never,1000000,1200000,900000,1100000,5", "bar_start_ns"),
        ("20250102_trade.zip", "34200000,1e308,1200000,900000,1100000,5", "open"),
        ("99999999_trade.zip", "34200000,1000000,1200000,900000,1100000,5", "trade_date"),
    ],
)
def test_a_row_of_lean_that_cannot_be_read_is_refused(
    tmp_path: Path, name: str, line: str, column: str
) -> None:
    with zipfile.ZipFile(tmp_path / name, "w") as archive:
        archive.writestr("x.csv", line + "\n")
    named = parse(f"lean:{tmp_path / name}")
    found = read(named, described(named))
    assert found.rows.num_rows == 0
    assert found.refused["column"].to_pylist() == [column]


def test_prices_of_lean_are_exact(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "spy.zip", "w") as archive:
        archive.writestr("x.csv", "20250102 00:00,9007199254.5,12345678901,1,3,5.5\n")
    named = parse(f"lean:{tmp_path / 'spy.zip'}")
    (row,) = read(named, described(named)).rows.to_pylist()
    assert row["open"] == Decimal("900719.925450")
    assert row["high"] == Decimal("1234567.890100")
    assert (row["low"], row["volume"]) == (Decimal("0.0001"), Decimal("5.5"))
