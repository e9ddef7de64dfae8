"""An end for one HTTP exchange, whatever the server does: a drip of bytes never times out."""

from __future__ import annotations

import errno
import http.client
import socket
from contextlib import suppress
from threading import Timer
from typing import TYPE_CHECKING, Any, Final
from urllib.error import URLError
from urllib.request import HTTPHandler, HTTPSHandler

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self
    from urllib.request import BaseHandler, Request

_CONNECT_S: Final = 10.0
"""Longest wait for a connection to one address."""
_NO_WAY: Final = frozenset({errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH})


class Deadline:
    """Shuts the exchange's connection down, from outside, when the time is over."""

    def __init__(self, within_s: float) -> None:
        self.is_over = False
        self._socket: socket.socket | None = None
        self._timer = Timer(within_s, self._end)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        """Start the time."""
        self._timer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the time."""
        self._timer.cancel()

    def watch(self, connection: socket.socket) -> None:
        """Take the connection that is shut down at the end."""
        self._socket = connection
        if self.is_over:
            self._end()

    def _end(self) -> None:
        self.is_over = True
        if self._socket is not None:
            with suppress(OSError):  # below TLS, whose own method is not for another thread
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


def handlers(deadline: Deadline) -> tuple[BaseHandler, ...]:
    """Return handlers of both schemes whose connections the deadline watches."""
    return _Http(deadline), _Https(deadline)


def is_unreachable(error: Exception) -> bool:
    """Return True if nothing was sent: the name is unknown, or nothing answers there."""
    reason = error.reason if isinstance(error, URLError) else None
    if isinstance(reason, OSError):  # of the connection: a later error is not wrapped
        return isinstance(reason, socket.gaierror | TimeoutError) or reason.errno in _NO_WAY
    return False


class _Http(HTTPHandler):
    def __init__(self, deadline: Deadline) -> None:
        super().__init__()
        self._deadline = deadline

    def http_open(self, req: Request) -> http.client.HTTPResponse:
        return self.do_open(_connected(http.client.HTTPConnection, self._deadline), req)


class _Https(HTTPSHandler):
    def __init__(self, deadline: Deadline) -> None:
        super().__init__()
        self._deadline = deadline

    def https_open(self, req: Request) -> http.client.HTTPResponse:
        return self.do_open(_connected(http.client.HTTPSConnection, self._deadline), req)


def _connected(kind: type[http.client.HTTPConnection], deadline: Deadline) -> Callable[..., Any]:
    """Return a class of connections that wait a short time to connect and are then watched."""

    class Watched(kind):  # type: ignore[valid-type,misc]  # one of two classes
        timeout: float

        def connect(self) -> None:
            read_s = self.timeout
            self.timeout = min(read_s, _CONNECT_S)
            super().connect()
            self.sock.settimeout(read_s)
            deadline.watch(self.sock)

    return Watched
