"""The rulebook's form, and what its digest covers."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from datetime import date, time
from typing import TYPE_CHECKING

import pytest

from ingot.connectors.sessions import build_calendar, calendar_digest, load_rulebook
from ingot.connectors.sessions.rulebook import Rulebook, SessionRule, parse_rulebook
from ingot.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

PRE = """
[calendar.XNYS]
zone = "America/New_York"
[[calendar.XNYS.session]]
session = "pre"
valid_from = 2000-01-01
start = 04:00:00
end = "open"
"""


def book(text: str) -> Rulebook:
    return parse_rulebook(tomllib.loads(text))


def test_the_shipped_rulebook_knows_two_calendars() -> None:
    assert [market.name for market in load_rulebook().markets] == ["XNYS", "24/7"]


def test_every_shipped_rule_says_where_it_is_published() -> None:
    assert all(rule.source for market in load_rulebook().markets for rule in market.rules)


def test_an_unknown_calendar_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"no calendar 'XLON'. It has XNYS, 24/7\."):
        build_calendar("XLON", date(2025, 1, 1), date(2025, 2, 1))


def test_a_calendar_that_the_library_does_not_know_is_refused() -> None:
    with pytest.raises(ConfigError, match="has the calendar 'XXXX', but exchange_calendars does"):
        build_calendar(
            "XXXX", date(2025, 1, 1), date(2025, 2, 1), book(PRE.replace("XNYS", "XXXX"))
        )


def test_a_market_with_a_lunch_break_is_refused() -> None:
    tokyo = book('[calendar.XTKS]\nzone = "Asia/Tokyo"')
    with pytest.raises(ConfigError, match="'XTKS' has a lunch break"):
        build_calendar("XTKS", date(2024, 1, 1), date(2024, 2, 1), tokyo)


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (date(2025, 1, 2), date(2025, 1, 2)),
        (date(2025, 1, 3), date(2025, 1, 2)),
        (date(1969, 12, 31), date(2025, 1, 2)),
        (date(2025, 1, 2), date(9999, 12, 31)),
    ],
)
def test_a_span_that_cannot_be_is_refused(start: date, end: date) -> None:
    with pytest.raises(ConfigError, match=r"The span of sessions was \[.*it has to start before"):
        build_calendar("XNYS", start, end)


def test_a_span_without_a_trade_date_has_no_session() -> None:
    assert build_calendar("XNYS", date(2025, 1, 4), date(2025, 1, 6)).sessions == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"has no \[calendar.NAME\] section"),
        ("calendars = 1", "unknown key 'calendars'. Known keys are calendar"),
        ("[calendar.XNYS]", "has no zone"),
        ("[calendar]\nXNYS = 1", r"\[calendar.XNYS\] of the rulebook was 1"),
        ('[calendar.XNYS]\nzone = "America/Nowhere"', "no time zone 'America/Nowhere'"),
        ('[calendar.XNYS]\nzone = "UTC"\nsession = 5', "sessions are written as"),
        (PRE.replace('"pre"', '"lunch"'), "session was 'lunch'; a rule is of overnight, pre, post"),
        (PRE.replace('"pre"', '"regular"'), "session was 'regular'"),
        (PRE.replace("04:00:00", '"4am"'), "start was '4am'; write a local time"),
        (PRE.replace("2000-01-01", '"2000"'), "valid_from was '2000'; write a date"),
        (PRE.replace("2000-01-01", "2000-01-01T00:00:00"), "valid_from was datetime"),
        (PRE.replace("start =", "begin ="), "session 1 of .* has the unknown key 'begin'"),
        (PRE.replace("start = 04:00:00\n", ""), "session 1 of .* lacks start"),
        (PRE + 'start_day_before = "yes"', "start_day_before was 'yes'; write true or false"),
        (PRE + PRE[PRE.index("[[") :], "two rules of pre from 2000-01-01; keep one"),
    ],
)
def test_a_malformed_rulebook_is_refused_with_the_place(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        book(text)


def test_a_rulebook_file_that_is_not_toml_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text("[calendar")
    with pytest.raises(ConfigError, match=r"rules\.toml cannot be read: "):
        load_rulebook(path)


def test_a_missing_rulebook_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.toml cannot be read: .*No such file"):
        load_rulebook(tmp_path / "absent.toml")


def test_a_rule_replaces_the_one_before_whatever_their_order_in_the_file() -> None:
    early = SessionRule("pre", date(2000, 1, 1), time(8), "open")
    late = SessionRule("pre", date(2010, 1, 1), time(4), "open")
    market = replace(book(PRE).market("XNYS"), rules=(late, early))
    assert market.rules_on(date(1999, 12, 31)) == ()
    assert market.rules_on(date(2009, 12, 31)) == (early,)
    assert market.rules_on(date(2010, 1, 1)) == (late,)


def test_the_digest_is_16_hex_digits_and_names_calendar_and_rules() -> None:
    digest = calendar_digest("XNYS", book(PRE))
    assert len(digest) == 16
    assert int(digest, 16) >= 0
    assert digest != calendar_digest("XNYS", book(PRE.replace("04:00", "07:00")))
    assert digest != calendar_digest("XNYS", book(PRE.replace("2000-01-01", "2001-01-01")))
    assert calendar_digest("XNYS") != calendar_digest("24/7")


def test_comments_sources_and_announced_rules_leave_the_digest_alone() -> None:
    announced = PRE[PRE.index("[[") :].replace("valid_from = 2000-01-01\n", "")
    same = PRE + 'source = "a page" # a comment\n' + announced.replace('"pre"', '"overnight"')
    assert calendar_digest("XNYS", book(same)) == calendar_digest("XNYS", book(PRE))


def test_another_version_of_the_calendar_library_is_another_digest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = calendar_digest("XNYS")
    monkeypatch.setattr("ingot.connectors.sessions.build.version", lambda _: "99.0")
    assert calendar_digest("XNYS") != before


def test_a_longer_span_keeps_the_digest() -> None:
    short = build_calendar("XNYS", date(2025, 1, 1), date(2025, 2, 1))
    long = build_calendar("XNYS", date(2024, 1, 1), date(2026, 1, 1))
    assert short.digest == long.digest == calendar_digest("XNYS")
