"""Answers of vendors with any field replaced: rows, refused rows or a documented error."""

from __future__ import annotations

import copy
import json
import random
from contextlib import suppress
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from ingot.connectors.massive.connector import connector as massive
from ingot.connectors.yahoo import connector as yahoo
from ingot.errors import IngotError
from ingot.model.time import FixedClock
from tests.support.reference_rows import Answer, load, patient, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ingot.connectors.base import FileSource

NOW = FixedClock(datetime(2025, 6, 1, 12, tzinfo=UTC))
GONE = object()
VALUES: list[Any] = [
    *(GONE, None, True, 0, -1, 2**63, 2**70, 10**400, 1.5, -1e308, 1e-300),
    *("", "x", "../../x", "A" * 5000, "a\x00b", "\u202e\x1b[2J", "\ud800", "NaN", "Infinity"),
    *("0001-01-01", "9999-12-31", "2025-02-30", "America/Nowhere", "../../etc/passwd"),
    *([], {}, [[]], [None], [{}], {"x": {"y": []}}, [1e308] * 2),
]
META = {"currency": "USD", "symbol": "AAPL", "exchangeTimezoneName": "America/New_York"}
QUOTE = {name: [10.0, 11.0] for name in ("open", "high", "low", "close", "volume")}
CHART = {
    "meta": {**META, "regularMarketTime": 1, "regularMarketPrice": 5},
    "timestamp": [1746106200, 1746192600],
    "indicators": {"quote": [QUOTE], "adjclose": [{"adjclose": [10.0, 11.0]}]},
    "events": {
        "splits": {
            "a": {"date": 1746192600, "numerator": 3, "denominator": 2, "splitRatio": "3:2"}
        },
        "dividends": {"a": {"date": 1746106200, "amount": 0.25}},
    },
}
SPLIT = {
    "id": "s1",
    "ticker": "A",
    "execution_date": "2025-05-01",
    "split_from": 1,
    "split_to": 2,
    "adjustment_type": "forward_split",
}
DIVIDEND = {
    "id": "d1",
    "ticker": "A",
    "ex_dividend_date": "2025-05-02",
    "cash_amount": 0.25,
    "currency": "USD",
    "declaration_date": "2025-04-01",
    "distribution_type": "recurring",
}
TICKER = {
    "ticker": "A",
    "name": "A Corporation",
    "market": "stocks",
    "locale": "us",
    "primary_exchange": "XNYS",
    "type": "CS",
    "active": True,
    "currency_name": "usd",
    "composite_figi": "BBG000C2V3D6",
    "cik": "0001090872",
}
GOOD: dict[str, Any] = {
    "/v8/finance/chart/AAPL": {"chart": {"result": [CHART], "error": None}},
    "/stocks/v1/splits": {"status": "OK", "results": [SPLIT]},
    "/stocks/v1/dividends": {"status": "OK", "results": [DIVIDEND]},
    "/v3/reference/tickers": {"status": "OK", "results": [TICKER]},
}


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every value in a tree of JSON."""
    if path:
        yield path
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in items:
            yield from places(inner, (*path, key))


def forgeries() -> list[tuple[str, Any]]:
    """Return every answer with every value in place of each of its fields."""
    made = []
    for path, body in GOOD.items():
        for place in places(body):
            for value in VALUES:
                changed = copy.deepcopy(body)
                inner: Any = changed
                for key in place[:-1]:
                    inner = inner[key]
                inner[place[-1]] = value
                if value is GONE:
                    del inner[place[-1]]
                made.append((path, changed))
    return made


def sources(url: str, path: str) -> list[tuple[FileSource, str]]:
    """Return the sources and datasets that ask for an answer."""
    once = patient(attempts=1)
    if "chart" in path:
        own = yahoo.settings.model_validate({"base_url": url, "calls_per_minute": 0})
        source = yahoo.open_reference("AAPL", own, backoff=once, clock=NOW)
        return [(source, name) for name in source.datasets]
    keyed = {"rest_api_key": SecretStr("kEy0123456789secret"), "rest_calls_per_minute": 0}
    model = massive.settings.model_validate(keyed)
    source = massive.open_reference(url, model, backoff=once, clock=NOW)
    return [(source, "instruments" if "tickers" in path else "actions")]


def loaded(forged: list[tuple[str, Any]], folder: Path) -> int:
    """Load each forged answer beside good ones; return how many rows came of all."""
    bodies = dict(GOOD)
    rows = 0

    def reply(path: str) -> Answer:
        return Answer(json.dumps(bodies[path.partition("?")[0]]).encode())

    with serving(reply) as server:
        for number, (path, body) in enumerate(forged):
            bodies = {**GOOD, path: body}
            for source, dataset in sources(server.url, path):
                with suppress(IngotError):
                    place = folder / f"{number}-{dataset}"
                    rows += len(load(source, dataset, place, start=date(2025, 5, 1)).rows)
    return rows


def test_the_answers_are_good_before_they_are_forged(tmp_path: Path) -> None:
    assert loaded(list(GOOD.items()), tmp_path) >= 6


def test_a_sample_of_forged_answers_loads_or_is_refused(tmp_path: Path) -> None:
    assert len(forgeries()) >= 1_000
    massive_s = [(path, body) for path, body in forgeries() if "chart" not in path]
    assert loaded(random.sample(massive_s, 40), tmp_path) > 0


@pytest.mark.services
def test_forged_answers_of_every_source_load_or_are_refused(tmp_path: Path) -> None:
    assert loaded(random.sample(forgeries(), 700), tmp_path) > 0
