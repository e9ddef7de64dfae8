"""GET requests over kept connections to one host, within bounds, never to another host.

Import this module late: httpx takes a third of a second.
"""

from __future__ import annotations

import errno
import socket
import ssl
import zlib
from contextlib import closing
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING, Final

import httpx

from ingot.connectors.transport.clear_text import is_this_machine
from ingot.connectors.transport.http.deadline import BoundedBackend, deadline, is_over
from ingot.connectors.transport.http.reply import NoReplyError, Reply, origin
from ingot.errors import ConfigError, CorruptFileError

if TYPE_CHECKING:
    from collections.abc import Mapping

_CONNECT_S: Final = 10.0
"""Longest wait for a connection to one address."""
_MOST_REDIRECTS: Final = 10
_GZIP_WINDOW: Final = 31
_NO_WAY: Final = frozenset({errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH})


class Exchange:
    """Requests to one vendor's host over kept connections; for several threads at once.

    Args:
        base_url: Its address. Requests go only to its scheme, host and port, for the headers may
            hold a key.
        headers: Of every request.
        timeout_s: Longest wait for the next bytes.
        most_bytes: Largest body.

    Raises:
        ConfigError: A header cannot be sent, or the proxy of the environment cannot be used.
    """

    def __init__(
        self, base_url: str, headers: Mapping[str, str], *, timeout_s: float, most_bytes: int
    ) -> None:
        self._origin = origin(base_url)
        self._most_bytes = most_bytes
        for name, value in headers.items():
            if not (value.isascii() and value.isprintable()):
                raise ConfigError(
                    f"The header {name} for {self._origin[1]} holds a character that HTTP does not "
                    "allow. Look for a line break or an accent in the key of the settings."
                )
        try:
            self._http = httpx.Client(
                headers={**headers, "Accept-Encoding": "gzip"},
                timeout=httpx.Timeout(timeout_s, connect=min(timeout_s, _CONNECT_S)),
                verify=ssl.create_default_context(),  # trusts what this machine trusts
                cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
                trust_env=not is_this_machine(self._origin[1]),  # proxies are for other machines
            )
        except (ImportError, ValueError, httpx.InvalidURL) as exc:
            raise ConfigError(
                f"The proxy of the environment cannot be used: {exc}. Set HTTPS_PROXY to an "
                "address that begins with http:// or https://, or add the host to NO_PROXY."
            ) from exc
        for transport in (self._http._transport, *self._http._mounts.values()):  # noqa: SLF001
            if isinstance(transport, httpx.HTTPTransport):  # it has no argument for the backend
                transport._pool._network_backend = BoundedBackend()  # noqa: SLF001

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def get(self, url: str, *, within_s: float) -> Reply:
        """Return the reply to a GET; a redirect is followed on the same host only.

        Args:
            url: The address to fetch.
            within_s: Time for the whole reply.

        Raises:
            NoReplyError: No connection, it broke before the body's end, or the time was over.
            CorruptFileError: The body is larger than `most_bytes`, packed or not.
        """
        with deadline(within_s):
            try:
                return self._get(url)
            except (httpx.HTTPError, httpx.InvalidURL) as exc:
                if is_over():
                    raise NoReplyError(
                        f"no whole reply within {within_s:g} s, what the setting call_deadline_s "
                        "leaves"
                    ) from exc
                raise _no_reply(exc) from exc

    def _get(self, url: str) -> Reply:
        request = self._http.build_request("GET", url)
        for _ in range(_MOST_REDIRECTS):
            if origin(str(request.url)) != self._origin:
                raise NoReplyError(f"it was redirected to another host, {request.url.host}")
            with closing(self._http.send(request, stream=True)) as reply:
                if reply.next_request is None:
                    return Reply(
                        reply.status_code, self._body(reply), reply.headers.get("Retry-After")
                    )
                request = reply.next_request
        raise NoReplyError(f"it was redirected more than {_MOST_REDIRECTS} times")

    def _body(self, reply: httpx.Response) -> bytes:
        body = bytearray()
        for piece in reply.iter_raw():
            body += piece
            self._refuse_large(len(body))
        if reply.headers.get("Content-Encoding", "").lower() != "gzip":
            return bytes(body)
        return self._unpacked(bytes(body))

    def _unpacked(self, body: bytes) -> bytes:
        unpacker = zlib.decompressobj(_GZIP_WINDOW)
        try:
            text = unpacker.decompress(body, self._most_bytes + 1)
        except zlib.error as exc:
            raise NoReplyError(f"the packed body is damaged: {exc}") from exc
        self._refuse_large(len(text))
        if not unpacker.eof:
            raise NoReplyError("the packed body broke off before its end")
        return text

    def _refuse_large(self, size: int) -> None:
        if size > self._most_bytes:
            raise CorruptFileError(
                f"A response was larger than {self._most_bytes:,} bytes. Request less, or "
                "check the address; nothing was kept."
            )


def _no_reply(error: Exception) -> NoReplyError:
    cause: BaseException = error
    while inner := cause.__cause__ or cause.__context__:  # the pool raises `from None`
        cause = inner
    is_unreachable = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout) and (
        isinstance(cause, socket.gaierror | TimeoutError)
        or (isinstance(cause, OSError) and cause.errno in _NO_WAY)
    )
    return NoReplyError(f"{type(error).__name__}: {error}", is_unreachable=is_unreachable)
