"""A file refused for its bad rows can be accepted; one that cannot be read can be rejected."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from polars.testing import assert_frame_equal

from ingot.app.operate.records import decide
from ingot.errors import QueryError
from tests.support.world import MINUTES, MONDAY, World, at

if TYPE_CHECKING:
    from pathlib import Path

ONE_DAY = timedelta(days=1)


def refused(world: World) -> str:
    """Return the id of the version that was refused."""
    parts = world.parts(at(2))
    ids = [
        s.landing.landing_id
        for s in parts.ledger.states("massive", MINUTES)
        if str(s.outcome) == "refused"
    ]
    parts.close()
    assert len(ids) == 1
    return str(ids[0])


@pytest.mark.services
def test_the_good_rows_of_an_accepted_file_are_known_from_its_acceptance(tmp_path: Path) -> None:
    world = World(
        tmp_path,
        end=MONDAY + ONE_DAY,
        datasets=(MINUTES,),
        environ={"INGOT_QUARANTINE_LIMIT_PCT": "0.0001"},
    )
    world.publish(1, defects={MONDAY: {"inf_value"}})
    assert world.backfill(at(1)).exit_code == 3
    parts = world.parts(at(3))
    decide(parts, "accept", refused(world))
    parts.close()
    assert world.backfill(at(4)).exit_code == 0
    assert_frame_equal(world.held(at(9), MONDAY, at(3)), world.published(1, MONDAY))
    assert world.held(at(9), MONDAY, at(2)).is_empty()
    assert world.backfill(at(5)).days == ()


def test_a_torn_file_cannot_be_accepted_but_rejected(tmp_path: Path) -> None:
    world = World(tmp_path, end=MONDAY + ONE_DAY, datasets=(MINUTES,))
    world.publish(1, defects={MONDAY: {"truncated_gzip"}})
    assert world.backfill(at(1)).exit_code == 3
    parts = world.parts(at(3))
    with pytest.raises(QueryError, match="cannot be accepted: it cannot be read"):
        decide(parts, "accept", refused(world))
    decide(parts, "reject", refused(world))
    parts.close()
    assert world.backfill(at(4)).exit_code == 0
