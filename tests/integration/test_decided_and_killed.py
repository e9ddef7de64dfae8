"""A person's decision, and a process that dies at any step of keeping it.

What is expected of ops.landings is the decision record itself, which the landing store has or not.
"""

from __future__ import annotations

import shutil
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from ingot.app.operate.records import decide
from ingot.errors import QueryError
from tests.support.children import Counting
from tests.support.world import MINUTES, MONDAY, World, at

if TYPE_CHECKING:
    from pathlib import Path


class Killed(BaseException):
    """Stands for the end of the process: nothing handles it."""


class Killing:
    """A boundary at whose n-th point the process is gone."""

    def __init__(self, n: int) -> None:
        self._left = n

    def __call__(self, point: str) -> None:
        self._left -= 1
        if self._left == 0:
            raise Killed(point)


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory) -> tuple[World, str]:
    """Return a lake with a version that was refused for its bad rows, and the version's id."""
    world = World(
        tmp_path_factory.mktemp("refused"),
        symbols=20,
        end=MONDAY + timedelta(days=1),
        datasets=(MINUTES,),
        environ={"INGOT_QUARANTINE_LIMIT_PCT": "0.0001"},
    )
    world.publish(1, defects={MONDAY: {"inf_value"}})
    assert world.ingest(at(1)).exit_code == 3
    parts = world.parts(at(2))
    (state,) = parts.ledger.states("massive", MINUTES)
    parts.close()
    return world, str(state.landing.landing_id)


def copied(world: World, folder: Path) -> World:
    shutil.copytree(world.root, folder / "lake")
    return World(folder, datasets=world.datasets, environ=world.environ)


def shown(world: World) -> set[str | None]:
    """Return the statuses that somebody reads who asks for the minutes' versions by SQL."""
    with world.lake(at(9)) as lake:
        text = f"SELECT status FROM ops.landings WHERE dataset = '{MINUTES}'"
        return set(lake.sql(text).to_arrow()["status"].to_pylist())


@pytest.mark.services
def test_a_decision_is_shown_by_the_next_read_wherever_its_process_died(
    refused: tuple[World, str], tmp_path: Path
) -> None:
    counting = Counting()
    world = copied(refused[0], tmp_path / "undisturbed")
    decide(world.parts(at(3), boundary=counting), "accept", refused[1])
    for n in range(1, len(counting.seen) + 1, 4):
        world = copied(refused[0], tmp_path / str(n))
        with pytest.raises(Killed, match=counting.seen[n - 1]):
            decide(world.parts(at(3), boundary=Killing(n)), "accept", refused[1])
        kept = list((world.root / "landing" / "decisions").rglob("*.json"))
        assert shown(world) == ({"accepted"} if kept else {"refused"}), counting.seen[n - 1]


def test_a_decision_that_is_made_again_is_the_same_and_another_one_is_refused(
    refused: tuple[World, str], tmp_path: Path
) -> None:
    world = copied(refused[0], tmp_path)
    parts = world.parts(at(3))
    first = decide(parts, "accept", refused[1])
    assert decide(parts, "accept", refused[1]) == first
    with pytest.raises(QueryError, match="a decision is made once"):
        decide(parts, "reject", refused[1])
    parts.close()
    assert shown(world) == {"accepted"}
