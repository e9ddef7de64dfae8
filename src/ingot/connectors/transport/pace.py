"""How fast bytes arrive: a transfer that hardly moves is broken off, one that moves is not."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

WINDOW_S: Final = 60.0


class Pace:
    """Counts the bytes of each minute."""

    def __init__(
        self, least_bytes_per_s: int, *, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._least = least_bytes_per_s * WINDOW_S
        self._now = now
        self._began = now()
        self._bytes = 0

    def is_too_slow(self, count: int) -> bool:
        """Count bytes that arrived; return True if the last whole minute brought too few."""
        self._bytes += count
        if self._now() - self._began < WINDOW_S:
            return False
        slow = self._bytes < self._least
        self._began, self._bytes = self._now(), 0
        return slow
