"""The vendor's folder goes away, changes under the copy or cannot be read, in mid-load.

What is expected is the vendor's own bytes, and a load that nothing disturbed.
"""

from __future__ import annotations

import os
import shutil
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest
from polars.testing import assert_frame_equal

from ingot.app.context.report import Result
from ingot.app.pipeline import backfill
from ingot.errors import ConfigError, NotPublishedError, SourceUnavailableError
from ingot.model.progress import StepAdvanced
from tests.support.children import TUESDAY, small_world
from tests.support.world import MINUTES, MONDAY, World, at

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ingot.app.context.report import LoadReport
    from ingot.model.progress import ProgressEvent


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Return a world of which the first stage is published."""
    world = small_world(tmp_path)
    world.publish(1)
    return world


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return what a lake holds whose load nothing disturbed."""
    world = small_world(tmp_path_factory.mktemp("undisturbed"))
    world.publish(1)
    world.backfill(at(1))
    return world.fingerprints(at(20))


def monday_minutes(world: World) -> Path:
    return world.tree / MINUTES / "2025" / "06" / f"{MONDAY}.csv.gz"


def backfill_while(world: World, disturb: Callable[[], object]) -> LoadReport:
    """Load the first stage; when its first bytes have arrived, something happens to the source."""
    told: list[ProgressEvent] = []

    def progress(event: ProgressEvent) -> None:
        if isinstance(event, StepAdvanced) and event.step.endswith("to landing") and not told:
            told.append(event)
            disturb()

    parts = world.parts(at(1))
    try:
        return backfill.backfill(parts, world.request(), progress=progress)
    finally:
        parts.close()


def test_a_source_that_is_not_there_is_a_wrong_setting(world: World) -> None:
    shutil.move(world.tree, world.folder / "unmounted")
    report = world.backfill(at(1))
    assert {type(error) for error in report.errors} == {ConfigError}
    assert report.exit_code == 2


def test_a_source_that_goes_away_under_the_load_is_loaded_when_it_is_back(
    world: World, undisturbed: dict[str, str]
) -> None:
    unmounted = world.folder / "unmounted"
    report = backfill_while(world, lambda: shutil.move(world.tree, unmounted))
    failed = report.of(Result.FAILED)
    assert {type(day.error) for day in failed} == {NotPublishedError}
    assert all("was listed but is gone" in day.advice for day in failed)
    assert report.exit_code == 4

    shutil.move(unmounted, world.tree)
    assert world.backfill(at(1)).exit_code == 0
    assert world.fingerprints(at(20)) == undisturbed


@pytest.mark.services
def test_a_file_that_is_replaced_under_the_copy_lands_whole(world: World) -> None:
    before = digests(world)
    backfill_while(world, lambda: world.publish(2))
    after = digests(world)
    assert set(landed(world).values()) <= set(before.values()) | set(after.values())

    world.backfill(at(2))
    assert landed(world) == after
    for day in (MONDAY, TUESDAY):
        assert_frame_equal(world.held(at(9), day, None), world.published(2, day))


def digests(world: World) -> dict[str, str]:
    """Return the SHA-256 of each file that the vendor has, by its key."""
    files = (path for name in world.datasets for path in (world.tree / name).rglob("*.gz"))
    return {str(f.relative_to(world.tree)): sha256(f.read_bytes()).hexdigest() for f in files}


def landed(world: World) -> dict[str, str]:
    """Return the SHA-256 of each key's latest version, as its bytes in the lake have it."""
    parts = world.parts(at(20))
    states = [s for name in world.datasets for s in parts.ledger.states("massive", name)]
    found = {s.landing.key: parts.ledger.object_path(s.landing.sha256) for s in states}
    parts.close()
    return {key: sha256(path.read_bytes()).hexdigest() for key, path in found.items()}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_may_not_be_read_fails_alone_until_it_may(
    world: World, undisturbed: dict[str, str]
) -> None:
    monday_minutes(world).chmod(0o000)
    report = world.backfill(at(1))
    (failed,) = report.of(Result.FAILED)
    assert (failed.dataset, failed.date) == (MINUTES, MONDAY)
    assert isinstance(failed.error, SourceUnavailableError)
    assert "Permission denied" in failed.advice
    assert report.exit_code == 4

    monday_minutes(world).chmod(0o644)
    assert world.backfill(at(1)).exit_code == 0
    assert world.fingerprints(at(20)) == undisturbed
