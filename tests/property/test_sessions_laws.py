"""What holds for the sessions of any span and any sensible rulebook."""

from __future__ import annotations

from datetime import date, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingot.connectors.sessions import build_calendar
from ingot.connectors.sessions.rulebook import Market, Rulebook, SessionRule
from ingot.model.calendar import Calendar
from ingot.model.session_text import diff, parse, render

FIRST = date(2003, 9, 10)
DAY_NS = 86_400_000_000_000


@st.composite
def spans(draw: st.DrawFn) -> tuple[date, date]:
    start = draw(st.dates(FIRST, date(2026, 6, 30)))
    return start, start + timedelta(days=draw(st.integers(1, 120)))


@st.composite
def rulebooks(draw: st.DrawFn) -> Rulebook:
    dates = st.dates(FIRST, date(2026, 6, 30))
    hours = draw(st.integers(20, 23))
    rules = (
        SessionRule("pre", draw(dates), time(draw(st.integers(4, 9))), "open"),
        SessionRule("post", draw(dates), "close", time(20), time(17)),
        SessionRule("overnight", draw(dates), time(hours), time(4), start_day_before=True),
    )
    market = Market("XNYS", ZoneInfo("America/New_York"), rules)
    return Rulebook((market,))


@given(span=spans(), rulebook=rulebooks())
@settings(max_examples=8, deadline=None)
def test_sessions_are_sorted_and_never_overlap(span: tuple[date, date], rulebook: Rulebook) -> None:
    calendar = build_calendar("XNYS", *span, rulebook)
    assert all(s.start_ns < s.end_ns for s in calendar.sessions)
    assert all(one.end_ns <= other.start_ns for one, other in pairwise(calendar.sessions))


@given(span=spans(), rulebook=rulebooks(), share=st.floats(0, 1))
@settings(max_examples=8, deadline=None)
def test_every_instant_belongs_to_one_session_at_most(
    span: tuple[date, date], rulebook: Rulebook, share: float
) -> None:
    calendar = build_calendar("XNYS", *span, rulebook)
    edges = [s.start_ns for s in calendar.sessions] + [s.end_ns for s in calendar.sessions]
    if not edges:
        return
    inside = min(edges) + int(share * (max(edges) - min(edges)))
    for instant in (inside, *edges, *(edge - 1 for edge in edges)):
        assert sum(s.start_ns <= instant < s.end_ns for s in calendar.sessions) <= 1


@given(span=spans(), rulebook=rulebooks(), earlier=st.integers(0, 40), later=st.integers(0, 40))
@settings(max_examples=8, deadline=None)
def test_a_longer_span_only_adds_rows(
    span: tuple[date, date], rulebook: Rulebook, earlier: int, later: int
) -> None:
    start, end = span
    short = build_calendar("XNYS", start, end, rulebook)
    long = build_calendar(
        "XNYS", start - timedelta(days=earlier), end + timedelta(days=later), rulebook
    )
    inside = tuple(s for s in long.sessions if start <= s.trade_date < end)
    assert inside == short.sessions
    assert long.digest == short.digest
    assert diff(short, long) == ()


@given(span=spans(), rulebook=rulebooks())
@settings(max_examples=8, deadline=None)
def test_a_session_lies_on_its_trade_date_or_the_evening_before(
    span: tuple[date, date], rulebook: Rulebook
) -> None:
    calendar = build_calendar("XNYS", *span, rulebook)
    for s in calendar.sessions:
        days = calendar.file_dates(s.trade_date)
        before = s.trade_date - timedelta(days=1)
        night = any(o.session == "overnight" for o in calendar.of_date(s.trade_date))
        assert days == ((before, s.trade_date) if night else (s.trade_date,))


@given(span=spans(), rulebook=rulebooks())
@settings(max_examples=8, deadline=None)
def test_landed_bytes_are_read_back_whole_and_written_the_same(
    span: tuple[date, date], rulebook: Rulebook
) -> None:
    calendar = build_calendar("XNYS", *span, rulebook)
    if calendar.sessions:
        content = render(calendar)
        assert parse(content) == calendar
        assert render(parse(content)) == content


@pytest.mark.parametrize("year", [2004, 2016, 2026])
def test_a_market_that_never_closes_covers_every_instant(year: int) -> None:
    calendar = build_calendar("24/7", date(year, 1, 1), date(year + 1, 1, 1))
    assert len(calendar.trade_dates) == (date(year + 1, 1, 1) - date(year, 1, 1)).days
    assert all(one.end_ns == other.start_ns for one, other in pairwise(calendar.sessions))
    assert all(s.end_ns - s.start_ns == DAY_NS for s in calendar.sessions)


def test_sessions_given_in_any_order_make_one_calendar() -> None:
    calendar = build_calendar("XNYS", date(2025, 6, 2), date(2025, 6, 7))
    backwards = Calendar.of("XNYS", reversed(calendar.sessions), calendar.digest)
    assert backwards == calendar
