from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from ingot.connectors.transport.http import error_rules, response_bundle
from ingot.connectors.transport.http.client import RestClient, RestOptions, read_json
from ingot.connectors.transport.http.error_rules import Fault, fault_of
from ingot.connectors.transport.http.pagination import rows_of
from ingot.connectors.transport.http.rate_limit import Gate, Quota
from ingot.connectors.transport.http.redaction import Redactor
from ingot.connectors.transport.http.reply import retry_after_s
from ingot.connectors.transport.http.response_bundle import Query
from ingot.errors import (
    ConfigError,
    CorruptFileError,
    EntitlementError,
    NotPublishedError,
    QueryError,
    RateLimitedError,
    SourceUnavailableError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

NOW = datetime(2026, 10, 21, 7, 27, tzinfo=UTC)


class Watch:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.at = 1000.0
        self.slept: list[float] = []

    def now(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += seconds


def test_a_quota_lets_no_window_hold_more_calls() -> None:
    watch = Watch()
    gate = Gate((Quota(5, 60.0),), now=watch.now, sleep=watch.sleep)
    times = []
    for _ in range(23):
        gate.wait("GET x")
        times.append(watch.at)
        watch.at += 1.0
    assert all(late - early >= 60.0 for early, late in zip(times, times[5:], strict=False))
    assert watch.at == 1000.0 + 4 * 60.0 + 3


def test_every_quota_is_kept() -> None:
    watch = Watch()
    gate = Gate((Quota(2, 1.0), Quota(3, 60.0)), now=watch.now, sleep=watch.sleep)
    for _ in range(4):
        gate.wait("GET x")
    assert watch.slept == [1.0, 59.0]


def test_a_day_s_quota_is_an_error_and_says_how_long() -> None:
    watch = Watch()
    gate = Gate((Quota(1, 86_400.0),), now=watch.now, sleep=watch.sleep)
    gate.wait("GET x")
    with pytest.raises(RateLimitedError, match="GET x has to wait 86400 s") as caught:
        gate.wait("GET x")
    assert caught.value.retry_after_s == 86_400.0


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0.0),
        ("17", 17.0),
        ("Wed, 21 Oct 2026 07:28:00 GMT", 60.0),
        ("Wed, 21 Oct 2026 07:20:00 GMT", 0.0),
        ("99999999999", 604_800.0),
        ("soon", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_is_a_number_or_a_date(header: str | None, seconds: float | None) -> None:
    assert retry_after_s(header, NOW) == seconds


SECRET = "sk_Abc123+/=x"  # noqa: S105 (made up)


@pytest.mark.parametrize(
    "text",
    [
        f"GET https://a.example/v3?limit=1&apiKey={SECRET}&x=1",
        "GET https://a.example/v3?apikey=QWERTY123456&x=1",
        '{"next_url":"https://a.example/v3?cursor=1&apiKey=QWERTY123456"}',
        "https://a.example/v3?token=QWERTY123456",
        "https://a.example/?next=%3FapiKey%3DQWERTY123456",
        "Authorization: Bearer QWERTY123456",
        '{"Authorization": "Bearer QWERTY123456"}',
        '{"X-Finnhub-Token": "QWERTY123456"}',
        "We have detected your API key as QWERTY123456 and our standard rate limit",
        f"the key {SECRET} is not valid",
        "the key sk_Abc123%2B%2F%3Dx is not valid",
        "https://me:QWERTY123456@a.example/",
    ],
)
def test_keys_are_taken_out_of_text(text: str) -> None:
    redacted = Redactor((SecretStr(SECRET), None)).text(text)
    assert "QWERTY123456" not in redacted
    assert SECRET not in redacted
    assert "Abc123" not in redacted
    assert "***" in redacted


@pytest.mark.parametrize(
    "text",
    [
        '{"ticker":"TOKEN","name":"Secret Bearer Holdings Corporation"}',
        "GET https://a.example/v3/reference/tickers?active=false&limit=1000",
        '{"cash_amount":0.59375,"ticker":"KEY"}',
    ],
)
def test_what_is_no_key_stays(text: str) -> None:
    assert Redactor().text(text) == text


def test_a_redactor_and_a_client_do_not_show_what_they_know() -> None:
    redactor = Redactor((SecretStr(SECRET),))
    options = RestOptions("https://a.example", headers={"Authorization": SECRET}, redactor=redactor)
    assert SECRET not in f"{redactor!r} {options!r} {RestClient(options)!r}"


@pytest.mark.recorded
def test_recorded_refusals_are_told_apart(recorded: Path) -> None:
    lines = (recorded / "vendor-json" / "error-bodies.jsonl").read_text().splitlines()
    found = [fault_of(r["http_status"], r["body"]) for r in map(json.loads, lines)]
    assert found == [
        Fault.BURST,  # 5 calls per minute and 500 per day
        Fault.DAY,
        Fault.DAY,  # the same, with the caller's key in it
        Fault.BURST,  # 1 request per second; names the day's limit too
        Fault.ENTITLEMENT,  # the demo key
        Fault.BAD_REQUEST,
        Fault.BURST,
        Fault.ENTITLEMENT,
        Fault.KEY,
        Fault.KEY,
        Fault.ABSENT,  # a quote of zeros
    ]


@pytest.mark.recorded
def test_a_recorded_refusal_is_told_without_the_key(recorded: Path) -> None:
    lines = (recorded / "vendor-json" / "error-bodies.jsonl").read_text().splitlines()
    words = [Redactor().text(error_rules.complaint(json.loads(line)["body"])) for line in lines]
    assert not any("REDACTED0KEY" in text for text in words)


@pytest.mark.recorded
@pytest.mark.parametrize("folder", ["massive/rest", "vendor-json/finnhub-rest"])
def test_no_recorded_answer_is_taken_for_a_refusal(recorded: Path, folder: str) -> None:
    bodies = {p.name: json.loads(p.read_text()) for p in (recorded / folder).glob("*.json")}
    assert len(bodies) > 10
    assert {name: fault_of(200, body) for name, body in bodies.items() if fault_of(200, body)} == {}


@pytest.mark.parametrize(
    ("status", "body", "fault"),
    [
        (200, {"status": "OK", "results": []}, None),
        (200, {"status": "ERROR", "error": "Unknown API Key"}, Fault.KEY),
        (200, {"status": "NOT_AUTHORIZED", "message": "You are not entitled"}, Fault.ENTITLEMENT),
        (200, "<html><body>Too Many Requests</body></html>", Fault.BURST),
        (200, "", Fault.FAILED),
        (200, {"chart": {"result": None, "error": None}}, None),
        (
            200,
            {"chart": {"result": None, "error": {"code": "Not Found", "description": "No data"}}},
            Fault.ABSENT,
        ),
        (401, {"status": "ERROR", "error": "anything"}, Fault.KEY),
        (403, {"status": "NOT_AUTHORIZED", "message": "upgrade your plan"}, Fault.ENTITLEMENT),
        (404, {"status": "NOT_FOUND", "message": "Ticker not found."}, Fault.ABSENT),
        (429, {"error": "You've exceeded the maximum requests per minute"}, Fault.BURST),
        (429, {"error": "25 requests per day"}, Fault.DAY),
        (500, "oops", Fault.FAILED),
        (503, "", Fault.FAILED),
        (418, "", Fault.BURST),
        (400, {"error": "malformed date"}, Fault.BAD_REQUEST),
    ],
)
def test_a_refusal_is_known_by_status_and_words(
    status: int, body: Any, fault: Fault | None
) -> None:
    assert fault_of(status, body) is fault


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault.BURST, RateLimitedError),
        (Fault.DAY, RateLimitedError),
        (Fault.ENTITLEMENT, EntitlementError),
        (Fault.KEY, ConfigError),
        (Fault.ABSENT, NotPublishedError),
        (Fault.BAD_REQUEST, QueryError),
        (Fault.FAILED, SourceUnavailableError),
    ],
)
def test_each_refusal_says_what_to_do(fault: Fault, kind: type[Exception]) -> None:
    error = error_rules.explain(fault, "GET x", "said", key_setting="the_key", retry_after_s=7.0)
    assert type(error) is kind
    assert "said" in str(error)


@pytest.mark.parametrize("body", [b'{"a": "\\ud800"}', b'{"a": "\xed\xa0\x80"}', b'["\\uDC00x"]'])
def test_half_a_surrogate_pair_is_no_json(body: bytes) -> None:
    with pytest.raises(ValueError, match="surrogates not allowed"):
        read_json(body)
    assert read_json('["\\ud83d\\ude42", "한"]'.encode()) == ["\U0001f642", "한"]


class Pages:
    """A list of pages, by address."""

    def __init__(self, pages: Mapping[str, Any]) -> None:
        self.pages = pages

    def get(self, path: str, params: Mapping[str, str] | None = None) -> Any:
        del params
        return self.pages[path]

    def follow(self, next_url: str) -> Any:
        return self.pages[next_url]


def test_pages_come_in_order() -> None:
    pages = Pages({"a": {"results": [{"n": 1}], "next_url": "b"}, "b": {"results": [{"n": 2}]}})
    assert list(rows_of(pages, "a")) == [{"n": 1}, {"n": 2}]


def test_pages_that_go_in_circles_are_an_error() -> None:
    pages = Pages({"a": {"results": [], "next_url": "b"}, "b": {"results": [], "next_url": "b"}})
    with pytest.raises(SourceUnavailableError, match="go in circles after 2 pages"):
        list(rows_of(pages, "a"))


@pytest.mark.parametrize("body", [[], {"results": {"n": 1}}, {"results": [1]}])
def test_a_page_without_a_list_of_rows_is_an_error(body: Any) -> None:
    with pytest.raises(CorruptFileError, match="is not a list of rows"):
        list(rows_of(Pages({"a": body}), "a"))


def test_a_bundle_gives_back_its_queries_exactly() -> None:
    queries = [
        Query("a", ({"x": Decimal("0.10"), "b": None, "a": "ü\n\r"}, {"x": 7})),
        Query("empty", ()),
        Query("b", ({"deep": {"list": [Decimal("1E+5"), True]}},)),
    ]
    content = response_bundle.write(queries, Redactor())
    assert response_bundle.read(content, "key") == queries
    assert content == response_bundle.write(response_bundle.read(content, "key"), Redactor())


def test_the_order_of_a_body_s_fields_does_not_change_the_bytes() -> None:
    one = response_bundle.write([Query("a", ({"x": 1, "y": 2},))], Redactor())
    assert one == response_bundle.write([Query("a", ({"y": 2, "x": 1},))], Redactor())


def test_a_torn_bundle_is_noticed_wherever_it_is_cut() -> None:
    content = response_bundle.write([Query("a", ({"x": 1}, {"x": 2}))], Redactor())
    for end in range(1, len(content) - 1):
        with pytest.raises(CorruptFileError, match="is not a bundle of responses"):
            response_bundle.read(content[:end], "key")


@pytest.mark.parametrize(
    "url", ["ftp://a.example", "api.example.com", "https://me:pw@a.example", "file:///etc/passwd"]
)
def test_only_an_http_address_without_a_name_is_asked(url: str) -> None:
    with pytest.raises(ConfigError, match="is not an address of a vendor"):
        RestClient(RestOptions(url))
