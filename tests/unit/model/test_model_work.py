"""Names of units and scopes."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from datetime import UTC, date, datetime

import pytest

from ingot.model.landing import Outcome
from ingot.model.unit import Done, Scope, Unit

MINUTES = "us_stocks_sip/minute_aggs_v1"
SCOPE = Scope("massive", MINUTES, date(2025, 6, 2), date(2025, 6, 3))


def test_a_scope_is_labelled_by_source_dataset_and_first_day() -> None:
    assert SCOPE.label == "massive/us_stocks_sip.minute_aggs_v1/2025-06-02"


def test_a_scope_of_everything_has_a_label_too() -> None:
    assert Scope("", "", date(2025, 1, 1), date(2026, 1, 1)).label == "all/all/2025-01-01"


def test_a_label_is_a_relative_path_of_three_parts() -> None:
    assert len(SCOPE.label.split("/")) == 3
    assert not SCOPE.label.startswith("/")


def test_a_unit_is_named_by_scope_and_digest() -> None:
    unit = Unit("silver.minute_bars", SCOPE, "0123456789abcdef")
    assert unit.name == "massive/us_stocks_sip.minute_aggs_v1/2025-06-02/0123456789abcdef"
    assert unit.name == Unit("silver.minute_bars", SCOPE, "0123456789abcdef").name
    assert unit.name != Unit("silver.minute_bars", SCOPE, "0123456789abcdee").name


def test_scopes_of_one_table_are_sorted_by_source_dataset_and_day() -> None:
    later = Scope("massive", MINUTES, date(2025, 6, 3), date(2025, 6, 4))
    options = Scope("massive", "us_options_opra/minute_aggs_v1", SCOPE.start, SCOPE.end)
    versions = [Scope("massive", MINUTES, date(2025, 6, 3), date(2025, 6, 4), i) for i in (7, 5)]
    assert sorted([later, SCOPE, options]) == [options, SCOPE, later]
    assert sorted(versions) == versions[::-1]


def test_a_done_record_cannot_be_changed() -> None:
    at = datetime(2025, 6, 3, tzinfo=UTC)
    done = Done(Unit("t", SCOPE, "00"), Outcome.DONE, "run", at, at, None)
    assert (done.rows_in, done.landing_ids, dict(done.details)) == (0, (), {})
    with pytest.raises(FrozenInstanceError, match="cannot assign to field 'rows_in'"):
        done.rows_in = 1  # type: ignore[misc]  # frozen: that is the test
