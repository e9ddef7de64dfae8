"""Who may look into a lake."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from ingot.app.context.lake_context import init

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def _open_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("is_there", [True, False])
def test_a_new_lake_is_closed_to_other_users(tmp_path: Path, *, is_there: bool) -> None:
    lake = tmp_path / "lake"
    if is_there:
        lake.mkdir()
    assert init(lake)
    assert mode(lake) == 0o700


def test_a_lake_that_its_owner_opened_to_a_group_stays_open(tmp_path: Path) -> None:
    init(tmp_path / "lake")
    (tmp_path / "lake").chmod(0o750)
    assert not init(tmp_path / "lake")
    assert mode(tmp_path / "lake") == 0o750
