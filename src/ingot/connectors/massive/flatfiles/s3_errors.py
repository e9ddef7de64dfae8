"""What the endpoint's failures mean for the caller, with every key taken out."""

from __future__ import annotations

import re
from enum import Enum
from typing import TYPE_CHECKING, Final

from obstore.exceptions import (
    BaseError,
    NotSupportedError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)

from ingot.errors import (
    EntitlementError,
    NotPublishedError,
    RateLimitedError,
    SourceUnavailableError,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic import SecretStr

    from ingot.errors import IngotError

_STATUS: Final = re.compile(r"non-2xx status code: (\d{3})\b")
_SLOW_DOWN: Final = re.compile(r"<Code>(SlowDown|RequestLimitExceeded)</Code>")
_NO_PART: Final = "non-partial response"
_NO_CONNECTION: Final = "kind: Connect,"
_MOST_WORDS: Final = 300


class Reply(Enum):
    """Kinds of failure, by what helps."""

    FORBIDDEN = "forbidden"
    ABSENT = "absent"
    SLOW_DOWN = "slow down"
    CHANGED = "changed"
    """The version is gone, or is not served in parts: a request for the whole helps at once."""
    FAILED = "failed"
    UNREACHABLE = "unreachable"
    """The host is unknown, or nothing answers there."""

    @property
    def is_final(self) -> bool:
        """Return True if a retry cannot help."""
        return self in {Reply.FORBIDDEN, Reply.ABSENT}


def reply_of(exc: Exception) -> Reply:
    """Return the kind of a failure of the store.

    The library has an exception of its own for the common statuses of a download; those of a
    listing are in the text only.
    """
    for kind, reply in _KINDS:
        if isinstance(exc, kind):
            return reply
    text = str(exc) if isinstance(exc, BaseError) else ""
    status = _STATUS.search(text)
    if status and status[1] in _STATUSES:
        return _STATUSES[status[1]]
    if _NO_CONNECTION in text:
        return Reply.UNREACHABLE
    if _NO_PART in text:
        return Reply.CHANGED
    return Reply.SLOW_DOWN if _SLOW_DOWN.search(text) else Reply.FAILED


_KINDS: Final = (
    ((PermissionDeniedError, UnauthenticatedError), Reply.FORBIDDEN),
    (FileNotFoundError, Reply.ABSENT),
    ((PreconditionError, NotSupportedError), Reply.CHANGED),
)
_STATUSES: Final = {
    "401": Reply.FORBIDDEN,
    "403": Reply.FORBIDDEN,
    "404": Reply.ABSENT,
    "429": Reply.SLOW_DOWN,
    "503": Reply.SLOW_DOWN,
}


def explain(reply: Reply, doing: str, words: str, *, retry_after_s: float) -> IngotError:
    """Return the error to raise for a failure of `doing`, which `words` describe."""
    if reply is Reply.FORBIDDEN:
        return EntitlementError(
            f"{doing} was refused (HTTP 403). The plan does not cover it, or the key pair is "
            "wrong: look at the plan, and at access_key_id and secret_access_key."
        )
    if reply is Reply.ABSENT:
        return NotPublishedError(
            f"{doing} found no such object (HTTP 404). The vendor has not published it, or has "
            "taken it back; run the command again later."
        )
    if reply is Reply.SLOW_DOWN:
        return RateLimitedError(
            f"{doing} was put off by the endpoint again and again ({words}). Run the command "
            "again later.",
            retry_after_s=retry_after_s,
        )
    return SourceUnavailableError(
        f"{doing} failed again and again ({words}). Look at the endpoint and the network, and "
        "run the command again.",
        retry_after_s=retry_after_s,
    )


def words_of(exc: Exception, secrets: Iterable[SecretStr | None]) -> str:
    """Return the text of a failure in one short line, without any of `secrets`."""
    text = str(exc).partition("Debug source")[0]
    for secret in secrets:
        if secret is not None and secret.get_secret_value():
            text = text.replace(secret.get_secret_value(), "***")
    return " ".join(text.split())[:_MOST_WORDS].strip(" .:")
