"""REST sources against local servers that replay answers, faults included."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import SecretStr

from ingot.connectors.massive.connector import connector as massive
from ingot.connectors.transport.http.client import RestClient, RestOptions
from ingot.connectors.yahoo import connector as yahoo
from ingot.errors import (
    ConfigError,
    CorruptFileError,
    EntitlementError,
    IngotError,
    NotPublishedError,
    QueryError,
    RateLimitedError,
    SourceUnavailableError,
)
from ingot.model.time import FixedClock
from tests.support.reference_rows import END, START, Answer, load, patient, serving

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ingot.connectors.base import FileSource

KEY = "kEy0123456789secret"
NOW = FixedClock(datetime(2025, 6, 1, 12, tzinfo=UTC))


def ok(**body: Any) -> Answer:
    return Answer(json.dumps({"status": "OK", "request_id": "r1", **body}).encode())


def open_massive(
    url: str, *, slept: list[float] | None = None, attempts: int = 3, **settings: Any
) -> FileSource:
    model = massive.settings.model_validate(
        {"rest_api_key": SecretStr(KEY), "rest_calls_per_minute": 0, **settings}
    )
    return massive.open_reference(url, model, backoff=patient(slept, attempts=attempts), clock=NOW)


def client(url: str, slept: list[float] | None = None, **options: Any) -> RestClient:
    backoff = patient(slept, attempts=3)
    return RestClient(RestOptions(url, backoff=backoff, clock=NOW, **options))


SPLIT = {"id": "s1", "ticker": "A", "execution_date": "2025-05-01", "split_from": 1}


def splits_in_pages(path: str) -> Answer:
    parts = urlsplit(path)
    at = int(parse_qs(parts.query).get("cursor", ["0"])[0])
    if parts.path != "/stocks/v1/splits":
        return ok(results=[])
    row = {**SPLIT, "id": f"s{at}", "split_to": at + 2, "adjustment_type": "forward_split"}
    following = f"https://api.massive.com{parts.path}?cursor={at + 1}&apiKey={KEY}"
    return ok(results=[row], **({"next_url": following} if at < 2 else {}))


def test_all_pages_are_one_object_without_the_key(tmp_path: Path) -> None:
    with serving(splits_in_pages) as server:
        loaded = load(open_massive(server.url), "actions", tmp_path)
    assert [(r["action_id"], r["ratio_to"]) for r in loaded.rows] == [
        ("s0", 2),
        ("s1", 3),
        ("s2", 4),
    ]
    assert all(h["Authorization"] == f"Bearer {KEY}" for h in server.headers)
    assert not any(KEY in path for path in server.asked)
    for content in loaded.landed.values():
        assert KEY.encode() not in content
        assert b"request_id" not in content
        assert b"next_url" not in content


def test_the_same_answers_give_the_same_bytes(tmp_path: Path) -> None:
    seen = iter(range(100))

    def reply(path: str) -> Answer:
        answer = json.loads(splits_in_pages(path).body)
        answer["request_id"] = f"r{next(seen)}"
        return Answer(json.dumps(answer).encode())

    with serving(reply) as server:
        source = open_massive(server.url)
        assert (
            load(source, "actions", tmp_path / "1").landed
            == load(source, "actions", tmp_path / "2").landed
        )


def test_a_broken_page_walk_lands_nothing(tmp_path: Path) -> None:
    def reply(path: str) -> Answer:
        return Answer(status=500) if "cursor=2" in path else splits_in_pages(path)

    with serving(reply) as server:
        source = open_massive(server.url)
        remote = source.list("actions", START, END)[0]
        with pytest.raises(SourceUnavailableError, match=r" failed( \(|\.)"):
            source.fetch(remote, tmp_path / "content", lambda _: None)
    assert not (tmp_path / "content").exists()


@pytest.mark.parametrize("status", [403, 404])
def test_an_endpoint_that_breaks_off_is_not_replaced_by_the_other(
    tmp_path: Path, status: int
) -> None:
    """Other ids under the deprecated endpoint would withdraw every action and tell it anew."""

    def reply(path: str) -> Answer:
        return Answer(b"{}", status) if "cursor=1" in path else splits_in_pages(path)

    with serving(reply) as server:
        source = open_massive(server.url)
        with pytest.raises((SourceUnavailableError, EntitlementError), match="GET"):
            load(source, "actions", tmp_path)
    assert not any("v3/reference" in path for path in server.asked)


def test_a_list_without_the_delisted_is_no_list(tmp_path: Path) -> None:
    def reply(path: str) -> Answer:
        return Answer(b"{}", 404) if "active=false" in path else tickers(path)

    with serving(reply) as server:
        source = open_massive(server.url)
        with pytest.raises(NotPublishedError, match="active=false"):
            load(source, "instruments", tmp_path)


def test_a_next_page_on_another_host_is_not_asked_for(tmp_path: Path) -> None:
    with serving(lambda _: ok()) as other:

        def reply(_: str) -> Answer:
            return ok(results=[], next_url=f"{other.url}/stocks/v1/splits?cursor=1")

        with serving(reply) as server:
            source = open_massive(server.url)
            with pytest.raises(SourceUnavailableError, match="is on another host"):
                load(source, "actions", tmp_path)
    assert other.asked == []


def test_a_redirect_to_another_host_is_not_followed(tmp_path: Path) -> None:
    with serving(lambda _: ok()) as other:
        away = Answer(status=302, headers={"Location": f"{other.url}/stocks/v1/splits"})
        with serving(lambda _: away) as server:
            source = open_massive(server.url)
            with pytest.raises(SourceUnavailableError, match="redirected to another host"):
                load(source, "actions", tmp_path)
    assert other.asked == []


def test_the_deprecated_endpoint_is_asked_where_the_plan_lacks_the_new(tmp_path: Path) -> None:
    def reply(path: str) -> Answer:
        if path.startswith("/stocks"):
            return Answer(b'{"status":"NOT_AUTHORIZED","message":"not entitled"}', 403)
        row = {"ticker": "A", "execution_date": "2025-05-01", "split_from": 1, "split_to": 2}
        return ok(results=[row] if "splits" in path else [])

    with serving(reply) as server:
        loaded = load(open_massive(server.url), "actions", tmp_path)
    assert [r["action_id"] for r in loaded.rows] == ["A|2025-05-01|split"]


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (Answer(b'{"error":"Unknown API Key"}', 401), ConfigError, "rest_api_key"),
        (Answer(b'{"status":"ERROR","error":"Unknown API Key"}'), ConfigError, "rest_api_key"),
        (
            Answer(b'{"status":"NOT_AUTHORIZED","message":"You are not entitled"}', 403),
            EntitlementError,
            "plan behind rest_api_key does not cover it",
        ),
        (Answer(b'{"status":"NOT_FOUND"}', 404), NotPublishedError, "found nothing"),
        (Answer(b'{"results":[{"tick'), CorruptFileError, "is not JSON, or ends too early"),
        (Answer(b'{"results":[', cut=50), SourceUnavailableError, r" failed( \(|\.)"),
        (Answer(b"", 502), SourceUnavailableError, "HTTP 502"),
    ],
)
def test_a_refusal_says_what_it_is_and_no_key(
    tmp_path: Path, answer: Answer, kind: type[IngotError], words: str
) -> None:
    with serving(lambda _: answer) as server:
        source = open_massive(server.url)
        with pytest.raises(kind, match=words) as caught:
            load(source, "actions", tmp_path)
    assert KEY not in str(caught.value)
    assert KEY not in repr(source)


@pytest.mark.parametrize(
    ("header", "waited"),
    [("7", [7.0]), ("Sun, 01 Jun 2025 12:00:09 GMT", [9.0]), (None, [0.25])],
)
def test_a_vendor_that_asks_to_wait_is_waited_for(header: str | None, waited: list[float]) -> None:
    answers = iter([Answer(b"", 429, {"Retry-After": header} if header else {}), ok(results=[])])
    slept: list[float] = []
    with serving(lambda _: next(answers)) as server:
        assert client(server.url, slept).get("x")["results"] == []
    assert slept == waited


def test_a_long_wait_is_the_caller_s(tmp_path: Path) -> None:
    del tmp_path
    with serving(lambda _: Answer(b"", 429, {"Retry-After": "3600"})) as server:
        slept: list[float] = []
        with pytest.raises(RateLimitedError, match="limited by the vendor") as caught:
            client(server.url, slept).get("x")
    assert caught.value.retry_after_s == 3600.0
    assert slept == []


def test_a_day_s_limit_is_not_tried_again() -> None:
    body = b'{"Information":"our standard API rate limit is 25 requests per day."}'
    with serving(lambda _: Answer(body)) as server:
        with pytest.raises(RateLimitedError, match="the day's calls are spent") as caught:
            client(server.url).get("x")
        assert len(server.asked) == 1
    assert caught.value.retry_after_s == 86_400.0


@pytest.mark.parametrize("packed", [False, True])
def test_a_body_larger_than_allowed_is_refused(*, packed: bool) -> None:
    body = b" " * 100_000
    answer = Answer(gzip.compress(body), headers={"Content-Encoding": "gzip"})
    with serving(lambda _: answer if packed else Answer(body)) as server:
        limited = client(server.url, most_bytes=10_000)
        with pytest.raises(CorruptFileError, match="larger than 10,000 bytes"):
            limited.get("x")


def test_a_packed_answer_is_read_and_a_torn_one_asked_for_again() -> None:
    whole = gzip.compress(b'{"results":[]}')
    packed = {"Content-Encoding": "gzip"}
    answers = iter([Answer(whole[:-9], headers=packed), Answer(whole, headers=packed)])
    with serving(lambda _: next(answers)) as server:
        assert client(server.url).get("x") == {"results": []}


def test_nobody_there_is_unavailable() -> None:
    with serving(lambda _: ok()) as server:
        pass
    with pytest.raises(SourceUnavailableError, match=r" failed( \(|\.)"):
        client(server.url).get("x")


def test_the_host_needs_a_key() -> None:
    with pytest.raises(ConfigError, match="needs the REST key"):
        massive.open_reference("https://api.massive.com", massive.settings())


TICKERS = [
    {"ticker": "META", "composite_figi": "BBG000MM2P62", "type": "CS", "active": True},
    {"ticker": "A", "cik": "1", "type": "CS", "active": True},
]
CHANGES = [
    {"type": "ticker_change", "date": "2022-06-09", "ticker_change": {"ticker": "META"}},
    {"type": "ticker_change", "date": "2012-05-18", "ticker_change": {"ticker": "FB"}},
]


def tickers(path: str) -> Answer:
    if path.startswith("/v3/reference/tickers?"):
        return ok(results=[] if "active=false" in path else TICKERS)
    if path.startswith("/vX/reference/tickers/BBG000MM2P62/events"):
        return ok(results={"composite_figi": "BBG000MM2P62", "events": CHANGES})
    if path == "/v3/reference/tickers/A":
        return ok(results={**TICKERS[1], "list_date": "1999-11-18", "market_cap": 5})
    return Answer(b'{"status":"NOT_FOUND","message":"Ticker not found."}', 404)


def test_details_and_changes_are_asked_for_by_name(tmp_path: Path) -> None:
    with serving(tickers) as server:
        rows = load(open_massive(server.url), "instruments", tmp_path / "1").rows
        assert len(server.asked) == 2
        every = open_massive(server.url, rest_details_for=("*",))
        more = load(every, "instruments", tmp_path / "2").rows
    assert {r["symbol"]: str(r["valid_from"]) for r in rows} == {
        "META": "1900-01-01",
        "A": "1900-01-01",
    }
    assert [(r["symbol"], str(r["valid_from"]), r["instrument_id"]) for r in more] == [
        ("FB", "2012-05-18", "BBG000MM2P62"),
        ("META", "2022-06-09", "BBG000MM2P62"),
        ("A", "1999-11-18", "0000000001|CS"),
    ]


def test_a_run_that_the_quota_stopped_goes_on_from_the_kept_answers(tmp_path: Path) -> None:
    limit = [4]

    def reply(path: str) -> Answer:
        limit[0] -= 1
        return tickers(path) if limit[0] >= 0 else Answer(b'{"error":"25 requests per day"}', 429)

    with serving(reply) as server:
        source = open_massive(
            server.url, rest_details_for=("*",), rest_answers_folder=tmp_path / "kept"
        )
        with pytest.raises(RateLimitedError, match="the day's calls are spent"):
            load(source, "instruments", tmp_path / "1")
        first = len(server.asked)
        limit[0] = 100
        rows = load(source, "instruments", tmp_path / "2").rows
    assert [r["symbol"] for r in rows] == ["FB", "META", "A"]
    assert "/v3/reference/tickers/A" in server.asked[:first]
    assert "/v3/reference/tickers/A" not in server.asked[first:]
    assert not any(KEY in p.read_text() for p in (tmp_path / "kept").iterdir())


def chart(**result: Any) -> dict[str, Any]:
    meta = {
        "currency": "USD",
        "symbol": "AAPL",
        "exchangeTimezoneName": "America/New_York",
        "regularMarketTime": 1,
        "regularMarketPrice": 5,
    }
    return {"chart": {"result": [{"meta": {**meta, **result.pop("meta", {})}, **result}]}}


def quotes(stamps: list[int], values: list[float | None], **more: Any) -> dict[str, Any]:
    quote = dict.fromkeys(("open", "high", "low", "close", "volume"), values)
    indicators = {"quote": [quote], "adjclose": [{"adjclose": values}]}
    return chart(timestamp=stamps, indicators=indicators, **more)


def from_yahoo(
    reply: Callable[[str], Answer],
    dataset: str,
    folder: Path,
    *,
    symbols: str = "AAPL",
    start: date = date(2025, 5, 1),
) -> tuple[list[dict[str, Any]], list[str], dict[str, bytes]]:
    with serving(reply) as server:
        settings = yahoo.settings.model_validate({"base_url": server.url, "calls_per_minute": 0})
        source = yahoo.open_reference(symbols, settings, backoff=patient(), clock=NOW)
        loaded = load(source, dataset, folder, start=start, end=date(2025, 6, 1))
    return loaded.rows, server.asked, loaded.landed


def replay(body: Any) -> Callable[[str], Answer]:
    return lambda _: Answer(json.dumps(body).encode())


MAY_1, MAY_2, MAY_5 = 1746106200, 1746192600, 1746451800  # 09:30 New York
SPLITS = {
    "a": {"date": MAY_2, "numerator": 3, "denominator": 2, "splitRatio": "3:2"},
    "b": {"date": MAY_5, "numerator": 1, "denominator": 10, "splitRatio": "1:10"},
}


def test_each_bar_carries_the_splits_since(tmp_path: Path) -> None:
    body = quotes([MAY_1, MAY_2, MAY_5], [10.0, 10.5, 11.25], events={"splits": SPLITS})
    rows, _, _ = from_yahoo(replay(body), "bars_1d", tmp_path)
    assert [(str(r["trade_date"]), r["splits_from"], r["splits_to"]) for r in rows] == [
        ("2025-05-01", 20, 3),
        ("2025-05-02", 10, 1),
        ("2025-05-05", 1, 1),
    ]


def test_a_dividend_is_brought_back_to_what_was_declared(tmp_path: Path) -> None:
    paid = {"x": {"date": MAY_1, "amount": 0.6}, "y": {"date": MAY_5, "amount": 0.1}}
    body = chart(events={"splits": SPLITS, "dividends": paid})
    rows, _, _ = from_yahoo(replay(body), "actions", tmp_path)
    cash = [(str(r["ex_date"]), float(r["cash"])) for r in rows if r["cash"]]
    assert cash == [("2025-05-01", 0.09), ("2025-05-05", 0.1)]


def test_pence_are_pounds(tmp_path: Path) -> None:
    meta = {"currency": "GBp", "exchangeTimezoneName": "Europe/London"}
    body = chart(meta=meta, events={"dividends": {"x": {"date": MAY_1, "amount": 2.5}}})
    rows, _, _ = from_yahoo(replay(body), "actions", tmp_path)
    assert [(float(r["cash"]), r["currency"]) for r in rows] == [(0.025, "GBP")]


def test_null_bars_and_the_running_session_are_left_out(tmp_path: Path) -> None:
    live = {"regularMarketTime": MAY_5 + 60}
    body = quotes([MAY_1, MAY_2, MAY_5 + 60], [10.0, None, 11.0], meta=live)
    rows, _, _ = from_yahoo(replay(body), "bars_1d", tmp_path)
    assert [str(r["trade_date"]) for r in rows] == ["2025-05-01"]


def test_a_request_ends_today_and_only_the_range_is_landed(tmp_path: Path) -> None:
    body = quotes([MAY_1, MAY_2, MAY_5], [10.0, 10.5, 11.0])
    rows, asked, landed = from_yahoo(replay(body), "bars_1d", tmp_path, start=date(2025, 5, 2))
    query = parse_qs(urlsplit(asked[0]).query)
    assert int(query["period2"][0]) > NOW.at.timestamp()
    assert [str(r["trade_date"]) for r in rows] == ["2025-05-02", "2025-05-05"]
    assert list(landed) == ["bars_1d/AAPL/2025-05-02_2025-06-01"]


def test_the_last_price_does_not_make_another_version(tmp_path: Path) -> None:
    one = quotes([MAY_1], [10.0], meta={"regularMarketPrice": 5})
    two = quotes([MAY_1], [10.0], meta={"regularMarketPrice": 6})
    _, _, first = from_yahoo(replay(one), "bars_1d", tmp_path / "1")
    _, _, second = from_yahoo(replay(two), "bars_1d", tmp_path / "2")
    assert first == second


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (Answer(b"Too Many Requests\r\n", 429), RateLimitedError, "Too Many Requests"),
        (Answer(b"<html>Too Many Requests</html>"), RateLimitedError, "limited by the vendor"),
        (
            Answer(
                b'{"chart":{"result":null,"error":{"code":"Not Found",'
                b'"description":"No data found, symbol may be delisted"}}}',
                404,
            ),
            QueryError,
            "may be delisted",
        ),
        (Answer(b'{"chart":{"result":null,"error":null}}'), QueryError, "has no chart"),
        (Answer(b'{"chart":{"result":[],"error":null}}'), QueryError, "has no chart"),
        (Answer(b'{"chart":{"result":[{"meta":{}}]}}'), CorruptFileError, "not the chart we know"),
        (
            Answer(json.dumps(quotes([MAY_1, MAY_2], [1.0])).encode()),
            CorruptFileError,
            "columns differ in length",
        ),
    ],
)
def test_throttling_and_empty_answers(
    tmp_path: Path, answer: Answer, kind: type[IngotError], words: str
) -> None:
    with pytest.raises(kind, match=words):
        from_yahoo(lambda _: answer, "bars_1d", tmp_path)


def test_an_answer_without_bars_is_no_rows(tmp_path: Path) -> None:
    rows, _, landed = from_yahoo(replay(chart()), "bars_1d", tmp_path)
    assert rows == []
    assert len(landed) == 1


def test_each_symbol_is_one_object(tmp_path: Path) -> None:
    rows, asked, landed = from_yahoo(
        replay(chart()), "actions", tmp_path, symbols="AAPL, MSFT,^GSPC,AAPL"
    )
    assert rows == []
    assert list(landed) == ["actions/yahoo/AAPL", "actions/yahoo/MSFT", "actions/yahoo/^GSPC"]
    assert [urlsplit(path).path for path in asked] == [
        "/v8/finance/chart/AAPL",
        "/v8/finance/chart/MSFT",
        "/v8/finance/chart/%5EGSPC",
    ]


@pytest.mark.parametrize("symbols", ["", " , ", "A/B", "..", "A B"])
def test_what_is_no_symbol_is_refused(symbols: str) -> None:
    with pytest.raises(ConfigError, match=r"is not a symbol|was given no symbol"):
        yahoo.open_reference(symbols, yahoo.settings())
