"""A reference source taken through listing, fetch and parse, as the app does it."""

from __future__ import annotations

import ssl
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

from ingot.connectors.transport.backoff import Backoff
from ingot.model.landing import KnownBasis, Landing
from ingot.tables.arrow import arrow_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ingot.connectors.base import FileSource, Parsed
    from ingot.model.landing import RemoteObject

START, END = date(2025, 3, 1), date(2025, 6, 1)
NOW = datetime(2025, 6, 1, 12, tzinfo=UTC)


@dataclass
class Loaded:
    """What one dataset of a source gave."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    landed: dict[str, bytes] = field(default_factory=dict)
    parsed: dict[str, Parsed] = field(default_factory=dict)

    @property
    def refused(self) -> list[tuple[int, str]]:
        """The refused rows as (row number, rule)."""
        return [(r.row_number, r.rule) for p in self.parsed.values() for r in p.refused]


def load(
    source: FileSource,
    dataset: str,
    folder: Path,
    *,
    start: date = START,
    end: date = END,
    limit_pct: float = 100.0,
) -> Loaded:
    """Return all that a source has of a dataset, read back from its Parquet files."""
    loaded = Loaded()
    folder.mkdir(parents=True, exist_ok=True)
    for remote in source.list(dataset, start, end):
        content, to = folder / "content", folder / "rows.parquet"
        landing = land(source, remote, content)
        parsed = source.parse(landing, content, to, limit_pct=limit_pct)
        loaded.landed[remote.key] = content.read_bytes()
        loaded.parsed[remote.key] = parsed
        assert (parsed.path is None) == (not to.exists())
        if parsed.path:
            table = pq.read_table(to)
            assert table.schema.equals(arrow_schema(source.datasets[dataset].bronze))
            loaded.rows += table.to_pylist()
            to.unlink()
    return loaded


def land(source: FileSource, remote: RemoteObject, to: Path) -> Landing:
    """Fetch an object and return its landing."""
    told: list[int] = []
    fetched = source.fetch(remote, to, told.append)
    assert sum(told) == fetched.size_bytes == to.stat().st_size
    return Landing(
        source=remote.source,
        dataset=remote.dataset,
        file_date=remote.file_date,
        key=remote.key,
        ordinal=1,
        sha256=fetched.sha256,
        size_bytes=fetched.size_bytes,
        etag=remote.etag,
        last_modified=remote.last_modified,
        first_seen=NOW + timedelta(minutes=1),
        known_from=NOW,
        known_basis=KnownBasis.OBSERVED,
        rule=source.rule,
    )


def patient(slept: list[float] | None = None, *, attempts: int = 4) -> Backoff:
    """Return a backoff that notes its waits and takes no time."""
    waits = [] if slept is None else slept
    return Backoff(attempts, 0.5, 30.0, waits.append, lambda: 0.0)


@dataclass
class Answer:
    """What a replaying server says to one request."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: int = 0
    """Bytes that are promised and never sent."""


@dataclass
class Server:
    """A local server that replays answers, and what it was asked."""

    url: str
    asked: list[str]
    headers: list[dict[str, str]]
    connections: set[int]
    """The client's port of each connection."""


@contextmanager
def serving(
    reply: Callable[[str], Answer], *, keep: bool = False, certificate: Path | None = None
) -> Iterator[Server]:
    """Serve on 127.0.0.1; `reply` is given each request's path and query.

    Connections are kept open with `keep`, and encrypted with the key in `certificate`.
    """
    asked: list[str] = []
    headers: list[dict[str, str]] = []
    connections: set[int] = set()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1" if keep else "HTTP/1.0"

        def do_GET(self) -> None:
            connections.add(self.client_address[1])
            asked.append(self.path)
            headers.append(dict(self.headers))
            answer = reply(self.path)
            self.send_response(answer.status)
            self.send_header("Content-Length", str(len(answer.body) + answer.cut))
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

        def handle(self) -> None:
            with suppress(ssl.SSLError):  # of a client that does not trust the certificate
                super().handle()

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        url = f"http://127.0.0.1:{server.server_address[1]}"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False
            )
            url = f"https://localhost:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield Server(url, asked, headers, connections)
        finally:
            server.shutdown()
            thread.join()
