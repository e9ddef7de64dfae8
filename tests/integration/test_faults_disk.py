"""The disk fills up, or the catalog's reply is lost, at every kind of durable step of a load.

What is expected is a load that nothing disturbed; the steps are named by the load itself.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from ingot.errors import CommitStateUnknownError, IngotError, StorageFullError
from tests.support.children import Counting, publish, small_world
from tests.support.world import World, at

if TYPE_CHECKING:
    from pathlib import Path

    from ingot.storage.fs.fault_points import Boundary

STEPS = (
    "file.",
    "object.",
    "versions.",
    "quarantine.",
    "data.",
    "metadata.",
    "commit.before_send",
    "units.",
)
"""What is written; most have several points, before and after write, link and sync."""


@dataclass
class Undisturbed:
    """A load that nothing disturbed."""

    points: list[str]
    fingerprints: dict[str, str]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """Load the first stage."""
    world, counting = small_world(tmp_path_factory.mktemp("undisturbed")), Counting()
    publish(world, 1)
    assert world.backfill(at(1), boundary=counting).exit_code == 0
    return Undisturbed(counting.seen, world.fingerprints(at(20)))


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Return a world of which the first stage is published."""
    world = small_world(tmp_path)
    publish(world, 1)
    return world


@dataclass
class Full:
    """A disk that is full from the first time that a point is reached."""

    since: str
    is_full: bool = False

    def __call__(self, point: str) -> None:
        self.is_full = self.is_full or point == self.since
        reads = point in {"commit.before_load", "commit.after_send"}
        if self.is_full and not reads:
            raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(
    "step",
    [s if n % 2 == 0 else pytest.param(s, marks=pytest.mark.services) for n, s in enumerate(STEPS)],
)
def test_a_disk_that_fills_up_ends_the_load_and_the_next_goes_on(
    world: World, undisturbed: Undisturbed, step: str
) -> None:
    disks = [Full(p) for p in dict.fromkeys(undisturbed.points) if p.startswith(step)]
    for disk in disks:
        errors = errors_of(world, disk)
        if disk.is_full:  # else the last attempt had come past this point
            assert {type(error) for error in errors} == {StorageFullError}, disk
            assert all("Free some space and run the command again" in str(e) for e in errors)
            assert {error.exit_code for error in errors} == {4}
    assert disks[0].is_full
    assert world.backfill(at(1)).exit_code == 0
    assert world.fingerprints(at(20)) == undisturbed.fingerprints


def errors_of(world: World, boundary: Boundary) -> list[IngotError]:
    """Return the errors that a disturbed load raised or reported."""
    try:
        report = world.backfill(at(1), boundary=boundary)
    except IngotError as error:
        return [error]
    return [*report.errors, *(day.error for day in report.days if day.error is not None)]


@dataclass
class Unreachable:
    """A catalog that cannot be reached from some points on, up to a number of times each."""

    points: frozenset[str]
    times: int
    told: dict[str, int] = field(default_factory=dict)

    def __call__(self, point: str) -> None:
        if point not in self.points:
            return
        self.told[point] = self.told.get(point, 0) + 1
        if self.told[point] <= self.times:
            raise ConnectionError("connection reset by peer")


@pytest.mark.parametrize("lost", ["commit.before_send", "commit.after_send"])
def test_a_commit_whose_request_or_reply_is_lost_is_made_once(
    world: World, undisturbed: Undisturbed, lost: str
) -> None:
    unreachable = Unreachable(frozenset({lost}), times=2)
    assert world.backfill(at(1), boundary=unreachable).exit_code == 0
    assert unreachable.told[lost] > 2
    assert world.fingerprints(at(20)) == undisturbed.fingerprints


def test_an_outcome_that_cannot_be_read_back_says_so_and_is_found_by_the_next_load(
    world: World, undisturbed: Undisturbed
) -> None:
    world.ingest(at(1))

    class LostForGood(Unreachable):
        def __call__(self, point: str) -> None:
            if self.told or point == "commit.after_send":
                super().__call__(point)

    lost = LostForGood(frozenset({"commit.after_send", "commit.before_load"}), times=1000)
    errors = errors_of(world, lost)
    assert CommitStateUnknownError in {type(error) for error in errors}
    assert any("what landed is found and not loaded twice" in str(error) for error in errors)
    assert world.backfill(at(1)).exit_code == 0
    assert world.fingerprints(at(20)) == undisturbed.fingerprints
