"""The process in which queries run: it may write no file, and its memory has a hard end.

Started by `ingot.engines.sandbox.client` with an empty environment; exchanges frames on its
standard streams. A text that crashes the parser or the engine ends this process and nothing else.
"""

from __future__ import annotations

import json
import os
import select
import signal
import threading
from importlib import import_module
from pathlib import Path
from typing import IO, Final

from ingot.engines.limits import Limits, out_of_memory
from ingot.engines.sandbox.protocol import Tag, pack_rows, receive, send, unpack_query
from ingot.engines.sandbox.session import QuerySession
from ingot.errors import DamagedFileError, IngotError, QueryError

_MIB: Final = 1024 * 1024
_SECOND_MS: Final = 1000
_HEADROOM_MIB: Final = 768
"""Address space for thread stacks and allocator arenas, beyond twice the engine's limit."""


def main() -> None:
    """Serve queries from standard input until it ends."""
    requests, replies = _streams()
    _, payload = receive(requests)
    opened = json.loads(payload)
    limits = Limits(**opened["limits"])
    watch = threading.Thread(target=_end_with, args=[opened["owner"], requests.fileno()])
    watch.daemon = True
    watch.start()
    session = QuerySession(Path(opened["warehouse"]), limits)
    _confine(limits.memory_mb)
    send(replies, Tag.DONE, b"")
    while True:
        try:
            tag, payload = receive(requests)
        except EOFError:
            os._exit(0)
        try:
            if tag is Tag.TABLES:
                _tables(session, payload, replies)
            else:
                _ask(session, payload, requests, replies)
        except QueryError as exc:
            send(replies, Tag.REFUSED, str(exc).encode(errors="replace"))
        except DamagedFileError as exc:
            parts = {"path": exc.path, "found": exc.found, "table": exc.table}
            send(replies, Tag.DAMAGED, json.dumps(parts).encode(errors="replace"))
        except IngotError as exc:
            send(replies, Tag.FAILED, str(exc.__cause__ or exc).encode(errors="replace"))
        except MemoryError:
            send(replies, Tag.REFUSED, str(out_of_memory(limits)).encode())


def _end_with(owner: int, requests: int) -> None:
    """End this process when the one that started it is gone, even in the middle of a query.

    The pipe says so at once, unless a fork of the owner holds its other end; hence the second look
    once a second. PR_SET_PDEATHSIG would follow the owner's thread, not its process.
    """
    pipe = select.poll()
    pipe.register(requests, 0)  # POLLHUP is always reported
    while not pipe.poll(_SECOND_MS) and os.getppid() == owner:
        pass
    os._exit(0)


def _tables(session: QuerySession, payload: bytes, replies: IO[bytes]) -> None:
    sql, *own = json.loads(payload)
    names = sorted(session.tables_of(sql, own))
    send(replies, Tag.DONE, json.dumps(names).encode())


def _ask(session: QuerySession, payload: bytes, requests: IO[bytes], replies: IO[bytes]) -> None:
    query, views = unpack_query(payload, requests)
    for part in session.ask(query, views):
        send(replies, Tag.ROWS, pack_rows(part))
    send(replies, Tag.DONE, b"")


def _streams() -> tuple[IO[bytes], IO[bytes]]:
    """Take the standard streams for frames; what a library prints goes nowhere."""
    requests = os.fdopen(os.dup(0), "rb")
    replies = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return requests, replies


def _confine(memory_mb: int) -> None:
    """Forbid writing any file, core dumps included, and bound the address space."""
    try:
        resource = import_module("resource")
    except ImportError:
        return  # Windows has no such limits; DuckDB's own still hold

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    statm = Path("/proc/self/statm")
    if statm.is_file():
        now = int(statm.read_text().split()[0]) * resource.getpagesize()
        end = now + (2 * memory_mb + _HEADROOM_MIB) * _MIB
        resource.setrlimit(resource.RLIMIT_AS, (end, end))
