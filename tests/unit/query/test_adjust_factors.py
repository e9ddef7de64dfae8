"""Factors of corporate actions against a second formula in exact fractions."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from math import isclose

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingot.errors import QueryError
from ingot.query.requests.adjustment import (
    SCALED_RAW,
    SPLIT,
    TOTAL_RETURN,
    Action,
    Adjusted,
    Closes,
    adjust,
    applying,
    refuse_unapplied,
)
from ingot.query.requests.symbology import Segment
from tests.support.factors import factor_on

ONE_DAY = timedelta(days=1)
FIRST = date(2020, 1, 1)
EX = date(2020, 6, 1)
LAST = date(2021, 1, 1)
WHOLE = (Segment("A", "A", date.min, date.max),)
CENT = Decimal("0.01")


def split(
    day: date, old: int | str, new: int | str, source: str = "csv", kind: str = "split"
) -> Action:
    return Action(source, "A", day, kind, Decimal(old), Decimal(new), action_id=f"{old}:{new}")


def cash(day: date, amount: str, *, number: int = 1, **more: str) -> Action:
    values = {"source": "csv", "kind": "cash_dividend", "currency": "USD"} | more
    return Action(
        values["source"],
        "A",
        day,
        values["kind"],
        cash=Decimal(amount),
        currency=values["currency"],
        action_id=str(number),
    )


def priced(before: str | None, on: str | None = None) -> Closes:
    """Return closes that are the same whenever they are asked for."""
    earlier, own = (None if c is None else Decimal(c) for c in (before, on))
    return Closes(lambda *_: earlier, lambda *_: own)


def made(
    *actions: Action,
    basis: str = TOTAL_RETURN,
    formula: str = "standard",
    closes: Closes | None = None,
    sources: tuple[str, ...] = ("csv", "massive"),
) -> Adjusted:
    own = applying(actions, sources)
    return adjust(WHOLE, own, basis=basis, formula=formula, closes=closes or priced("100"))


def price_factor(adjusted: Adjusted, day: date) -> float:
    found = factor_on(adjusted.factors, day)
    assert found is not None
    return found.up / found.down * found.paid


@pytest.mark.parametrize(
    ("old", "new", "before", "after"),
    [(1, 4, 400.0, 100.0), (10, 1, 0.35, 3.5), (2, 3, 9.0, 6.0), (100, 105, 21.0, 20.0)],
)
def test_a_split_moves_prices_before_its_ex_date_and_no_other(
    old: int, new: int, before: float, after: float
) -> None:
    factors = made(split(EX, old, new), basis=SPLIT).factors
    eve, day = factor_on(factors, EX - ONE_DAY), factor_on(factors, EX)
    assert eve is not None
    assert day is not None
    assert before * eve.up / eve.down == after
    assert 6.0 * eve.down / eve.up == 6.0 * new / old
    assert day.is_one


def test_a_split_that_is_no_float_keeps_its_prices_exact() -> None:
    eve = factor_on(made(split(EX, 3, 7), basis=SPLIT).factors, FIRST)
    assert eve is not None
    assert (eve.up, eve.down) == (3.0, 7.0)
    assert 700.0 * eve.up / eve.down == 300.0


def test_splits_and_stock_dividends_of_one_date_multiply() -> None:
    found = made(split(EX, 1, 2), split(EX, 20, 21, kind="stock_dividend"), basis=SPLIT)
    assert isclose(price_factor(found, FIRST), 20 / 42)


def test_one_split_that_a_source_tells_twice_is_one() -> None:
    twice = (split(EX, 1, 2), Action("csv", "A", EX, SPLIT, Decimal(2), Decimal(4), action_id="2"))
    assert price_factor(made(*twice, basis=SPLIT), FIRST) == 0.5


def test_of_two_sources_the_first_of_the_precedence_counts() -> None:
    both = (split(EX, 1, 2, "massive"), split(EX, 1, 3, "csv"))
    assert price_factor(made(*both, basis=SPLIT), FIRST) == 1 / 3
    assert price_factor(made(*both, basis=SPLIT, sources=("massive", "csv")), FIRST) == 1 / 2
    unlisted = (split(EX, 1, 2, "zed"), split(EX, 1, 3, "abc"))
    assert price_factor(made(*unlisted, basis=SPLIT), FIRST) == 1 / 3, "then by name"


def test_equal_splits_of_two_sources_are_counted_once() -> None:
    both = (split(EX, 1, 2, "massive"), split(EX, 1, 2, "csv"))
    assert price_factor(made(*both, basis=SPLIT), FIRST) == 1 / 2


def test_each_kind_has_its_own_source() -> None:
    both = (split(EX, 1, 2, "csv"), cash(EX, "1", source="massive"))
    assert isclose(price_factor(made(*both), FIRST), (1 - 2 / 100) / 2)


def test_a_dividend_is_measured_by_the_close_before() -> None:
    found = made(cash(EX, "2.5"), closes=priced("50"))
    assert price_factor(found, EX - ONE_DAY) == 0.95
    assert price_factor(found, EX) == 1.0


def test_wikis_formula_takes_the_close_of_the_ex_date() -> None:
    found = made(cash(EX, "2"), formula="wiki", closes=priced("50", "48"))
    assert price_factor(found, FIRST) == 48 / 50


def test_a_dividend_changes_no_volume() -> None:
    eve = factor_on(made(cash(EX, "2.5")).factors, FIRST)
    assert eve is not None
    assert (eve.up, eve.down) == (1.0, 1.0)


def test_two_dividends_of_one_date_are_summed_even_when_equal() -> None:
    regular_and_special = (cash(EX, "1"), cash(EX, "1", number=2))
    assert price_factor(made(*regular_and_special), FIRST) == 0.98
    assert price_factor(made(cash(EX, "1"), cash(EX, "3", number=2)), FIRST) == 0.96


def test_cash_on_the_ex_date_of_a_split_is_per_new_share() -> None:
    """C_prev = 100 for an old share is 25 for a new one; 1 of 25 is 4 %."""
    found = made(split(EX, 1, 4), cash(EX, "1"))
    assert isclose(price_factor(found, FIRST), 0.96 / 4)


def test_basis_split_knows_no_cash() -> None:
    assert price_factor(made(split(EX, 1, 2), cash(EX, "1"), basis=SPLIT), FIRST) == 0.5


@pytest.mark.parametrize(
    "left",
    [
        cash(EX, "1", currency="EUR"),
        cash(EX, "1", kind="spin_off"),
        cash(EX, "1", kind="rights"),
        cash(EX, "1", kind="merger"),
        cash(EX, "100"),
        cash(EX, "250"),
    ],
    ids=lambda a: f"{a.kind} {a.cash} {a.currency}",
)
def test_what_cannot_be_applied_is_named_and_never_guessed(left: Action) -> None:
    found = made(split(FIRST + ONE_DAY, 1, 2), left)
    assert found.unapplied == (left,)
    assert price_factor(found, FIRST) == 0.5
    with pytest.raises(QueryError, match=rf"1 action cannot be applied.*{left.kind}.*of A on"):
        refuse_unapplied(found.unapplied, TOTAL_RETURN)


@pytest.mark.parametrize("formula", ["standard", "wiki"])
def test_a_dividend_without_a_close_is_not_applied(formula: str) -> None:
    found = made(cash(EX, "1"), formula=formula, closes=priced(None))
    assert [a.kind for a in found.unapplied] == ["cash_dividend"]
    assert price_factor(found, FIRST) == 1.0


def test_a_foreign_dividend_leaves_the_dollars_of_its_date_applied() -> None:
    found = made(cash(EX, "1"), cash(EX, "2", number=2, currency="CAD"))
    assert [a.currency for a in found.unapplied] == ["CAD"]
    assert price_factor(found, FIRST) == 0.99


@pytest.mark.parametrize("formula", ["standard", "wiki"])
@pytest.mark.parametrize("amount", ["100", "100.01", "22957"])
def test_cash_of_the_close_before_or_more_is_unapplied_by_either_formula(
    formula: str, amount: str
) -> None:
    found = made(cash(EX, amount), formula=formula, closes=priced("100", "9999999"))
    assert [a.cash for a in found.unapplied] == [Decimal(amount)]
    assert price_factor(found, FIRST) == 1.0


def test_cash_is_compared_with_the_close_of_a_share_after_the_split() -> None:
    """100 for an old share is 25 for each of four new ones: 25 of cash takes all of it."""
    assert made(split(EX, 1, 4), cash(EX, "25")).unapplied
    assert not made(split(EX, 1, 4), cash(EX, "24.99")).unapplied


DAYS = st.integers(1, 300).map(lambda n: FIRST + n * ONE_DAY)
SPLITS = st.builds(split, DAYS, st.integers(1, 30), st.integers(1, 30))
PAID = st.builds(
    lambda day, cents, number: cash(day, str(CENT * cents), number=number),
    DAYS,
    st.integers(1, 900),
    st.integers(1, 9),
)


@given(st.lists(SPLITS | PAID, max_size=8, unique_by=lambda a: (a.ex_date, a.kind, a.action_id)))
def test_any_history_gives_the_product_over_later_dates(actions: list[Action]) -> None:
    """factor(D) = product over ex-dates after D of (1 - sum(cash) r / 100) / r."""
    found = made(*actions)
    total = made(*actions, basis=SCALED_RAW)
    for day in {
        FIRST,
        LAST,
        *(a.ex_date for a in actions),
        *(a.ex_date - ONE_DAY for a in actions),
    }:
        expected = Fraction(1)
        for ex in {a.ex_date for a in actions if a.ex_date > day}:
            of_date = [a for a in actions if a.ex_date == ex]
            ratio = Fraction(1)
            for one in {a.ratio for a in of_date if a.kind == SPLIT}:
                ratio *= one
            paid = sum((Fraction(a.cash) for a in of_date if a.cash is not None), Fraction(0))
            share = paid * ratio / 100
            expected *= (1 - share if share < 1 else 1) / ratio
        assert isclose(price_factor(found, day), expected, rel_tol=1e-13)
        assert price_factor(total, day) == price_factor(found, day), "the last factor is 1"


@given(st.lists(SPLITS | PAID, max_size=6, unique_by=lambda a: (a.ex_date, a.kind, a.action_id)))
def test_factors_do_not_depend_on_the_order_of_actions(actions: list[Action]) -> None:
    assert made(*actions) == made(*reversed(actions))


@given(st.lists(SPLITS, max_size=6), DAYS)
def test_factors_cover_every_date_once(actions: list[Action], day: date) -> None:
    factors = made(*actions, basis=SPLIT).factors
    assert sum(f.start <= day < f.end for f in factors) == 1
    assert (factors[0].start, factors[-1].end) == (date.min, date.max)
