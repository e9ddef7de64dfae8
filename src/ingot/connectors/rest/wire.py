"""One HTTP request: bytes, status and headers, within bounds, never to another host."""

from __future__ import annotations

import http.client
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from ingot.connectors.rest.deadline import Deadline, handlers, is_unreachable
from ingot.errors import CorruptFileError

if TYPE_CHECKING:
    from collections.abc import Mapping

_GZIP_WINDOW: Final = 31
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


def ask(
    url: str, headers: Mapping[str, str], *, timeout_s: float, within_s: float, most_bytes: int
) -> Reply:
    """Return the reply to a GET; a redirect is followed on the same host only.

    Args:
        url: What is asked for.
        headers: Of the request.
        timeout_s: Longest wait for the next bytes.
        within_s: Time for the whole reply.
        most_bytes: Largest body.

    Raises:
        NoReplyError: No connection, it broke before the body's end, or the time was over.
        CorruptFileError: The body is larger than `most_bytes`, packed or not.
    """
    request = Request(url, headers={**headers, "Accept-Encoding": "gzip"})  # noqa: S310 (checked)
    with Deadline(within_s) as deadline:
        try:
            reply = _reply(request, deadline, timeout_s, most_bytes)
        except (URLError, OSError, http.client.HTTPException, NoReplyError) as exc:
            if deadline.is_over:
                raise NoReplyError(_late(within_s)) from exc
            if isinstance(exc, NoReplyError):
                raise
            reason = getattr(exc, "reason", None) or exc
            message = f"{type(exc).__name__}: {reason}"
            raise NoReplyError(message, is_unreachable=is_unreachable(exc)) from exc
        if deadline.is_over:  # a body of unknown length looks whole when it is cut
            raise NoReplyError(_late(within_s))
        return reply


def _reply(request: Request, deadline: Deadline, timeout_s: float, most_bytes: int) -> Reply:
    opener = build_opener(_SameHost, *handlers(deadline))
    try:
        with opener.open(request, timeout=timeout_s) as reply:
            return _read(reply, reply.status, most_bytes)
    except HTTPError as exc:
        with exc:
            return _read(exc, exc.code, most_bytes)


def _late(within_s: float) -> str:
    return f"no whole reply within {within_s:g} s, what the setting call_deadline_s leaves"


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


def _read(reply: Any, status: int, most_bytes: int) -> Reply:  # noqa: ANN401 (two classes alike)
    try:
        body = reply.read(most_bytes + 1)
    except (OSError, http.client.HTTPException) as exc:
        raise NoReplyError(f"{type(exc).__name__}: the body broke off") from exc
    missing = reply.length
    if len(body) <= most_bytes and missing:
        raise NoReplyError(f"the body broke off {missing} bytes before its end")
    if reply.headers.get("Content-Encoding", "").lower() == "gzip":
        body = _unpacked(body, most_bytes)
    if len(body) > most_bytes:
        raise CorruptFileError(
            f"An answer was larger than {most_bytes:,} bytes. Nothing of it was kept; ask for "
            "less, or look at the address."
        )
    return Reply(status, body, reply.headers.get("Retry-After"))


def _unpacked(body: bytes, most_bytes: int) -> bytes:
    unpacker = zlib.decompressobj(_GZIP_WINDOW)
    try:
        text = unpacker.decompress(body, most_bytes + 1)
    except zlib.error as exc:
        raise NoReplyError(f"the packed body is damaged: {exc}") from exc
    if not unpacker.eof and len(text) <= most_bytes:
        raise NoReplyError("the packed body broke off before its end")
    return text


class _SameHost(HTTPRedirectHandler):
    """Follows a redirect only to where the request went: its headers hold the key."""

    def redirect_request(  # noqa: PLR0917 (the library's signature)
        self,
        req: Request,
        fp: Any,  # noqa: ANN401 (the library's signature)
        code: int,
        msg: str,
        headers: Any,  # noqa: ANN401 (the library's signature)
        newurl: str,
    ) -> Request | None:
        if origin(newurl) != origin(req.full_url):
            raise URLError(f"it was redirected to another host, {origin(newurl)[1]}")
        return super().redirect_request(req, fp, code, msg, headers, newurl)
