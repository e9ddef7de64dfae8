"""The rule that holds a version far smaller than what came before (SEMANTICS 1)."""

from __future__ import annotations

from itertools import permutations
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingot.config import Settings
from ingot.quality.checks.hold_limits import judge, too_many_refused

SETTINGS = Settings()


def verdict(
    rows: int,
    symbols: int = 100,
    *,
    previous: tuple[int, int] | None = None,
    earlier_rows: tuple[int, ...] = (),
    settings: Settings = SETTINGS,
) -> str | None:
    return judge(rows, symbols, previous=previous, earlier_rows=earlier_rows, settings=settings)


@pytest.mark.parametrize(
    ("rows", "symbols", "held"),
    [(900, 90, False), (899, 100, True), (1000, 89, True), (2000, 200, False), (0, 0, True)],
)
def test_a_version_is_held_under_90_percent_of_the_rows_or_symbols_before(
    rows: int, symbols: int, *, held: bool
) -> None:
    assert (verdict(rows, symbols, previous=(1000, 100)) is not None) is held


def test_the_reason_names_numbers_share_and_limit() -> None:
    assert verdict(1_200, previous=(1_957_000, 100)) == (
        "it has 1,200 rows, 0.0 % of the 1,957,000 of the version before (held below 90 %)"
    )
    assert verdict(1000, 89, previous=(1000, 100)) == (
        "it has 89 symbols, 89.0 % of the 100 of the version before (held below 90 %)"
    )
    assert verdict(499, earlier_rows=(1000,) * 5) == (
        "it has 499 rows, 49.9 % of the median 1,000 of the 5 trade dates before (held below 50 %)"
    )


def test_a_share_just_below_the_limit_does_not_read_as_the_limit() -> None:
    reason = verdict(8_999_999, previous=(10_000_000, 100))
    assert reason is not None
    assert "89.9 %" in reason


def test_after_a_version_before_the_median_does_not_count() -> None:
    assert verdict(100, previous=(100, 100), earlier_rows=(1000,) * 20) is None


@pytest.mark.parametrize(("rows", "held"), [(500, False), (499, True), (0, True)])
def test_a_first_version_is_held_under_half_of_the_median(rows: int, *, held: bool) -> None:
    for earlier in permutations((10, 900, 1000, 1100, 9000)):
        assert (verdict(rows, earlier_rows=earlier) is not None) is held


def test_the_median_needs_five_trade_dates() -> None:
    assert verdict(1, earlier_rows=(1000,) * 4) is None
    assert verdict(1, earlier_rows=(1000,) * 5) is not None


def test_only_the_latest_twenty_trade_dates_count() -> None:
    assert verdict(499, earlier_rows=(100,) * 100 + (1000,) * 20) is not None
    assert verdict(499, earlier_rows=(1000,) * 100 + (100,) * 20) is None


def test_a_first_version_is_not_judged_by_symbols() -> None:
    assert verdict(1000, symbols=1, earlier_rows=(1000,) * 20) is None


def test_nothing_follows_from_an_empty_version_before() -> None:
    assert verdict(0, 0, previous=(0, 0)) is None
    assert verdict(0, earlier_rows=(0,) * 20) is None


def test_the_limits_are_settings() -> None:
    strict = Settings(hold_below_previous_pct=99.5, hold_below_median_pct=100, hold_median_days=6)
    assert verdict(994, previous=(1000, 100), settings=strict) is not None
    assert verdict(995, previous=(1000, 100), settings=strict) is None
    assert verdict(999, earlier_rows=(1,) * 9 + (1000,) * 6, settings=strict) is not None
    never = Settings(hold_below_previous_pct=0, hold_below_median_pct=0)
    assert verdict(0, 0, previous=(1000, 100), settings=never) is None
    assert verdict(0, earlier_rows=(1000,) * 20, settings=never) is None


@given(rows=st.integers(0, 2000), earlier=st.lists(st.integers(0, 2000), min_size=5, max_size=20))
def test_a_larger_version_is_never_held_where_a_smaller_one_is_not(
    rows: int, earlier: list[int]
) -> None:
    held = verdict(rows, earlier_rows=tuple(earlier)) is not None
    assert held == (rows < median(earlier) / 2)
    if not held:
        assert verdict(rows + 1, earlier_rows=tuple(earlier)) is None


@pytest.mark.parametrize(("refused", "held"), [(10, False), (11, True), (1000, True)])
def test_a_version_is_held_when_more_than_a_hundredth_of_its_rows_are_refused(
    refused: int, *, held: bool
) -> None:
    assert (too_many_refused(1000, {"a_rule": refused}, limit_pct=1.0) is not None) is held


def test_refusals_of_both_layers_count_together_and_the_commonest_rule_is_named() -> None:
    assert too_many_refused(1000, {"bad_symbol": 5, "low_is_lowest": 7}, limit_pct=1.0) == (
        "12 of its 1,000 rows (1.2 %) would be refused, most by the rule low_is_lowest "
        "(held above 1 %)"
    )
    assert too_many_refused(1000, {}, limit_pct=0.0) is None
