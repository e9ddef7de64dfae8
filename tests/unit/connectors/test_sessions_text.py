"""Sessions as landed bytes."""

from __future__ import annotations

import subprocess
import sys
from datetime import date

import pytest

from ingot.errors import CorruptFileError, SchemaDriftError
from ingot.model.calendar import Calendar, Session
from ingot.model.session_text import diff, landed_calendar, parse, render

HEADER = "calendar,trade_date,session,start_ns,end_ns,digest\n"
ROW = "XNYS,2025-06-02,regular,1748871000000000000,1748894400000000000,00ff\n"
POST = "XNYS,2025-06-02,post,1748894400000000000,1748908800000000000,00ff\n"
DAY_NS = 86_400_000_000_000


def day(number: int, *, end_ns: int = 100) -> Session:
    return Session(
        "XNYS", date(2025, 6, number), "regular", number * DAY_NS, number * DAY_NS + end_ns
    )


def calendar(*sessions: Session) -> Calendar:
    return Calendar.of("XNYS", sessions, "00ff")


def test_a_calendar_is_landed_as_csv_in_the_columns_of_its_table() -> None:
    session = Session("XNYS", date(2025, 6, 2), "regular", 1748871000000000000, 1748894400000000000)
    assert render(calendar(session)) == (HEADER + ROW).encode()


def test_landed_sessions_are_read_back() -> None:
    found = parse((HEADER + ROW + POST).encode())
    assert (found.name, found.digest) == ("XNYS", "00ff")
    assert [(s.session, s.end_ns) for s in found.sessions] == [
        ("regular", 1748894400000000000),
        ("post", 1748908800000000000),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEADER, "hold no row; a file is of one calendar"),
        (HEADER + ROW + POST.replace("00ff", "00fe"), "hold XNYS 00fe, XNYS 00ff; a file is of"),
        (HEADER + ROW + POST.replace("XNYS", "24/7"), "hold 24/7 00ff, XNYS 00ff; a file is of"),
        (HEADER + POST + ROW, "Row 2 of the landed sessions starts before row 1 ends"),
        (HEADER + ROW + ROW, "Row 2 of the landed sessions starts before row 1 ends"),
        (HEADER + "XNYS,2025-06-02,regular\n", "Row 1 of the landed sessions cannot be read"),
        (HEADER + ROW.replace("06-02", "06-31"), "Row 1 .* cannot be read: 'XNYS,2025-06-31"),
        (HEADER + ROW.replace("1748871", "x"), "Row 1 of the landed sessions cannot be read"),
        (HEADER + ROW + "\n", "Row 2 of the landed sessions cannot be read: ''"),
        (HEADER + ROW.replace("regular", "lunch"), "Row 1 of the landed sessions is not a session"),
        (
            HEADER + ROW.replace("17488710", "17498710"),
            "Row 1 of the landed sessions is not a sess",
        ),
        (HEADER + 'XNYS,"2025', "are not CSV in UTF-8: unexpected end of data"),
    ],
)
def test_damaged_sessions_are_refused_whole(text: str, message: str) -> None:
    with pytest.raises(CorruptFileError, match=message):
        parse(text.encode())


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(CorruptFileError, match="not CSV in UTF-8: 'utf-8' codec can't decode"):
        parse(b"\x1f\x8b\xff")


@pytest.mark.parametrize("header", ["", "calendar,trade_date,session,start,end_ns,digest\n"])
def test_another_header_is_refused(header: str) -> None:
    with pytest.raises(SchemaDriftError, match=r"missing columns: .*start_ns"):
        parse((header + ROW).encode() if header else b"")


def test_reading_landed_sessions_loads_neither_calendar_library_nor_settings() -> None:
    program = (
        "import sys\n"
        "from ingot.connectors.sessions import calendar_digest\n"
        "from ingot.model.session_text import parse\n"
        f"parse({(HEADER + ROW).encode()!r})\n"
        "calendar_digest('XNYS')\n"
        "heavy = {'exchange_calendars', 'pandas', 'pyarrow', 'polars', 'duckdb', 'pydantic'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_equal_calendars_have_no_difference() -> None:
    assert diff(calendar(day(2), day(3)), calendar(day(2), day(3))) == ()


def test_a_difference_names_changed_closed_and_opened_dates() -> None:
    old = calendar(day(2), day(3), day(5), day(6))
    new = calendar(day(2), day(3, end_ns=50), day(4), day(6))
    assert diff(old, new) == (date(2025, 6, 3), date(2025, 6, 4), date(2025, 6, 5))


def test_what_a_longer_span_adds_is_no_difference() -> None:
    short, long = calendar(day(3), day(4)), calendar(day(2), day(3), day(4), day(5))
    assert diff(short, long) == diff(long, short) == ()


def test_nothing_differs_from_an_empty_calendar() -> None:
    assert diff(calendar(), calendar(day(2))) == ()


LATER = tuple(
    row.replace("2025-06-02", "2026-06-02").replace("17488", "17803").replace("17489", "17804")
    for row in (ROW, POST)
)


def test_a_landed_calendar_is_the_parsed_one() -> None:
    content = "".join((HEADER, ROW, POST, *LATER)).encode()
    landed, parsed = landed_calendar(content), parse(content)
    assert landed.trade_dates == parsed.trade_dates == (date(2025, 6, 2), date(2026, 6, 2))
    assert landed.of_date(date(2026, 6, 3)) == landed.of_date(date(1990, 1, 2)) == ()
    assert [landed.of_date(d) for d in landed.trade_dates] == [
        parsed.of_date(d) for d in parsed.trade_dates
    ]
    assert (landed.name, landed.digest, landed.sessions) == ("XNYS", "00ff", parsed.sessions)


@pytest.mark.parametrize(
    ("old", "new"),
    [("regular,17803", "lunch,17803"), ("post,17803", "post,17802"), ("06-02,post", "06-31,post")],
)
def test_a_damaged_year_of_a_landed_calendar_is_refused_when_it_is_used(old: str, new: str) -> None:
    later = "".join(LATER)
    assert old in later
    landed = landed_calendar("".join((HEADER, ROW, POST, later.replace(old, new))).encode())
    assert len(landed.of_date(date(2025, 6, 2))) == 2
    with pytest.raises(CorruptFileError, match=r"Row \d of the landed sessions"):
        landed.of_date(date(2026, 6, 2))


def test_a_landed_calendar_with_another_header_is_refused() -> None:
    with pytest.raises(SchemaDriftError, match=r"missing columns: .*start_ns"):
        landed_calendar(ROW.encode())
