from __future__ import annotations

from decimal import Decimal

import pytest

from ingot.connectors.massive.datasets import COLUMNS
from ingot.connectors.massive.flatfiles.block import BlockRefusedError, read_block
from ingot.connectors.massive.flatfiles.row_rules import (
    Fault,
    RuleBrokenError,
    decimal_of,
    examine,
    whole_of,
)
from ingot.model.time import Interval

START = 1748851200000000000
SPAN = Interval(START, START + 86_400_000_000_000)


def line(**fields: str) -> bytes:
    good = dict(zip(COLUMNS, f"A,1,2.5,3,4,1,{START},5".split(","), strict=True))
    return ",".join((good | fields).values()).encode()


@pytest.mark.parametrize(
    ("raw", "rule"),
    [
        (b"", "blank_line"),
        (b"   \t", "blank_line"),
        (b"\r", "blank_line"),
        (b"\xff" + line(), "not_utf8"),
        (b'"' + line(), "bad_quote"),
        (line(ticker='"A"B'), "bad_quote"),
        (b"A,1,2.5", "column_count"),
        (line() + b",", "column_count"),
        (line(volume="1,234"), "column_count"),
        (b",,,,,,,", "missing_value"),
        (line(ticker=""), "missing_value"),
        (line(close=" "), "missing_value"),
        (line(ticker=" A"), "bad_symbol"),
        (line(ticker="A\x00"), "bad_symbol"),
        (line(ticker='A"B'), "bad_symbol"),
        (line(ticker='"A,B"'), "bad_symbol"),
        (line(ticker="\ufeffA"), "bad_symbol"),
        (line(open="abc"), "not_a_number"),
        (line(open="1.2.3"), "not_a_number"),
        (line(open="--1"), "not_a_number"),
        (line(open="1_000"), "not_a_number"),
        (line(open="0x10"), "not_a_number"),
        (line(open="NULL"), "not_a_number"),
        (line(open="\u0661"), "not_a_number"),
        (line(transactions="five"), "not_a_number"),
        (line(transactions="+5"), "not_whole"),
        (line(transactions="5.0"), "not_whole"),
        (line(transactions="5e0"), "not_whole"),
        (line(high="inf"), "not_finite"),
        (line(high="-Infinity"), "not_finite"),
        (line(high="NaN"), "not_finite"),
        (line(transactions="nan"), "not_finite"),
        (line(low="1.1234567"), "too_many_decimals"),
        (line(low="0.0000004"), "too_many_decimals"),
        (line(low="1e-7"), "too_many_decimals"),
        (line(low=f"1.{'0' * 60}1"), "too_many_decimals"),
        (line(low=f"0.{'9' * 60}"), "too_many_decimals"),
        (line(volume="1000000000000"), "out_of_range_number"),
        (line(volume="-1e12"), "out_of_range_number"),
        (line(volume="1e400"), "out_of_range_number"),
        (line(volume="1e99999999999999999999"), "out_of_range_number"),
        (line(transactions="9223372036854775808"), "out_of_range_number"),
        (line(transactions="9" * 5000), "out_of_range_number"),
        (line(window_start="17488512000000000"), "timestamp_out_of_range"),
        (line(window_start=str(SPAN.start_ns - 1)), "timestamp_out_of_range"),
        (line(window_start=str(SPAN.end_ns)), "timestamp_out_of_range"),
    ],
)
def test_a_bad_line_is_named_by_the_rule_it_breaks(raw: bytes, rule: str) -> None:
    fault = examine(raw, COLUMNS, SPAN)
    assert isinstance(fault, Fault)
    assert fault.rule == rule
    with pytest.raises(BlockRefusedError, match="closer look"):
        read_block(raw + b"\n", COLUMNS, SPAN)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("276.75", "276.75"),
        ("115.030000", "115.03"),
        ("28038.875816", "28038.875816"),
        ("2036584.149027", "2036584.149027"),
        (" 1\t", "1"),
        ("+1", "1"),
        ("-.5", "-0.5"),
        ("5.", "5"),
        ("1e3", "1000"),
        ("10e-7", "0.000001"),
        ("-0", "0"),
        ("0e999999999", "0"),
        ("999999999999.999999", "999999999999.999999"),
        (f"1.5{'0' * 40}", "1.5"),
    ],
)
def test_a_decimal_is_read_exactly(text: str, value: str) -> None:
    assert decimal_of(text) == Decimal(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5),
        ("-0", 0),
        (" 0005 ", 5),
        ("0" * 5000 + "7", 7),
        ("9223372036854775807", 2**63 - 1),
        ("-9223372036854775808", -(2**63)),
        ("0x1F", 31),
        ("0xFFFFFFFFFFFFFFFF", -1),
    ],
)
def test_a_whole_number_is_read_exactly(text: str, value: int) -> None:
    assert whole_of(text) == value


def test_a_refused_number_says_which_rule() -> None:
    with pytest.raises(RuleBrokenError, match="not_whole"):
        whole_of("1.5")


@pytest.mark.parametrize("ticker", ["NA", "TRUE", "NULL", "nan", "BRKpA", "BRK.A", "é", "A B"])
def test_a_ticker_is_text_whatever_it_looks_like(ticker: str) -> None:
    assert examine(line(ticker=ticker), COLUMNS, SPAN) == (
        f"{ticker},1.000000,2.500000,3.000000,4.000000,1.000000,{START},5".encode()
    )
    assert read_block(line(ticker=ticker), COLUMNS, SPAN).symbols == (ticker,)


def test_quotes_around_fields_are_no_part_of_them() -> None:
    quoted = b",".join(b'"' + field + b'"' for field in line().split(b","))
    assert examine(quoted, COLUMNS, SPAN) == examine(line(), COLUMNS, SPAN)


def test_a_bad_line_keeps_the_parts_of_its_key_that_can_be_read() -> None:
    assert examine(line(close="x"), COLUMNS, SPAN) == Fault("not_a_number", "A", START)
    assert examine(b"A,1,2", COLUMNS, SPAN) == Fault("column_count", "A", None)
    assert examine(line(ticker="", close="x"), COLUMNS, SPAN) == Fault("missing_value", None, START)
    assert examine(line(window_start="1"), COLUMNS, SPAN) == Fault(
        "timestamp_out_of_range", "A", None
    )
