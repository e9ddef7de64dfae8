from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from ingot.connectors.massive.connector import connector
from ingot.errors import ConfigError, CorruptFileError, SourceUnavailableError
from tests.support.reference_rows import END, START, Loaded, load

if TYPE_CHECKING:
    from pathlib import Path


def record(folder: Path, answers: dict[str, Any]) -> Path:
    folder.mkdir(exist_ok=True)
    for name, body in answers.items():
        text = body if isinstance(body, str) else json.dumps({"status": "OK", **body})
        (folder / f"{name}.json").write_text(text)
    return folder


def read(tmp_path: Path, dataset: str, answers: dict[str, Any]) -> Loaded:
    folder = record(tmp_path / "rest", answers)
    source = connector.open_reference(str(folder), connector.settings())
    return load(source, dataset, tmp_path / "out")


def instruments(tmp_path: Path, **lists: Any) -> Loaded:
    active, gone = lists.pop("active", []), lists.pop("gone", [])
    answers = {
        "v3__reference__tickers": {"results": active},
        "v3__reference__tickers&active=false": {"results": gone},
    }
    for ticker, changes in lists.pop("events", {}).items():
        name = f"vX__reference__tickers__{ticker}__events&types=ticker_change"
        answers[name] = {"results": changes}
    for ticker, detail in lists.pop("details", {}).items():
        answers[f"v3__reference__tickers__{ticker}"] = {"results": detail}
    return read(tmp_path, "instruments", answers)


def spans(loaded: Loaded) -> list[tuple[str, str, str, str]]:
    return [
        (r["instrument_id"], r["symbol"], str(r["valid_from"]), str(r["valid_to"]))
        for r in loaded.rows
    ]


def split(**fields: Any) -> dict[str, Any]:
    row = {"id": "1", "ticker": "A", "execution_date": "2025-05-01", "split_from": 1, "split_to": 2}
    return {**row, "adjustment_type": "forward_split", **fields}


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("forward_split", "split"),
        ("reverse_split", "split"),
        ("stock_dividend", "stock_dividend"),
    ],
)
def test_kinds_of_splits(tmp_path: Path, kind: str, expected: str) -> None:
    rows = [split(adjustment_type=kind)]
    loaded = read(tmp_path, "actions", {"stocks__v1__splits": {"results": rows}})
    assert [r["kind"] for r in loaded.rows] == [expected]


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"adjustment_type": "spin"}, "kind"),
        ({"split_to": 0}, "ratio"),
        ({"split_from": None}, "ratio"),
        ({"split_from": True}, "ratio"),
        ({"ticker": ""}, "symbol"),
        ({"ticker": None}, "symbol"),
        ({"execution_date": "soon"}, "ex_date"),
        ({"split_to": 3}, "duplicate_id"),
    ],
)
def test_a_bad_split_is_refused(tmp_path: Path, fields: dict[str, Any], rule: str) -> None:
    bad = split(**{"id": "1" if rule == "duplicate_id" else "2", **fields})
    loaded = read(tmp_path, "actions", {"stocks__v1__splits": {"results": [split(), bad]}})
    assert loaded.refused == [(2, rule)]
    assert len(loaded.rows) == 1


def test_a_row_that_two_pages_repeat_counts_once(tmp_path: Path) -> None:
    following = "https://api.massive.com/stocks/v1/splits?cursor=c1"
    answers = {
        "stocks__v1__splits": {"results": [split()], "next_url": following},
        "stocks__v1__splits&cursor=c1": {"results": [split(), split(id="2", ticker="B")]},
    }
    loaded = read(tmp_path, "actions", answers)
    assert [r["symbol"] for r in loaded.rows] == ["A", "B"]
    assert loaded.refused == []


def test_a_page_that_was_not_recorded_breaks_the_list(tmp_path: Path) -> None:
    following = "https://api.massive.com/stocks/v1/splits?cursor=c1"
    with pytest.raises(SourceUnavailableError, match=r"Page 2 .* no stocks__v1__splits&cursor=c1"):
        read(tmp_path, "actions", {"stocks__v1__splits": {"results": [], "next_url": following}})


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('{"results": [', "is not JSON"),
        ('{"status": "ERROR", "error": "Unknown API Key"}', "is a refusal"),
    ],
)
def test_a_recorded_refusal_is_no_answer(tmp_path: Path, body: str, words: str) -> None:
    with pytest.raises(CorruptFileError, match=words):
        read(tmp_path, "actions", {"stocks__v1__splits": body})


def test_only_what_was_recorded_is_listed(tmp_path: Path) -> None:
    folder = record(tmp_path / "rest", {"v3__reference__splits": {"results": []}})
    source = connector.open_reference(str(tmp_path), connector.settings())
    assert [r.key for r in source.list("actions", START, END)] == ["actions/splits"]
    assert source.list("instruments", START, END) == ()
    assert source.location == str(folder)


def test_a_folder_without_answers_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has no responses of massive"):
        connector.open_reference(str(tmp_path), connector.settings())


FIGI, OTHER = "BBG000MM2P62", "BBG00Z7L4D12"


def change(day: str, ticker: str) -> dict[str, Any]:
    return {"type": "ticker_change", "date": day, "ticker_change": {"ticker": ticker}}


def test_a_symbol_that_two_held_is_two_instruments(tmp_path: Path) -> None:
    """META was an ETF's until 2022-01-28, as the vendor's delisted list has it."""
    etf = {"ticker": "META", "composite_figi": OTHER, "type": "ETF"}
    loaded = instruments(
        tmp_path,
        active=[{"ticker": "META", "composite_figi": FIGI, "type": "CS"}],
        gone=[{**etf, "delisted_utc": "2022-01-28T00:00:00Z"}],
        events={
            "META": {
                "composite_figi": FIGI,
                "events": [change("2022-06-09", "META"), change("2012-05-18", "FB")],
            }
        },
    )
    assert spans(loaded) == [
        (FIGI, "FB", "2012-05-18", "2022-06-09"),
        (FIGI, "META", "2022-06-09", "None"),
        (OTHER, "META", "1900-01-01", "2022-01-29"),
    ]


def test_a_holder_without_a_start_begins_where_the_one_before_ended(tmp_path: Path) -> None:
    loaded = instruments(
        tmp_path,
        active=[{"ticker": "A", "composite_figi": FIGI}],
        gone=[{"ticker": "A", "composite_figi": OTHER, "delisted_utc": "2020-05-29T00:00:00Z"}],
    )
    assert spans(loaded) == [
        (FIGI, "A", "2020-05-30", "None"),
        (OTHER, "A", "1900-01-01", "2020-05-30"),
    ]
    assert [json.loads(r["raw"])["valid_from_is"] for r in loaded.rows] == [
        "holder_before",
        "assumed",
    ]


def test_an_identity_is_the_figi_else_cik_and_type_else_symbol_and_listing(tmp_path: Path) -> None:
    loaded = instruments(
        tmp_path,
        active=[
            {"ticker": "A", "composite_figi": FIGI, "cik": "7", "type": "CS"},
            {"ticker": "B", "cik": "0000000007", "type": "PFD"},
            {"ticker": "C", "type": "UNIT"},
            {"ticker": "D", "cik": "9"},
        ],
        details={"C": {"ticker": "C", "list_date": "2001-02-03", "round_lot": 10}},
    )
    assert [r["instrument_id"] for r in loaded.rows] == [
        FIGI,
        "0000000007|PFD",
        "massive:C@2001-02-03",
        "massive:D@1900-01-01",
    ]
    assert [r["round_lot"] for r in loaded.rows] == [None, None, 10, None]


def test_a_list_without_changes_gives_an_instrument_s_symbols_as_they_ended(
    tmp_path: Path,
) -> None:
    loaded = instruments(
        tmp_path,
        active=[{"ticker": "NEW", "composite_figi": FIGI}],
        gone=[{"ticker": "OLD", "composite_figi": FIGI, "delisted_utc": "2020-05-29T00:00:00Z"}],
    )
    assert spans(loaded) == [
        (FIGI, "OLD", "1900-01-01", "2020-05-30"),
        (FIGI, "NEW", "2020-05-30", "None"),
    ]


def test_a_ticker_that_its_changes_do_not_know_is_refused(tmp_path: Path) -> None:
    loaded = instruments(
        tmp_path,
        active=[{"ticker": "NEWER", "composite_figi": FIGI}],
        events={"X": {"composite_figi": FIGI, "events": [change("2012-05-18", "FB")]}},
    )
    assert spans(loaded) == [(FIGI, "FB", "2012-05-18", "None")]
    assert loaded.refused == [(1, "ticker_not_in_events")]


@pytest.mark.parametrize(
    ("row", "rule"),
    [
        ({"ticker": ""}, "symbol"),
        ({"ticker": "A", "delisted_utc": "long ago"}, "delisted_utc"),
        ({"ticker": "A", "list_date": "2020-13-01"}, "list_date"),
    ],
)
def test_a_bad_ticker_is_refused(tmp_path: Path, row: dict[str, Any], rule: str) -> None:
    loaded = instruments(tmp_path, active=[{"ticker": "G"}, row])
    assert loaded.refused == [(2, rule)]


@pytest.mark.parametrize("events", [None, [], [{"type": "ticker_change", "date": "x"}]])
def test_changes_that_say_nothing_are_refused(tmp_path: Path, events: Any) -> None:
    changes = {"composite_figi": FIGI, "events": events}
    loaded = instruments(tmp_path, active=[{"ticker": "G"}], events={"G": changes})
    assert [rule for _, rule in loaded.refused] == ["events"]


def test_what_changes_every_day_is_not_landed(tmp_path: Path) -> None:
    row = {"ticker": "A", "composite_figi": FIGI}
    monday = instruments(tmp_path, active=[{**row, "last_updated_utc": "2025-06-02T00:00:00Z"}])
    tuesday = instruments(tmp_path, active=[{**row, "last_updated_utc": "2025-06-03T00:00:00Z"}])
    assert monday.landed == tuesday.landed
