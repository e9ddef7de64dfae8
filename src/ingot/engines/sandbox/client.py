"""User queries, screened and bounded, each answered in a process that can do nothing else.

A query is SQL that somebody typed. Its text is screened (`screen`), it sees only views that are
bound to a moment (`questions`), and it runs in a process (`cell`) with an empty environment that
cannot write a file and whose memory ends; when time is up, that process is ended from outside.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import weakref
from contextlib import contextmanager, suppress
from dataclasses import asdict
from functools import lru_cache
from typing import IO, TYPE_CHECKING, Final

import pyarrow as pa

from ingot.engines.limits import Limits, out_of_time
from ingot.engines.sandbox.protocol import Query, Tag, pack_query, receive, send, unpack_rows
from ingot.errors import DamagedFileError, IngotError, QueryError
from ingot.failures import failure_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import date
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from ingot.tables.view import View

_GRACE_S: Final = 2.0
"""Time beyond the limit in which the process may still end a query by itself."""
_START_S: Final = 30.0
"""Time for a process to start, and to screen one text."""
_CODE: Final = (
    "import sys; sys.path[:] = {path!r}; from ingot.engines.sandbox.worker import main; main()"
)
_KEPT: Final = ("LD_LIBRARY_PATH", "SYSTEMROOT")
"""Variables without which an interpreter may not start; none holds a secret."""


class Sandbox:
    """Answers user SQL over bound views; safe to use from several threads."""

    def __init__(
        self,
        warehouse: Path,
        *,
        memory_mb: int,
        threads: int,
        timeout_s: float,
        max_rows: int,
        max_answer_mb: int = 2048,
        parallel: int = 2,
    ) -> None:
        """Remember the limits; a process starts with the first query.

        Args:
            warehouse: Folder of the lake's data files; nothing outside it can be read.
            memory_mb: Memory of one query (setting query_memory_mb).
            threads: Threads of one query.
            timeout_s: Longest time of one query (setting query_timeout_s).
            max_rows: Most rows of one answer (setting query_max_rows).
            max_answer_mb: Most bytes of one answer, MiB (setting query_max_answer_mb).
            parallel: Queries that run at once; others wait for their turn.
        """
        self._limits = Limits(memory_mb, threads, timeout_s, max_rows, max_answer_mb)
        self._warehouse = warehouse.absolute()
        self._free: list[_Cell] = []
        self._guard = threading.Lock()
        self._turns = threading.BoundedSemaphore(parallel)
        self._screened = lru_cache(maxsize=256)(self._screen)

    def tables_of(self, sql: str, own: tuple[str, ...] = ()) -> frozenset[str]:
        """Return the names of the tables that the query reads.

        Args:
            sql: The text.
            own: Names that it may use beside those of the tables that every lake has.

        Raises:
            QueryError: The text is not one SELECT made of allowed parts; says which part.
        """
        return self._screened(_as_text(sql), own)

    def ask(
        self,
        sql: str,
        views: Mapping[str, View],
        *,
        params: str | None = None,
        today: date | None = None,
    ) -> pa.Table:
        """Return the answer to one query over `views`, named as the query names them.

        Args:
            sql: The text.
            views: The tables that it names, bound to a moment.
            params: Values of its parameters, as `ingot.engines.params.packed` gives them.
            today: What `current_date` is.

        Raises:
            QueryError: The query is not allowed, wrong, or beyond a limit; the message names
                the limit's setting, or the nearest right table or column.
            DamagedFileError: A data file cannot be read.
        """
        query = Query(_as_text(sql), params, None if today is None else today.isoformat())
        message, rows = pack_query(query, views)
        with self._cell(self._limits.timeout_s + _GRACE_S) as cell:
            return cell.ask(message, rows)

    def close(self) -> None:
        """End the processes; a query asked later starts a new one."""
        with self._guard:
            cells, self._free = self._free, []
        for cell in cells:
            cell.end()

    def __enter__(self) -> Self:
        """Return the sandbox itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()

    def _screen(self, sql: str, own: tuple[str, ...]) -> frozenset[str]:
        with self._cell(_START_S) as cell:
            return cell.tables_of(sql, own)

    @contextmanager
    def _cell(self, seconds: float) -> Iterator[_Cell]:
        """Lend a process for one exchange; it is kept only if the exchange ended well."""
        with self._turns:
            cell = self._take()
            kept = False
            try:
                with cell.ended_after(seconds, self._limits):
                    yield cell
                kept = True
            except IngotError:
                kept = cell.is_alive
                raise
            finally:
                if kept:
                    with self._guard:
                        self._free.append(cell)
                else:
                    cell.end()

    def _take(self) -> _Cell:
        with self._guard:
            while self._free:
                cell = self._free.pop()
                if cell.owner == os.getpid() and cell.is_alive:
                    return cell
                cell.end()
        return _started(self._warehouse, self._limits)


def _started(warehouse: Path, limits: Limits) -> _Cell:
    """Start a process and wait until it is ready, which does not count as a query's time."""
    cell = _Cell(warehouse, limits)
    try:
        with cell.ended_after(_START_S, limits):
            cell.wait_until_ready()
    except BaseException as exc:
        cell.end()
        if isinstance(exc, QueryError):
            raise QueryError(
                f"The process that answers queries did not start within {_START_S:g} s. "
                f"Is {sys.executable} a whole Python with this package, and is memory left?"
            ) from exc
        raise
    return cell


class _Cell:
    """One process, and the frames exchanged with it."""

    def __init__(self, warehouse: Path, limits: Limits) -> None:
        self.owner = os.getpid()
        self._late = False
        self._broken = False
        self._process = subprocess.Popen(  # noqa: S603  # our own interpreter and module
            [sys.executable, "-I", "-c", _CODE.format(path=sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={name: os.environ[name] for name in _KEPT if name in os.environ},
            start_new_session=True,
        )
        self._finalizer = weakref.finalize(self, _end, self._process, self.owner)
        opened = {"owner": self.owner, "warehouse": str(warehouse), "limits": asdict(limits)}
        with suppress(OSError):
            send(self._requests, Tag.OPEN, json.dumps(opened).encode())

    @property
    def is_alive(self) -> bool:
        return not self._broken and self._process.poll() is None

    @property
    def _requests(self) -> IO[bytes]:
        assert self._process.stdin is not None  # noqa: S101  # opened as a pipe
        return self._process.stdin

    @property
    def _replies(self) -> IO[bytes]:
        assert self._process.stdout is not None  # noqa: S101  # opened as a pipe
        return self._process.stdout

    def wait_until_ready(self) -> None:
        self._reply(Tag.DONE)

    def tables_of(self, sql: str, own: tuple[str, ...]) -> frozenset[str]:
        send(self._requests, Tag.TABLES, json.dumps([sql, *own]).encode())
        return frozenset(json.loads(self._reply(Tag.DONE)[1]))

    def ask(self, message: bytes, rows: list[bytes]) -> pa.Table:
        send(self._requests, Tag.ASK, message)
        for part in rows:
            send(self._requests, Tag.ROWS, part)
        parts: list[pa.Table] = []
        while True:
            tag, payload = self._reply(Tag.ROWS, Tag.DONE)
            if tag is Tag.DONE:
                return pa.concat_tables(parts)
            parts.append(unpack_rows(payload))

    def _reply(self, *expected: Tag) -> tuple[Tag, bytes]:
        tag, payload = receive(self._replies)
        if tag is Tag.REFUSED:
            raise QueryError(payload.decode())
        if tag is Tag.DAMAGED:
            raise DamagedFileError(**json.loads(payload))
        if tag is Tag.FAILED:
            text = payload.decode()
            raise failure_of(OSError(text), "a data file") or QueryError(text)
        if tag not in expected:
            raise EOFError
        return tag, payload

    @contextmanager
    def ended_after(self, seconds: float, limits: Limits) -> Iterator[None]:
        """End the process after so many seconds, and say why an exchange broke off."""
        timer = threading.Timer(seconds, self._end_late)
        timer.daemon = True
        timer.start()
        try:
            yield
        except (EOFError, OSError, ValueError) as exc:
            self._broken = True
            raise self._reason(limits) from exc
        except IngotError:
            raise
        except BaseException:
            self._broken = True
            raise
        finally:
            timer.cancel()

    def end(self) -> None:
        """End the process at once and take back its pipes."""
        self._finalizer()

    def _end_late(self) -> None:
        self._late = True
        self._process.kill()

    def _reason(self, limits: Limits) -> QueryError:
        if self._late:
            return out_of_time(limits)
        return QueryError(
            f"The query ended the process that answered it: it is nested too deeply, or needs "
            f"far more memory than the {limits.memory_mb} MB of the setting query_memory_mb. "
            "Ask for less."
        )


def _end(process: subprocess.Popen[bytes], owner: int) -> None:
    """End a process that this one started; a fork of this one leaves it alone."""
    if os.getpid() != owner:
        return
    process.kill()
    for pipe in (process.stdin, process.stdout):
        with suppress(OSError):
            if pipe is not None:
                pipe.close()
    process.wait()


def _as_text(sql: str) -> str:
    try:
        sql.encode()
    except UnicodeEncodeError as exc:
        raise QueryError("The query holds half a surrogate pair, which is no text.") from exc
    return sql
