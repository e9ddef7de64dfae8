"""The lake that the examples of docstrings run on."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.world import World, at

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ingot import Lake


_FRONT = ("ingot.app.lake", "ingot.app.operations", "ingot.query.result.answer")


@pytest.fixture(scope="session")
def example_lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Lake, Path]]:
    """Yield a small simulated lake, loaded from two days of a vendor's files, and the files."""
    world = World(tmp_path_factory.mktemp("examples"), end=date(2025, 6, 4), symbols=20)
    world.publish()
    world.backfill(at(1))
    with world.lake(at(1)) as lake:
        yield lake, world.tree


@pytest.fixture(autouse=True)
def examples(request: pytest.FixtureRequest, doctest_namespace: dict[str, Any]) -> None:
    """Give the examples of the front door their lake, its vendor and an empty folder."""
    if isinstance(request.node, pytest.DoctestItem) and request.node.name.startswith(_FRONT):
        lake, vendor = request.getfixturevalue("example_lake")
        folder = request.getfixturevalue("tmp_path")
        doctest_namespace.update(lake=lake, vendor=vendor, folder=folder)
