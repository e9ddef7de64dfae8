from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from ingot.connectors.lean import connector
from ingot.errors import ConfigError, CorruptFileError
from tests.support.reference_rows import END, START, load

if TYPE_CHECKING:
    from pathlib import Path

    from ingot.connectors.base import FileSource


def lean(tmp_path: Path, factors: str = "", maps: str = "", *, nested: str = "") -> FileSource:
    root = tmp_path / "lean" / nested
    for folder, text in (("factor_files", factors), ("map_files", maps)):
        (root / folder).mkdir(parents=True, exist_ok=True)
        if text:
            (root / folder / "abc.csv").write_text(text)
    return connector.open_reference(str(tmp_path / "lean"), connector.settings())


def actions(tmp_path: Path, factors: str, maps: str = "") -> list[tuple[object, ...]]:
    rows = load(lean(tmp_path, factors, maps), "actions", tmp_path / "out").rows
    return [
        (r["symbol"], str(r["ex_date"]), r["ratio_to"], r["ratio_from"], r["cash"]) for r in rows
    ]


def test_an_ex_date_is_the_session_after_the_row_s_date(tmp_path: Path) -> None:
    """2014-06-06 is a Friday; 2001-09-10 the last session before four days without one."""
    found = actions(
        tmp_path, "20000103,1,0.25,1\n20010910,1,0.25,40\n20140606,1,0.5,40\n20501231,1,1,0\n"
    )
    assert [(day, new, old) for _, day, new, old, _ in found] == [
        ("2001-09-17", 2, 1),
        ("2014-06-09", 2, 1),
    ]


def test_a_dividend_on_a_split_s_day_is_per_new_share(tmp_path: Path) -> None:
    """The close of 40 is per old share: 0.8 of it is 0.4 of each of the two new ones."""
    found = actions(tmp_path, "20140606,0.98,0.5,40\n20501231,1,1,0\n")
    assert found == [
        ("ABC", "2014-06-09", 2, 1, None),
        ("ABC", "2014-06-09", None, None, Decimal("0.4")),
    ]


def test_a_reverse_split_has_more_old_than_new_shares(tmp_path: Path) -> None:
    found = actions(tmp_path, "20140606,1,20,40\n20501231,1,1,0\n")
    assert found == [("ABC", "2014-06-09", 1, 20, None)]


def test_a_ratio_of_no_small_numbers_is_kept_as_it_is(tmp_path: Path) -> None:
    ((_, _, new, old, _),) = actions(tmp_path, "20140606,1,0.7654387,40\n20501231,1,1,0\n")
    assert isinstance(new, Decimal)
    assert isinstance(old, Decimal)
    assert old / new == Decimal("0.7654387")


def test_a_factor_file_without_a_map_is_told_under_its_name(tmp_path: Path) -> None:
    assert actions(tmp_path, "20140606,1,0.5,40\n20501231,1,1,0\n")[0][0] == "ABC"


def test_the_map_names_the_symbol_of_the_day(tmp_path: Path) -> None:
    maps = "20000103,old,N\n20050103,old,N\n20501231,abc,N\n"
    factors = "20040102,1,0.25,40\n20140606,1,0.5,40\n20501231,1,1,0\n"
    assert [row[:2] for row in actions(tmp_path, factors, maps)] == [
        ("OLD", "2004-01-05"),
        ("ABC", "2014-06-09"),
    ]


@pytest.mark.parametrize("nested", ["", "equity/usa", "Data/equity/usa"])
def test_the_folder_may_be_one_above(tmp_path: Path, nested: str) -> None:
    source = lean(tmp_path, "20140606,1,0.5,40\n20501231,1,1,0\n", nested=nested)
    assert [r.key for r in source.list("actions", START, END)] == ["actions/factor_files/abc.csv"]


def test_a_map_file_is_part_of_its_factor_file_s_version(tmp_path: Path) -> None:
    source = lean(tmp_path, "20140606,1,0.5,40\n20501231,1,1,0\n")
    (before,) = source.list("actions", START, END)
    lean(tmp_path, "", "20501231,abc,N\n")
    (after,) = source.list("actions", START, END)
    assert before.etag != after.etag
    assert after.file_date == date(2025, 5, 31)


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("20140606,1,0.5", "columns"),
        ("20140631,1,0.5,40", "date"),
        ("2014-06-06,1,0.5,40,", "columns"),
        ("20140606,0,0.5,40", "factor"),
        ("20140606,1,-1,40", "factor"),
        ("20140606,1,x,40", "factor"),
        ("19990101,1,0.5,40", "order"),
        ("20140606,1.1,1,40", "negative_dividend"),
        ("20140606,0.9,1,0", "reference_price"),
    ],
)
def test_a_bad_row_is_refused(tmp_path: Path, line: str, rule: str) -> None:
    source = lean(tmp_path, f"20000103,1,1,40\n{line}\n20501231,1,1,0\n")
    loaded = load(source, "actions", tmp_path / "out")
    assert rule in {found for _, found in loaded.refused}


def test_symbols_end_where_the_map_says(tmp_path: Path) -> None:
    maps = "20000103,old,N\n20050103,old,N\n20120629,abc,Q\n"
    rows = load(lean(tmp_path, "", maps), "instruments", tmp_path / "out").rows
    assert [
        (r["instrument_id"], r["symbol"], str(r["valid_from"]), str(r["valid_to"]), r["exchange"])
        for r in rows
    ] == [
        ("lean:OLD@2000-01-03", "OLD", "2000-01-03", "2005-01-04", "XNYS"),
        ("lean:OLD@2000-01-03", "ABC", "2005-01-04", "2012-06-30", "XNAS"),
    ]
    assert {str(r["delisted_date"]) for r in rows} == {"2012-06-30"}


def test_an_old_map_has_no_exchange_and_an_unknown_one_stays_unknown(tmp_path: Path) -> None:
    rows = load(
        lean(tmp_path, "", "20000103,a\n20050103,a\n20501231,b,?\n"), "instruments", tmp_path
    ).rows
    assert [(r["symbol"], r["exchange"]) for r in rows] == [("A", None), ("B", None)]


def test_a_bad_line_of_a_map_is_refused(tmp_path: Path) -> None:
    maps = "20000103,a,N\nnonsense\n20501231,a,N\n"
    loaded = load(lean(tmp_path, "", maps), "instruments", tmp_path / "out")
    assert loaded.refused == [(2, "columns")]
    assert [r["symbol"] for r in loaded.rows] == ["A"]


@pytest.mark.parametrize(("text", "words"), [("\n", "is empty"), ("\udcff\n", "is not text")])
def test_a_file_without_text_is_refused_whole(tmp_path: Path, text: str, words: str) -> None:
    source = lean(tmp_path)
    path = tmp_path / "lean" / "factor_files" / "abc.csv"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(CorruptFileError, match=words):
        load(source, "actions", tmp_path / "out")


def test_a_folder_of_something_else_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="holds neither factor_files nor map_files"):
        connector.open_reference(str(tmp_path), connector.settings())
