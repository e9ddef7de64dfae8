"""Laws of reference data: factor files give their actions back, bundles their values."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ingot.connectors.lean.bundle import Line
from ingot.connectors.lean.factors import read_actions
from ingot.connectors.reference.rows import ActionRow, Good
from ingot.connectors.transport.http import response_bundle
from ingot.connectors.transport.http.redaction import Redactor
from ingot.connectors.transport.http.response_bundle import Query

RATIOS = [(2, 1), (3, 2), (7, 1), (4, 1), (1, 10), (1, 8), (20, 1), (5, 4)]
Step = tuple[int, tuple[int, int] | None, int, int]

steps = st.lists(
    st.tuples(
        st.integers(1, 400),
        st.one_of(st.none(), st.sampled_from(RATIOS)),
        st.integers(1, 300),
        st.integers(2_000, 60_000),
    ),
    min_size=1,
    max_size=12,
)


def factor_file(found: list[Step]) -> list[Line]:
    """Return a factor file as LEAN writes it: factors rounded to seven decimals, backwards."""
    day, price, split = date(2020, 1, 1), Fraction(1), Fraction(1)
    lines = [("20501231", "1", "1", "0")]
    for days, ratio, cents, close_cents in found:
        day -= timedelta(days=days)
        if ratio is None:
            price *= 1 - Fraction(cents, close_cents)
        else:
            split *= Fraction(ratio[1], ratio[0])
        shown = (f"{day:%Y%m%d}", rounded(price), rounded(split), str(Decimal(close_cents) / 100))
        lines.insert(0, shown)
    return [Line(n, ",".join(parts), parts) for n, parts in enumerate(lines, start=1)]


def rounded(value: Fraction) -> str:
    exact = Decimal(value.numerator) / Decimal(value.denominator)
    return str(exact.quantize(Decimal("1e-7"), rounding=ROUND_HALF_EVEN))


@settings(max_examples=60)
@given(steps)
def test_a_factor_file_s_actions_rebuild_its_factors(found: list[Step]) -> None:
    lines = factor_file(found)
    assume(all(Decimal(factor) > 0 for line in lines for factor in line.parts[1:3]))
    rows = list(
        read_actions(lines, [], permanent="A", next_session=lambda day: day + timedelta(days=1))
    )
    actions = [item.row for item in rows if isinstance(item, Good)]
    assert len(actions) == len(rows)
    dates = [(date.fromisoformat(p[0]), p) for p in (line.parts for line in lines)]
    for day, (_, price, split, _) in dates:
        built_price, built_split = Fraction(1), Fraction(1)
        for action in actions:
            assert isinstance(action, ActionRow)
            if action.ex_date <= day:
                continue
            if action.cash is None:
                assert action.ratio_from is not None
                assert action.ratio_to is not None
                built_split *= Fraction(action.ratio_from) / Fraction(action.ratio_to)
            else:
                close = next(p[3] for d, p in dates if d + timedelta(days=1) == action.ex_date)
                built_price *= 1 - Fraction(action.cash) / Fraction(close)
        assert abs(built_split - Fraction(split)) <= Fraction(5, 10**7)
        assert abs(built_price - Fraction(price)) <= Fraction(5, 10**7)


numbers = st.one_of(
    st.integers(-(10**18), 10**18),
    st.decimals(allow_nan=False, allow_infinity=False, places=6).filter(lambda d: "." in str(d)),
)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, st.text(max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=40)
@given(st.lists(st.dictionaries(st.text(max_size=4), values, max_size=4), max_size=4))
def test_a_bundle_gives_any_rows_back(rows: list[dict[str, Any]]) -> None:
    class Blind(Redactor):
        def text(self, text: str) -> str:
            return text

    content = response_bundle.write([Query("q", tuple(rows))], Blind())
    assert response_bundle.read(content, "key") == [Query("q", tuple(rows))]
