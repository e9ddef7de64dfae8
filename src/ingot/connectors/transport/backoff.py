"""How long to wait before trying again."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential waits with jitter, bounded in number and length.

    The n-th wait is between half of and the whole of `first_s * 2 ** (n - 1)`, never above
    `longest_s`: clients that failed together do not come back together.
    """

    attempts: int = 6
    """How often one thing is tried, the first time included."""
    first_s: float = 0.5
    longest_s: float = 30.0
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = field(default=random.SystemRandom().random)
    """Returns a number in [0, 1)."""

    def delay_s(self, failures: int) -> float:
        """Return the wait after `failures` failures (from 1), in seconds.

        >>> Backoff(first_s=1.0, longest_s=5.0, jitter=lambda: 0.5).delay_s(2)
        1.5
        """
        whole = min(self.longest_s, self.first_s * 2.0 ** min(failures - 1, 30))
        return whole * (0.5 + 0.5 * self.jitter())

    def is_spent(self, failures: int) -> bool:
        """Return True if `failures` failures are all that are allowed."""
        return failures >= self.attempts

    def wait(self, failures: int) -> None:
        """Sleep for `delay_s`."""
        self.sleep(self.delay_s(failures))
