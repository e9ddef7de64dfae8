"""An end for one HTTP exchange, whatever the server does: a drip of bytes never times out.

A read timeout of HTTP libraries bounds the wait for the next bytes and not the exchange. Here each
connect, handshake, read and write of a connection waits no longer than the exchange has left.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

import httpcore

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable, Iterator

    from httpcore import SOCKET_OPTION

_END_S: Final[ContextVar[float]] = ContextVar("the end of this thread's exchange")


@contextmanager
def deadline(within_s: float) -> Iterator[None]:
    """Bound the exchange of the block, which runs in this thread."""
    token = _END_S.set(monotonic() + within_s)
    try:
        yield
    finally:
        _END_S.reset(token)


def is_over() -> bool:
    """Return True if the time of the current exchange is over."""
    return monotonic() >= _END_S.get()


def _bounded(timeout_s: float | None, error: type[httpcore.TimeoutException]) -> float:
    left_s = _END_S.get() - monotonic()
    if left_s <= 0:
        raise error("the time of the exchange is over")
    return left_s if timeout_s is None else min(timeout_s, left_s)


class BoundedBackend(httpcore.SyncBackend):
    """Opens connections that obey the deadline of the thread that uses them."""

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Return a connection to an address."""
        timeout = _bounded(timeout, httpcore.ConnectTimeout)
        return _Stream(super().connect_tcp(host, port, timeout, local_address, socket_options))


class _Stream(httpcore.NetworkStream):
    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, _bounded(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, _bounded(timeout, httpcore.WriteTimeout))

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        timeout = _bounded(timeout, httpcore.ConnectTimeout)
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, timeout))

    def close(self) -> None:
        self._inner.close()

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 (the library's signature)
        return self._inner.get_extra_info(info)
