"""User queries, validated and limited, each answered in a process that can do nothing else.

A query is SQL that a user wrote. Its text is validated (`validator`), it sees only views that are
bound to a moment (`session`), and it runs in a process (`worker`) with an empty environment that
cannot write a file and whose memory is limited; when its time is up, the process is killed.
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
from time import monotonic
from typing import IO, TYPE_CHECKING, Final

import pyarrow as pa

from ingot.engines.limits import Limits, out_of_time
from ingot.engines.sandbox.open_answers import OpenAnswers, Run
from ingot.engines.sandbox.protocol import Query, Tag, pack_query, receive, send, unpack_rows
from ingot.errors import DamagedFileError, IngotError, QueryError
from ingot.failures import failure_of
from ingot.tables.stream import Stream

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping
    from datetime import date
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from ingot.engines.sandbox.open_answers import Process
    from ingot.tables.view import View

READ_AHEAD_BYTES: Final = 32 * 1024 * 1024
"""A longer answer is not collected: it is read from its process as its reader goes on."""
_GRACE_S: Final = 2.0
"""Time beyond the limit in which the process may still end a query by itself."""
_START_S: Final = 30.0
"""Time for a process to start, and to validate one text."""
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
        limits: Limits,
        *,
        parallel: int = 2,
        open_answers: int = 8,
        read_ahead_bytes: int = READ_AHEAD_BYTES,
    ) -> None:
        """Remember the limits; a process starts with the first query.

        Args:
            warehouse: Folder of the lake's data files; nothing outside it can be read.
            limits: Of each query.
            parallel: Queries that run at once; others wait. Streams do not count.
            open_answers: Streams whose processes run at once.
            read_ahead_bytes: A longer answer is a stream.
        """
        self._parallel = parallel
        self._read_ahead_bytes = read_ahead_bytes
        self._open = OpenAnswers(open_answers)
        self._limits = limits
        self._warehouse = warehouse.absolute()
        self._free: list[_Worker] = []
        self._guard = threading.Lock()
        self._turns = threading.BoundedSemaphore(parallel)
        self._validated = lru_cache(maxsize=256)(self._validate)

    def tables_of(self, sql: str, own: tuple[str, ...] = ()) -> frozenset[str]:
        """Return the names of the tables that the query reads.

        Args:
            sql: The text.
            own: Names that it may use beside those of the tables that every lake has.

        Raises:
            QueryError: The text is not one SELECT made of allowed parts; says which part.
        """
        return self._validated(_as_text(sql), own)

    def ask(
        self,
        sql: str,
        views: Mapping[str, View],
        *,
        params: str | None = None,
        today: date | None = None,
    ) -> pa.Table:
        """Return what `stream` returns, in memory whatever its length."""
        rows = self.stream(sql, views, params=params, today=today)
        return rows.collected() if isinstance(rows, Stream) else rows

    def stream(
        self,
        sql: str,
        views: Mapping[str, View],
        *,
        params: str | None = None,
        today: date | None = None,
    ) -> pa.Table | Stream:
        """Return the answer to one query over `views`, named as the query names them.

        An answer that is longer than what is read ahead is a stream. Its process waits while
        nothing is read, which does not count as time of the query, and ends with the stream.
        Reading it a second time runs the query again. So does reading it the first time, where
        so many streams were opened since that its process was ended.

        Args:
            sql: The text.
            views: The tables that it names, bound to a moment.
            params: Values of its parameters, as `ingot.engines.params.packed` gives them.
            today: What `current_date` is.

        Raises:
            QueryError: The query is not allowed, wrong, or beyond a limit; the message names
                the limit's setting, or the nearest right table or column. A stream raises it
                too, also where the sandbox was closed or too many streams are being read.
            DamagedFileError: A data file cannot be read. A stream raises it too.
        """
        query = Query(_as_text(sql), params, None if today is None else today.isoformat())
        message, rows = pack_query(query, views)
        run = Run(self._open.closings)
        with self._turns:
            parts = self._parts(message, rows, run.lent)
            schema = next(parts).schema
            batches, size = [], 0
            for part in parts:
                batches += part.to_batches()
                size += part.nbytes
                if size > self._read_ahead_bytes:
                    break
            else:
                return pa.Table.from_batches(batches, schema)
        run.unread.append((batches, parts))
        self._open.admit(run)
        return Stream(schema, lambda: self._read(run, message, rows))

    def _read(self, run: Run, message: bytes, rows: list[bytes]) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a run, or of another if it has a reader or was ended."""
        try:
            ahead, others = run.unread.pop()
        except IndexError:
            run = Run(run.closings)
            self._open.admit(run)
            ahead, others = [], self._parts(message, rows, run.lent)
        try:
            yield from run.rows(ahead, others)
        finally:
            self._open.discard(run)

    def _parts(self, message: bytes, rows: list[bytes], lent: list[Process]) -> Generator[pa.Table]:
        """Yield an answer in parts, the first of which is empty; `lent` has the process."""
        with self._worker() as worker:
            lent.append(worker)
            try:
                yield from worker.ask(message, rows, self._limits)
            finally:
                lent.clear()

    def close(self) -> None:
        """End the processes and every stream; a later query starts a new process."""
        self._open.end_all()
        with self._guard:
            workers, self._free = self._free, []
        for worker in workers:
            worker.end()

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

    def _validate(self, sql: str, own: tuple[str, ...]) -> frozenset[str]:
        with self._turns, self._worker() as worker:
            return worker.tables_of(sql, own, self._limits)

    @contextmanager
    def _worker(self) -> Iterator[_Worker]:
        """Lend a process for one exchange; it is kept only if the exchange ended well."""
        worker = self._take()
        kept = False
        try:
            yield worker
            kept = True
        except IngotError:
            kept = worker.is_alive
            raise
        finally:
            if not (kept and self._kept(worker)):
                worker.end()

    def _kept(self, worker: _Worker) -> bool:
        """Keep a process for a later query; return False if enough of them wait already."""
        with self._guard:
            if len(self._free) >= self._parallel:
                return False
            self._free.append(worker)
            return True

    def _take(self) -> _Worker:
        with self._guard:
            while self._free:
                worker = self._free.pop()
                if worker.owner == os.getpid() and worker.is_alive:
                    return worker
                worker.end()
        return _started(self._warehouse, self._limits)


def _started(warehouse: Path, limits: Limits) -> _Worker:
    """Start a process and wait until it is ready, which does not count as a query's time."""
    worker = _Worker(warehouse, limits)
    try:
        worker.wait_until_ready(limits)
    except BaseException as exc:
        worker.end()
        if isinstance(exc, QueryError):
            raise QueryError(
                f"The process that answers queries did not start within {_START_S:g} s. "
                f"Check that {sys.executable} has this package, and that memory is left."
            ) from exc
        raise
    return worker


class _Worker:
    """One process, and the frames exchanged with it."""

    def __init__(self, warehouse: Path, limits: Limits) -> None:
        self.owner = os.getpid()
        self._late = False
        self._broken = False
        self._stopped: QueryError | None = None
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

    def wait_until_ready(self, limits: Limits) -> None:
        with self._ended_after(_START_S, limits):
            self._reply(Tag.DONE)

    def tables_of(self, sql: str, own: tuple[str, ...], limits: Limits) -> frozenset[str]:
        with self._ended_after(_START_S, limits):
            send(self._requests, Tag.TABLES, json.dumps([sql, *own]).encode())
            return frozenset(json.loads(self._reply(Tag.DONE)[1]))

    def ask(self, message: bytes, rows: list[bytes], limits: Limits) -> Iterator[pa.Table]:
        """Yield the parts of an answer; time counts only while this side waits for one."""
        left = limits.timeout_s + _GRACE_S
        frames = [(Tag.ASK, message), *((Tag.ROWS, part) for part in rows)]
        tag = Tag.ROWS
        while tag is not Tag.DONE:
            began = monotonic()
            with self._ended_after(left, limits):
                while frames:
                    send(self._requests, *frames.pop(0))
                tag, payload = self._reply(Tag.ROWS, Tag.DONE)
            left -= monotonic() - began
            if tag is Tag.ROWS:
                yield unpack_rows(payload)

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
    def _ended_after(self, seconds: float, limits: Limits) -> Iterator[None]:
        """Kill the process after so many seconds, and say why an exchange broke off."""
        timer = threading.Timer(max(seconds, 0), self._kill_late)
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

    def stop(self, reason: QueryError) -> None:
        """End the process; whoever reads from it gets the reason."""
        self._stopped = reason
        self.end()

    def _kill_late(self) -> None:
        self._late = True
        self._process.kill()

    def _reason(self, limits: Limits) -> QueryError:
        if self._stopped is not None:
            return self._stopped
        if self._late:
            return out_of_time(limits)
        return QueryError(
            f"The query ended its process: it is nested too deeply, or needs far more than "
            f"{limits.memory_mb} MB of memory (setting query_memory_mb). Ask for less."
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
        raise QueryError("The query holds half a surrogate pair. Remove it.") from exc
    return sql
