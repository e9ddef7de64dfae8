"""Which instrument an action belongs to, where a symbol changes hands and where it does not."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingot.query.requests.action_holder import belonging, fits
from ingot.query.requests.adjustment import Action
from ingot.query.requests.symbology import Chain, Holding, chains

if TYPE_CHECKING:
    from fractions import Fraction

ONE_DAY = timedelta(days=1)
OPEN = date.max
FRIDAY, MONDAY = date(2024, 6, 14), date(2024, 6, 17)
SESSIONS = [d for n in range(60) if (d := date(2024, 5, 20) + n * ONE_DAY).weekday() < 5]
FIRST = Holding("csv", "A", "AAX", date(2010, 1, 4), MONDAY)
FIRST_NOW = Holding("csv", "A", "AAXN", MONDAY, OPEN)
SECOND_BEFORE = Holding("csv", "B", "BBB", date(2012, 1, 4), MONDAY)
SECOND = Holding("csv", "B", "AAX", MONDAY, OPEN)
HOLDINGS = (FIRST, FIRST_NOW, SECOND_BEFORE, SECOND)


def action(symbol: str, day: date) -> Action:
    return Action("csv", symbol, day, "split", Decimal(1), Decimal(4))


def owners(
    one: Action, *, fitting: str = "", holdings: tuple[Holding, ...] = HOLDINGS
) -> tuple[list[str], list[str]]:
    """Return the owners of an action, and the candidates where it is undecided."""

    def fit(_: Action, chain: Chain) -> bool:
        return str(chain[0].instrument_id) in fitting.split()

    found = belonging([one], chains({one.symbol}, holdings, ()), fits=fit, trade_dates=SESSIONS)
    owned, undecided = ([c[0].instrument_id or "-" for _, c in pairs] for pairs in found)
    return owned, undecided


@pytest.mark.parametrize(
    ("day", "owner"), [(FRIDAY, "A"), (date(2024, 6, 3), "A"), (date(2024, 6, 18), "B")]
)
def test_an_action_is_the_holders_of_its_symbol_on_the_ex_date(day: date, owner: str) -> None:
    """A week around a rename is never two holders'; what fits whom is not even looked at."""
    assert owners(action("AAX", day), fitting="A B") == ([owner], [])


@pytest.mark.parametrize("ex_date", [date(2024, 6, 15), date(2024, 6, 16), MONDAY])
@pytest.mark.parametrize(
    ("fitting", "expected"),
    [
        ("B", (["B"], [])),
        ("A B", (["B"], [])),
        ("A", (["A"], [])),
        ("", ([], ["B", "A"])),
    ],
)
def test_on_the_session_of_a_handover_the_bars_decide(
    ex_date: date, fitting: str, expected: tuple[list[str], list[str]]
) -> None:
    """Between Friday's and Monday's bars: an ex-date on the weekend acts on Monday."""
    assert owners(action("AAX", ex_date), fitting=fitting) == expected


def test_a_symbol_without_a_second_holder_needs_no_proof() -> None:
    alone = (FIRST, FIRST_NOW)
    assert owners(action("AAX", MONDAY), holdings=alone) == (["A"], [])
    assert owners(action("AAXN", MONDAY), holdings=alone) == (["A"], [])
    assert owners(action("AAX", MONDAY + ONE_DAY), holdings=alone) == (["-"], [])
    assert owners(action("AAX", MONDAY), holdings=(SECOND_BEFORE, SECOND)) == (["B"], [])
    assert owners(action("ZZZ", MONDAY)) == (["-"], [])


def test_one_company_that_two_sources_name_needs_no_proof() -> None:
    theirs = Holding("massive", "A", "AAX", MONDAY, OPEN)
    assert owners(action("AAX", MONDAY), holdings=(FIRST, theirs)) == (["A"], [])


@pytest.mark.parametrize(
    ("before", "on", "is_fit"),
    [
        ("100", "25.5", True),
        ("100", "24", True),
        ("100", "51", False),
        ("100", "99", False),
        ("100", "12", False),
        ("100", None, False),
        (None, "25", False),
    ],
)
def test_a_split_fits_where_the_closes_moved_by_its_ratio(
    before: str | None, on: str | None, is_fit: bool
) -> None:
    closes = (None if c is None else Decimal(c) for c in (before, on))
    assert fits(action("AAX", MONDAY), *closes) is is_fit


def test_a_reverse_split_fits_like_its_inverse() -> None:
    back = Action("csv", "AAX", MONDAY, "split", Decimal(10), Decimal(1))
    assert fits(back, Decimal("0.5"), Decimal("5.2"))
    assert not fits(back, Decimal("0.5"), Decimal("0.51"))


def test_a_ratio_that_a_price_may_move_by_in_a_session_proves_nothing() -> None:
    tiny = Action("csv", "AAX", MONDAY, "stock_dividend", Decimal(20), Decimal(21))
    assert not fits(tiny, Decimal(21), Decimal(20))
    assert not fits(tiny, Decimal(21), Decimal(21))


@pytest.mark.parametrize(
    ("cash", "currency", "kind", "is_fit"),
    [
        ("1", "USD", "cash_dividend", True),
        ("99.99", "USD", "cash_dividend", True),
        ("100", "USD", "cash_dividend", False),
        ("1", "EUR", "cash_dividend", False),
        ("1", "USD", "spin_off", False),
    ],
)
def test_cash_fits_where_it_is_less_than_the_close(
    cash: str, currency: str, kind: str, is_fit: bool
) -> None:
    paid = Action("csv", "AAX", MONDAY, kind, cash=Decimal(cash), currency=currency)
    assert fits(paid, Decimal(100), Decimal(98)) is is_fit


def test_the_share_issue_of_google_was_the_old_holders() -> None:
    """Published closes: GOOG 1135.10 on 2014-04-02; GOOGL 571.50 and GOOG 569.74 on 04-03.

    The vendors date the split of class A, GOOG until then, on the day on which class C took GOOG.
    Class C had traded as GOOCV for days, near 567.
    """
    day = date(2014, 4, 3)
    split = Action("massive", "GOOG", day, "split", Decimal(1000), Decimal(2002))
    held = (
        Holding("csv", "class A", "GOOG", date(2004, 8, 19), day),
        Holding("csv", "class A", "GOOGL", day, OPEN),
        Holding("csv", "class C", "GOOCV", date(2014, 3, 27), day),
        Holding("csv", "class C", "GOOG", day, OPEN),
    )
    closes = {"class A": ("1135.10", "571.50"), "class C": ("567.00", "569.74")}
    owned, undecided = belonging(
        [split],
        chains(["GOOG"], held, ()),
        fits=lambda a, c: fits(a, *map(Decimal, closes[str(c[0].instrument_id)])),
        trade_dates=[date(2014, 4, 2), day],
    )
    assert [c[0].instrument_id for _, c in owned] == ["class A"]
    assert undecided == ()


NAMES = st.sampled_from(["AAX", "AAXN", "BBB", "ZZZ"])


@given(st.lists(st.builds(action, NAMES, st.sampled_from(SESSIONS)), max_size=9), st.sets(NAMES))
def test_no_action_is_ever_owned_twice(actions: list[Action], fitting: set[str]) -> None:
    owned, undecided = belonging(
        actions,
        chains({"AAX", "AAXN", "BBB", "ZZZ"}, HOLDINGS, ()),
        fits=lambda _, chain: chain[-1].symbol in fitting,
        trade_dates=SESSIONS,
    )
    assert len(owned) + len(undecided) / 2 == len(actions)
    assert not {a for a, _ in owned} & {a for a, _ in undecided}


@given(st.integers(2, 60), st.integers(1, 400), st.fractions("0.9", "1.1"))
def test_a_clean_split_fits_whatever_the_days_move(ratio: int, cents: int, move: Fraction) -> None:
    """A second formula: the nearer of 1 and 1 / ratio, on the scale of logarithms."""
    before = Decimal(cents * ratio) / 100
    on = Decimal(round(before / ratio * move.numerator / move.denominator, 6))
    one = Action("csv", "AAX", MONDAY, "split", Decimal(1), Decimal(ratio))
    assert fits(one, before, on)
    assert not fits(one, before, before)
