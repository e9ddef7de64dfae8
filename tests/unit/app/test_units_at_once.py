"""How many units are made at once, and with how many threads each."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingot.app.context.resources import Profile, look
from ingot.app.refine.executor import for_units


def profile(workers: int, threads: int) -> Profile:
    return Profile(
        machine=look(Path()),
        strategy="parallel",
        workers=workers,
        memory_budget_mb=16_000,
        engine_memory_mb=15_700,
        engine_threads=threads,
        commit_days=25,
        commit_seconds=60,
        why="as requested",
    )


@pytest.mark.parametrize(
    ("workers", "threads", "budget_mb", "expected"),
    [
        (8, 8, None, (2, 4)),
        (3, 2, None, (2, 1)),
        (1, 2, None, (1, 2)),
        (8, 8, 512, (1, 8)),
        (8, 8, 8192, (8, 1)),
    ],
)
def test_units_at_once_take_a_gigabyte_unless_the_settings_allow_more(
    workers: int, threads: int, budget_mb: int | None, expected: tuple[int, int]
) -> None:
    found = for_units(profile(workers, threads), budget_mb)
    assert (found.workers, found.engine_threads) == expected
