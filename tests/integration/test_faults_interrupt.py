"""Ctrl-C at the real command line, and at every step of a load.

What is expected of the resumed lake is a load that nothing disturbed.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from random import Random
from typing import TYPE_CHECKING

import pytest

from tests.support.children import TUESDAY, Counting, publish, small_world
from tests.support.world import MONDAY, World, at

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[World, int]:
    """Return a world that was loaded undisturbed, and how many durable steps that took."""
    world, counting = small_world(tmp_path_factory.mktemp("undisturbed")), Counting()
    publish(world, 1)
    world.backfill(at(1), boundary=counting)
    return world, len(counting.seen)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Return a world of which the first stage is published."""
    world = small_world(tmp_path)
    publish(world, 1)
    return world


def loading(world: World, *options: str) -> list[str]:
    """Return the command that loads what `World.backfill` does."""
    ingot = (sys.executable, "-m", "ingot", "--lake", str(world.root), "--now", at(1).isoformat())
    datasets = [word for name in world.datasets for word in ("--dataset", name)]
    span = ("--from", str(MONDAY), "--to", str(TUESDAY))
    source = ("--source", str(world.tree))
    return [*ingot, "backfill", "massive", *source, *span, *datasets, *options]


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.services)],
)
def test_a_signal_ends_a_backfill_with_one_line_and_nothing_half_done(
    world: World, undisturbed: tuple[World, int], number: int, code: int
) -> None:
    world.parts(at(1)).close()
    child = subprocess.Popen(
        loading(world, "--strategy", "parallel"), stderr=subprocess.PIPE, text=True
    )
    with child:
        assert child.stderr is not None
        told = read_until(child.stderr, "to silver")
        child.send_signal(number)
        told += child.stderr.readlines()
    assert child.returncode == code
    assert sorted((world.root / "landing" / "tmp").iterdir()) == []
    assert told[-1].startswith("ingot: interrupted;")
    assert "run the command again" in told[-1]
    assert not any("Traceback" in text for text in told)

    world.backfill(at(1))
    assert sorted((world.root / "landing" / "tmp").iterdir()) == []
    assert world.fingerprints(at(20)) == undisturbed[0].fingerprints(at(20))


def read_until(lines: Iterator[str], part: str) -> list[str]:
    """Return the lines up to the first that holds `part`."""
    read = []
    for line in lines:
        read.append(line)
        if part in line:
            return read
    raise AssertionError(f"no line held {part!r}: {read}")


class Interrupting:
    """A boundary at whose n-th point the user presses Ctrl-C."""

    def __init__(self, at: int) -> None:
        self._left = at

    def __call__(self, point: str) -> None:
        del point
        self._left -= 1
        if self._left == 0:
            raise KeyboardInterrupt("the user pressed Ctrl-C")


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(n, marks=pytest.mark.services) for n in range(1, 20))]
)
def test_an_interrupt_at_any_step_leaves_a_lake_that_loads_on(
    world: World, undisturbed: tuple[World, int], seed: int
) -> None:
    random = Random(seed)
    strategy = random.choice(["sequential", "parallel"])
    boundary = Interrupting(random.randint(1, undisturbed[1]))
    with pytest.raises(KeyboardInterrupt, match="pressed Ctrl-C"):
        world.backfill(at(1), boundary=boundary, strategy=strategy)
    assert world.backfill(at(1)).exit_code == 0
    assert world.fingerprints(at(20)) == undisturbed[0].fingerprints(at(20))
