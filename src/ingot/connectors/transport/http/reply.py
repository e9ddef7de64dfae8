"""What one HTTP request brings: a reply of any status, or none."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urlsplit

_LONGEST_RETRY_S: Final = 7 * 86_400.0


class NoReplyError(Exception):
    """No whole reply arrived; asking again may help."""

    def __init__(self, message: str, *, is_unreachable: bool = False) -> None:
        super().__init__(message)
        self.is_unreachable = is_unreachable
        """Nothing was sent: the host is unknown, or nothing listens there."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What arrived, whatever its status."""

    status: int
    body: bytes
    retry_after: str | None


def origin(url: str) -> tuple[str, str, int | None]:
    """Return scheme, host and port of an address: where a key may go."""
    parts = urlsplit(url)
    default = {"http": 80, "https": 443}.get(parts.scheme)
    return parts.scheme, (parts.hostname or "").lower(), parts.port or default


def retry_after_s(text: str | None, now: datetime) -> float | None:
    """Return the seconds that a Retry-After header asks for: a number, or a date.

    >>> retry_after_s("Wed, 21 Oct 2026 07:28:00 GMT", datetime(2026, 10, 21, 7, 27, tzinfo=UTC))
    60.0
    >>> retry_after_s("120", datetime(2026, 10, 21, tzinfo=UTC))
    120.0
    """
    if text is None:
        return None
    text = text.strip()
    if text.isascii() and text.isdigit():
        return min(float(text), _LONGEST_RETRY_S)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
    return min(max(0.0, (at - now).total_seconds()), _LONGEST_RETRY_S)
