from __future__ import annotations

import gzip
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from ingot.connectors.csv_file import connector
from ingot.errors import (
    ConfigError,
    CorruptFileError,
    LookAtDataError,
    QuarantineLimitError,
    SchemaDriftError,
)
from tests.support.reference_rows import Loaded, load

if TYPE_CHECKING:
    from pathlib import Path

ACTIONS = "symbol,ex_date,kind,ratio_from,ratio_to,cash,currency,known_from\n"
INSTRUMENTS = "id,symbol,valid_from,valid_to,name,exchange,type,known_from\n"


def read(
    tmp_path: Path, text: str | bytes, dataset: str = "actions", *, limit_pct: float = 100.0
) -> Loaded:
    path = tmp_path / "file.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    source = connector.open_reference(str(path), connector.settings())
    return load(source, dataset, tmp_path / "out", limit_pct=limit_pct)


def test_each_kind_is_read(tmp_path: Path) -> None:
    lines = (
        "AAPL,2014-06-09,split,1,7,,,\n"
        "KO,2012-11-28,cash_dividend,,,0.255,,\n"
        "X,2020-01-02,stock_dividend,100,105,,,\n"
        "Y,2020-01-02,spin_off,,,,,\n"
        "Z,2020-01-02,rights,5,6,1.5,CAD,\n"
        "Q,2020-01-02,merger,1,2,10,EUR,\n"
    )
    loaded = read(tmp_path, ACTIONS + lines)
    assert loaded.refused == []
    assert [(r["kind"], r["ratio_from"], r["ratio_to"], r["cash"]) for r in loaded.rows] == [
        ("split", 1, 7, None),
        ("cash_dividend", None, None, Decimal("0.255")),
        ("stock_dividend", 100, 105, None),
        ("spin_off", None, None, None),
        ("rights", 5, 6, Decimal("1.5")),
        ("merger", 1, 2, 10),
    ]
    assert [r["currency"] for r in loaded.rows] == [None, "USD", None, None, "CAD", "EUR"]
    assert [r["raw"] for r in loaded.rows] == lines.splitlines()


@pytest.mark.parametrize("symbol", ["NA", "TRUE", "NULL", "nan", "BRK.A", "ABRp"])
def test_words_of_other_programs_are_symbols(tmp_path: Path, symbol: str) -> None:
    loaded = read(tmp_path, f"{ACTIONS}{symbol},2020-01-02,split,1,2,,,\n")
    assert [r["symbol"] for r in loaded.rows] == [symbol]


@pytest.mark.parametrize(
    ("known_from", "instant"),
    [
        ("2014-04-23", datetime(2014, 4, 23, 4, tzinfo=UTC)),
        ("2014-01-23", datetime(2014, 1, 23, 5, tzinfo=UTC)),
        ("2014-04-23T16:30:00-04:00", datetime(2014, 4, 23, 20, 30, tzinfo=UTC)),
        ("2014-04-23T20:30:00Z", datetime(2014, 4, 23, 20, 30, tzinfo=UTC)),
        ("", None),
    ],
)
def test_a_known_time_is_stated(tmp_path: Path, known_from: str, instant: datetime | None) -> None:
    loaded = read(tmp_path, f"{ACTIONS}A,2014-06-09,split,1,7,,,{known_from}\n")
    assert [r["stated_from"] for r in loaded.rows] == [instant]


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        (",2020-01-02,split,1,2,,,", "symbol"),
        ("A B,2020-01-02,split,1,2,,,", "symbol"),
        ("A,2020-02-30,split,1,2,,,", "ex_date"),
        ("A,02/01/2020,split,1,2,,,", "ex_date"),
        ("A,0001-01-01,split,1,2,,,", "ex_date"),
        ("A,2020-01-02,Split,1,2,,,", "kind"),
        ("A,2020-01-02,split,,,,,", "ratio"),
        ("A,2020-01-02,split,1,0,,,", "ratio"),
        ("A,2020-01-02,split,-1,2,,,", "ratio"),
        ("A,2020-01-02,split,1,nan,,,", "ratio"),
        ("A,2020-01-02,split,1,1e12,,,", "ratio"),
        ("A,2020-01-02,split,1,0.1234567,,,", "ratio"),
        ("A,2020-01-02,split,1,2,0.5,,", "cash"),
        ("A,2020-01-02,cash_dividend,,,,,", "cash"),
        ("A,2020-01-02,cash_dividend,,,-0.1,,", "cash"),
        ("A,2020-01-02,cash_dividend,,,inf,,", "cash"),
        ("A,2020-01-02,cash_dividend,1,2,0.1,,", "ratio"),
        ("A,2020-01-02,cash_dividend,,,0.1,dollars,", "currency"),
        ("A,2020-01-02,cash_dividend,,,0.1,,2020-01-01T10:00", "known_from"),
        ("A,2020-01-02,cash_dividend,,,0.1,,yesterday", "known_from"),
        ("A,2020-01-02,split,1,2", "columns"),
        ("A,2020-01-02,split,1,2,,,,extra", "columns"),
    ],
)
def test_a_bad_line_is_refused_with_its_number_and_text(
    tmp_path: Path, line: str, rule: str
) -> None:
    loaded = read(tmp_path, f"{ACTIONS}G,2020-01-02,split,1,2,,,\n\n{line}\n")
    assert loaded.refused == [(3, rule)]
    (parsed,) = loaded.parsed.values()
    assert parsed.refused[0].raw == line
    assert [r["symbol"] for r in loaded.rows] == ["G"]


def test_too_many_bad_lines_refuse_the_file(tmp_path: Path) -> None:
    text = f"{ACTIONS}A,2020-01-02,split,1,2,,,\nA,x,split,1,2,,,\n"
    with pytest.raises(QuarantineLimitError, match=r"1 of 2 rows of actions/file\.csv were"):
        read(tmp_path, text, limit_pct=1.0)


def test_equal_actions_are_numbered(tmp_path: Path) -> None:
    line = "A,2020-01-02,cash_dividend,,,0.1,,\n"
    loaded = read(tmp_path, ACTIONS + line + line)
    name = "A|2020-01-02|cash_dividend"
    assert [r["action_id"] for r in loaded.rows] == [name, f"{name}|2"]


def test_columns_are_known_by_name_and_the_rest_may_be_left_out(tmp_path: Path) -> None:
    loaded = read(tmp_path, "kind,cash,ex_date,symbol\ncash_dividend,0.1,2020-01-02,A\n")
    assert [(r["symbol"], r["cash"]) for r in loaded.rows] == [("A", Decimal("0.1"))]


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("symbol,ex_date,kind,colour\n", "unexpected columns: colour"),
        ("symbol,kind\n", "missing columns: ex_date"),
        ("symbol,ex_date,kind,kind\n", "unexpected columns: kind"),
    ],
)
def test_another_header_is_drift(tmp_path: Path, header: str, words: str) -> None:
    with pytest.raises(SchemaDriftError, match=words):
        read(tmp_path, header)


@pytest.mark.parametrize("dataset", ["actions", "instruments"])
def test_a_header_alone_is_legal_and_withdraws_everything(tmp_path: Path, dataset: str) -> None:
    loaded = read(tmp_path, {"actions": ACTIONS, "instruments": INSTRUMENTS}[dataset], dataset)
    assert loaded.rows == []
    assert [p.path for p in loaded.parsed.values()] == [None]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "has no header"),
        (b"\n\n", "has no header"),
        (ACTIONS.encode() + b"\xff\xfe,2020-01-02,split,1,2,,,\n", "cannot be read to its end"),
        (gzip.compress(ACTIONS.encode() * 1000)[:-20], "cannot be read to its end"),
        (ACTIONS.encode() + b'"A,2020-01-02,split,1,2,,,\n', "is not CSV"),
    ],
)
def test_bytes_that_are_no_csv_are_refused_whole(
    tmp_path: Path, content: bytes, words: str
) -> None:
    with pytest.raises(CorruptFileError, match=words):
        read(tmp_path, content)


def test_a_file_may_be_packed_and_begin_with_a_mark(tmp_path: Path) -> None:
    text = f"\ufeff{ACTIONS}A,2020-01-02,split,1,2,,,\r\n"
    loaded = read(tmp_path, gzip.compress(text.encode()))
    assert [(r["symbol"], r["raw"]) for r in loaded.rows] == [("A", "A,2020-01-02,split,1,2,,,")]


def test_an_instrument_is_read_with_the_date_after_its_last(tmp_path: Path) -> None:
    lines = (
        "BBG000MM2P62,FB,2012-05-18,2022-06-09,Meta Platforms,XNAS,CS,\n"
        'BBG000MM2P62,META,2022-06-09,,"Meta Platforms, Inc.",XNAS,CS,2022-05-31\n'
        "my own id,NA,2000-01-03,,,,,\n"
    )
    loaded = read(tmp_path, INSTRUMENTS + lines, "instruments")
    assert loaded.refused == []
    assert [(r["symbol"], r["valid_from"], r["valid_to"]) for r in loaded.rows] == [
        ("FB", date(2012, 5, 18), date(2022, 6, 9)),
        ("META", date(2022, 6, 9), None),
        ("NA", date(2000, 1, 3), None),
    ]
    assert [r["figi"] for r in loaded.rows] == ["BBG000MM2P62", "BBG000MM2P62", None]
    assert loaded.rows[1]["name"] == "Meta Platforms, Inc."
    assert loaded.rows[1]["stated_from"] == datetime(2022, 5, 31, 4, tzinfo=UTC)


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        (",A,2020-01-02,,,,,", "id"),
        ("1,,2020-01-02,,,,,", "symbol"),
        ("1,A,,,,,,", "valid_from"),
        ("1,A,2020-01-02,2020-01-02,,,,", "valid_to"),
        ("1,A,2020-01-02,soon,,,,", "valid_to"),
        ("0,G,2000-01-03,2001-01-01,,,,", "duplicate"),
    ],
)
def test_a_bad_instrument_is_refused(tmp_path: Path, line: str, rule: str) -> None:
    loaded = read(tmp_path, f"{INSTRUMENTS}0,G,2000-01-03,,,,,\n{line}\n", "instruments")
    assert loaded.refused == [(2, rule)]


DAILY = "ticker,date,open,high,low,close,volume,ex-dividend,split_ratio\n"


def test_a_table_of_daily_prices_gives_its_actions(tmp_path: Path) -> None:
    rows = "A,2020-01-02,99,101,98,100,5,0.0,1.0\nA,2020-01-03,50,52,49,51,9,0.25,2.0\n"
    loaded = read(tmp_path, DAILY + rows)
    assert [(r["kind"], r["ratio_to"], r["cash"]) for r in loaded.rows] == [
        ("split", 2, None),
        ("cash_dividend", None, Decimal("0.25")),
    ]
    assert [r["row_number"] for r in loaded.rows] == [1, 2]


@pytest.mark.parametrize("newest_first", [False, True])
def test_a_split_that_did_not_move_the_price_is_refused(
    tmp_path: Path, *, newest_first: bool
) -> None:
    rows = ["A,2020-01-02,99,101,98,100,5,0,1\n", "A,2020-01-03,98,102,97,101,9,0,2\n"]
    text = DAILY + "".join(reversed(rows) if newest_first else rows)
    with pytest.raises(LookAtDataError, match=r"A split 2 for 1 on 2020-01-03.*100 .*to 98 "):
        read(tmp_path, text)


def test_a_reverse_split_that_moved_the_price_is_taken(tmp_path: Path) -> None:
    rows = "A,2020-01-02,1,1,1,1.0,5,0,1\nA,2020-01-03,9.5,10,9,9,9,0,0.1\n"
    loaded = read(tmp_path, DAILY + rows)
    assert [(r["ratio_from"], r["ratio_to"]) for r in loaded.rows] == [(10, 1)]


def test_a_small_stock_dividend_cannot_be_judged_and_is_taken(tmp_path: Path) -> None:
    rows = "A,2020-01-02,1,1,1,100,5,0,1\nA,2020-01-03,101,10,9,101,9,0,1.05\n"
    assert [r["ratio_to"] for r in read(tmp_path, DAILY + rows).rows] == [21]


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no file at .*none\.csv"):
        connector.open_reference(str(tmp_path / "none.csv"), connector.settings())
