"""How many calls a vendor allows, and waiting until the next one may go."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Final

from ingot.errors import RateLimitedError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MINUTE_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Quota:
    """At most `calls` within any `per_s` seconds."""

    calls: int
    per_s: float


class Gate:
    """Lets a call through when every quota allows it; for several threads at once.

    Args:
        quotas: All of them are kept.
        now: Seconds on a clock that never goes back.
        sleep: Waits so many seconds.
        longest_s: A wait longer than this is an error, such as that for the next day's quota.
    """

    def __init__(
        self,
        quotas: Sequence[Quota],
        *,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        longest_s: float = 10 * MINUTE_S,
    ) -> None:
        self._windows = [(quota, deque[float]()) for quota in quotas]
        self._now = now
        self._sleep = sleep
        self._longest_s = longest_s
        self._lock = Lock()

    def wait(self, doing: str) -> None:
        """Return when the next call may go, and count it.

        Raises:
            RateLimitedError: That is further away than `longest_s`.
        """
        with self._lock:
            while (wait_s := self._wait_s()) > 0:
                if wait_s > self._longest_s:
                    raise RateLimitedError(
                        f"{doing} has to wait {wait_s:.0f} s for the vendor's quota. Run the "
                        "command again then; what arrived so far is kept where it can be.",
                        retry_after_s=wait_s,
                    )
                self._sleep(wait_s)
            for _, calls in self._windows:
                calls.append(self._now())

    def give_back(self) -> None:
        """Forget the last call, which did not reach the vendor."""
        with self._lock:
            for _, calls in self._windows:
                if calls:
                    calls.pop()

    def _wait_s(self) -> float:
        now = self._now()
        longest = 0.0
        for quota, calls in self._windows:
            while calls and calls[0] <= now - quota.per_s:
                calls.popleft()
            if len(calls) >= quota.calls:
                longest = max(longest, calls[len(calls) - quota.calls] + quota.per_s - now)
        return longest
