"""REST bodies: the recorded bodies' keys, whole page walks, agreement with the truth."""

from __future__ import annotations

import json
from datetime import date, timedelta
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import polars as pl
import pytest

from ingot.simulator.market.symbols import check_digit
from ingot.simulator.simulate import simulate

if TYPE_CHECKING:
    from pathlib import Path

LISTS = ("splits", "dividends", "tickers", "options__contracts")


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three months of a small market, so that every kind of action is in the bodies."""
    root = tmp_path_factory.mktemp("rest") / "tree"
    datasets = ["us_options_opra/day_aggs_v1"]
    simulate(
        root,
        start=date(2025, 5, 1),
        end=date(2025, 8, 1),
        symbols=120,
        seed=3,
        datasets=datasets,
        truth=False,
    )
    return root


def body(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(path.read_text())
    return loaded


def walk(out: Path, name: str) -> list[dict[str, Any]]:
    """Return all results of a list, following next_url as a client would."""
    page = body(out / "rest" / f"{name}.json")
    results = list(page["results"])
    while "next_url" in page:
        url = urlsplit(page["next_url"])
        assert (url.scheme, url.netloc) == ("https", "api.massive.com")
        (cursor,) = parse_qs(url.query)["cursor"]
        page = body(out / "rest" / f"{url.path.strip('/').replace('/', '__')}&cursor={cursor}.json")
        results += page["results"]
    return results


def truth(out: Path, name: str) -> list[dict[str, Any]]:
    return pl.read_parquet(out / "truth" / name).to_dicts()


@pytest.mark.recorded
@pytest.mark.parametrize("name", LISTS)
def test_a_list_has_the_keys_of_the_recorded_body(out: Path, recorded: Path, name: str) -> None:
    real = body(recorded / "massive" / "rest" / f"v3__reference__{name}.json")
    ours = body(out / "rest" / f"v3__reference__{name}.json")
    assert set(ours) - {"next_url"} == set(real) - {"next_url"}
    assert ours["status"] == real["status"] == "OK"
    assert len(ours["request_id"]) == len(real["request_id"])
    keys = {frozenset(row) for row in real["results"]}
    assert {frozenset(row) for row in ours["results"]} & keys


@pytest.mark.recorded
def test_ticker_events_have_the_keys_of_the_recorded_body(out: Path, recorded: Path) -> None:
    name = "vX__reference__tickers__META__events&types=ticker_change.json"
    real = body(recorded / "massive" / "rest" / name)
    bodies = [body(p) for p in (out / "rest").glob("vX__*events*.json")]
    assert bodies
    for ours in bodies:
        assert set(ours) == set(real)
        assert set(ours["results"]) == set(real["results"])
        for event in ours["results"]["events"]:
            assert set(event) == set(real["results"]["events"][0])
        dates = [e["date"] for e in ours["results"]["events"]]
        assert dates == sorted(dates, reverse=True)


@pytest.mark.recorded
def test_a_ticker_overview_has_keys_of_the_recorded_body(out: Path, recorded: Path) -> None:
    real = body(recorded / "massive" / "rest" / "v3__reference__tickers__AAPL.json")
    bodies = [body(p) for p in (out / "rest").glob("v3__reference__tickers__*.json")]
    assert bodies
    for ours in bodies:
        assert set(ours) == set(real)
        assert set(ours["results"]) <= set(real["results"])
        assert {"ticker", "list_date", "composite_figi"} <= set(ours["results"])


@pytest.mark.parametrize("name", ["dividends", "tickers", "options__contracts"])
def test_a_list_of_several_pages_is_walked_to_its_end(out: Path, name: str) -> None:
    first = body(out / "rest" / f"v3__reference__{name}.json")
    assert "next_url" in first
    every = walk(out, f"v3__reference__{name}")
    assert len(every) > len(first["results"])
    assert len({json.dumps(row, sort_keys=True) for row in every}) == len(every)


def test_splits_and_dividends_are_those_of_the_truth(out: Path) -> None:
    actions = truth(out, "actions/stage=1.parquet")
    splits = {
        (a["ticker"], str(a["ex_date"]), a["split_from"], a["split_to"])
        for a in actions
        if a["kind"] != "dividend"
    }
    paid = {
        (a["ticker"], str(a["ex_date"]), float(a["cash"]))
        for a in actions
        if a["kind"] == "dividend"
    }
    assert splits
    assert paid
    for name in ("v3__reference__splits", "stocks__v1__splits"):
        told = walk(out, name)
        keys = ["ticker", "execution_date", "split_from", "split_to"]
        assert {tuple(r[k] for k in keys) for r in told} == splits
    for name in ("v3__reference__dividends", "stocks__v1__dividends"):
        told = walk(out, name)
        keys = ["ticker", "ex_dividend_date", "cash_amount"]
        assert {tuple(r[k] for k in keys) for r in told} == paid


def test_the_new_endpoints_have_the_keys_of_the_reference(out: Path) -> None:
    # reference/source-formats.md section 2.
    assert set(walk(out, "stocks__v1__splits")[0]) == {
        "id", "ticker", "execution_date", "split_from", "split_to", "adjustment_type",
        "historical_adjustment_factor",
    }  # fmt: skip
    assert set(walk(out, "stocks__v1__dividends")[0]) == {
        "id", "ticker", "ex_dividend_date", "declaration_date", "record_date", "pay_date",
        "cash_amount", "split_adjusted_cash_amount", "currency", "distribution_type", "frequency",
        "historical_adjustment_factor",
    }  # fmt: skip


def test_the_last_splits_factor_times_its_ratio_is_one(out: Path) -> None:
    # reference/source-formats.md section 2.1: HAF_k = 1 / (r_k ... r_n).
    by_ticker: dict[str, list[dict[str, Any]]] = {}
    for split in walk(out, "stocks__v1__splits"):
        by_ticker.setdefault(split["ticker"], []).append(split)
    assert by_ticker
    for newest_first in by_ticker.values():
        product = Fraction(1)
        for split in newest_first:
            product *= Fraction(split["split_to"], split["split_from"])
            found = split["historical_adjustment_factor"]
            assert found == pytest.approx(float(1 / product), rel=1e-12)


def test_a_split_is_named_by_its_direction(out: Path) -> None:
    for split in walk(out, "stocks__v1__splits"):
        forward = split["split_to"] > split["split_from"]
        assert split["adjustment_type"] == ("forward_split" if forward else "reverse_split")


def test_active_tickers_are_the_holders_at_the_end_and_others_are_delisted(out: Path) -> None:
    instruments = truth(out, "instruments.parquet")
    active = {(r["ticker"], r["composite_figi"]) for r in walk(out, "v3__reference__tickers")}
    held = {(i["ticker"], i["composite_figi"]) for i in instruments if i["valid_to"] is None}
    assert active == held
    gone = walk(out, "v3__reference__tickers&active=false")
    assert gone
    delisted = {
        (i["ticker"], str(i["delist_date"] - timedelta(days=1)))  # documented as the last date
        for i in instruments
        if i["delist_date"] is not None
    }
    assert {(r["ticker"], r["delisted_utc"][:10]) for r in gone} == delisted
    assert not any(r["active"] for r in gone)


def test_ticker_events_follow_the_instrument_through_its_renames(out: Path) -> None:
    spans: dict[str, list[dict[str, Any]]] = {}
    for row in truth(out, "instruments.parquet"):
        spans.setdefault(row["composite_figi"], []).append(row)
    renamed = {figi: rows for figi, rows in spans.items() if len(rows) > 1}
    assert renamed
    for found in (body(p) for p in (out / "rest").glob("vX__*events*.json")):
        rows = sorted(
            renamed.pop(found["results"]["composite_figi"]), key=lambda r: r["valid_from"]
        )
        told = [(e["date"], e["ticker_change"]["ticker"]) for e in found["results"]["events"]]
        assert told[::-1] == [(str(r["valid_from"]), r["ticker"]) for r in rows]
        assert all(a["valid_to"] == b["valid_from"] for a, b in pairwise(rows))
    assert not renamed


def test_option_contracts_agree_with_their_tickers(out: Path) -> None:
    for row in walk(out, "v3__reference__options__contracts"):
        tail = row["ticker"][-15:]
        assert row["expiration_date"] == f"20{tail[:2]}-{tail[2:4]}-{tail[4:6]}"
        assert row["contract_type"] == {"C": "call", "P": "put"}[tail[6]]
        assert row["strike_price"] * 1000 == int(tail[7:])


@pytest.mark.parametrize(
    "real",
    # Identifiers of the recorded bodies.
    ["BBG000B9XRY4", "BBG001S5N8V8", "BBG000C2V3D6", "BBG00B3T3HF1", "BBG000MM2P62"],
)
def test_the_check_digit_is_that_of_real_identifiers(real: str) -> None:
    assert check_digit(real[:11]) == real[11]


def test_identifiers_are_in_form_and_unique(out: Path) -> None:
    instruments = truth(out, "instruments.parquet")
    figis = {i["composite_figi"] for i in instruments} | {
        i["share_class_figi"] for i in instruments
    }
    assert all(len(f) == 12 and f == f[:11] + check_digit(f[:11]) for f in figis)
    holders = {(i["composite_figi"], i["name"]) for i in instruments}
    assert len({f for f, _ in holders}) == len(holders)
