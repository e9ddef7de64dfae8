"""A landed file of aggregates as one Parquet file: read, checked and written in one pass.

Text goes through in blocks of whole lines: this thread inflates and writes, others parse. A block
with a bad line is read again line by line (`salvage`), so one bad line costs its block and no
more, and the rows of good lines never depend on which way they went.

Where window_start may lie: from 2003 to one day after the file was first found. Not narrower: the
vendor's own sample of a day file holds bars of two weeks, and whether a bar belongs to its file's
date is for the sessions of silver to say.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Final

from ingot.connectors.base import MOST_REFUSED, Parsed
from ingot.connectors.massive.datasets import COLUMNS
from ingot.connectors.massive.flatfiles.bronze_file import bronze_file
from ingot.connectors.massive.flatfiles.decompress import inflate
from ingot.connectors.massive.flatfiles.row_recovery import SHORTEST_LINE, read_piece
from ingot.errors import CorruptFileError, QuarantineLimitError
from ingot.model.time import Interval, to_ns
from ingot.model.unit import RefusedRow
from ingot.model.vendor_files import DEFAULT_LIMITS

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

    from ingot.connectors.massive.flatfiles.block import Key
    from ingot.connectors.massive.flatfiles.decompress import Inflated
    from ingot.connectors.massive.flatfiles.row_recovery import BadLine, Piece
    from ingot.model.landing import Content, Landing
    from ingot.model.vendor_files import InflateLimits
    from ingot.tables.contract import Table

MOST_REFUSED_ROWS: Final = 1_000
"""How many rows a refused file's error carries."""
_KEPT_AT_FIRST: Final = 20_000
_FIRST: Final = to_ns(datetime(2003, 1, 1, tzinfo=UTC))
_ONE_DAY: Final = timedelta(days=1)
_PERCENT: Final = 100


def span_of(landing: Landing) -> Interval:
    """Return where the landing's window_start may lie: `[2003, first seen + 1 day)`."""
    return Interval(_FIRST, to_ns(landing.first_seen + _ONE_DAY))


def parse_file(
    landing: Landing,
    table: Table,
    content: Content,
    to: Path,
    *,
    limit_pct: float,
    threads: int = 1,
    limits: InflateLimits = DEFAULT_LIMITS,
) -> Parsed:
    """Parse the bytes of `content` into one Parquet file at `to`, in source order.

    Memory stays below some ten blocks of 3.25 MiB, whatever the file's size. Reading stops as soon
    as no row that may still come can keep the file within `limit_pct`.

    Args:
        landing: The version that the bytes are.
        table: The bronze table whose schema the file gets.
        content: Gzip or plain text.
        to: Removed again when anything is raised, absent when no row is good.
        limit_pct: Most refused rows that may be, in percent of all.
        threads: How many blocks are parsed at once.
        limits: How far the file may inflate.

    Raises:
        SchemaDriftError: The header is not the contract's.
        CorruptFileError: The file cannot be read to its end, has no row, inflates beyond
            `limits`, or holds more than 500,000 bad rows whatever the limit.
        QuarantineLimitError: More than `limit_pct` percent of the rows were refused.
        StorageFullError: The disk is full.
    """

    def read(keep: int) -> _Progress:
        found = _Progress(landing, keep)
        with (
            inflate(content, landing.key, limits) as text,
            bronze_file(to, table, landing) as out,
            closing(_pieces(text, span_of(landing), threads, keep)) as pieces,
        ):
            left_bytes = text.most_bytes
            for piece in pieces:
                if piece.block is not None:
                    out.append(piece.block.rows, found.lines + 1, piece.offsets)
                found.add(piece)
                left_bytes -= piece.size_bytes
                found.check(limit_pct, most_to_come=left_bytes // SHORTEST_LINE)
            found.check_end(limit_pct)
        return found

    found = read(_KEPT_AT_FIRST)
    if found.refused > len(found.kept):
        # Rare, and only under a high limit: now that the number is known, keep them all.
        found = read(found.refused)
    return Parsed(
        path=to if found.good else None,
        rows=found.good,
        symbols=len(found.symbols),
        in_order=found.in_order,
        refused=tuple(found.kept),
    )


def _pieces(text: Inflated, span: Interval, threads: int, keep: int) -> Generator[Piece]:
    """Yield the file's blocks, read, in order; a few are parsed ahead."""
    columns = text.header(COLUMNS)
    work: Callable[[bytes], Piece] = partial(read_piece, columns=columns, span=span, keep=keep)
    blocks = text.blocks()
    with ThreadPoolExecutor(threads, thread_name_prefix="ingot-parse") as pool:
        ahead = deque(pool.submit(work, block) for block in islice(blocks, threads + 1))
        try:
            while ahead:
                piece = ahead.popleft().result()
                ahead.extend(pool.submit(work, block) for block in islice(blocks, 1))
                yield piece
        finally:
            pool.shutdown(cancel_futures=True)


@dataclass
class _Progress:
    """What was read of a file so far."""

    landing: Landing
    keep: int
    """How many refused rows to remember."""
    lines: int = 0
    refused: int = 0
    symbols: set[str] = field(default_factory=set)
    in_order: bool = True
    kept: list[RefusedRow] = field(default_factory=list)
    _last: Key | None = None

    @property
    def good(self) -> int:
        return self.lines - self.refused

    def add(self, piece: Piece) -> None:
        for bad in piece.bad[: max(0, self.keep - len(self.kept))]:
            self.kept.append(self._row(bad))
        self.refused += piece.refused
        self.lines += piece.lines
        if (block := piece.block) is not None:
            rises = self._last is None or self._last < block.first
            self.in_order = self.in_order and block.in_order and rises
            self.symbols.update(block.symbols)
            self._last = block.last

    def check(self, limit_pct: float, *, most_to_come: int) -> None:
        """Refuse a file with too many bad rows, even if all that may still come are good."""
        if self.refused * _PERCENT > limit_pct * (self.lines + max(0, most_to_come)):
            raise QuarantineLimitError(
                self.landing.key,
                refused=self.refused,
                rows=self.lines,
                limit_pct=limit_pct,
                refused_rows=tuple(self.kept[:MOST_REFUSED_ROWS]),
                is_whole=most_to_come <= 0,
            )
        if self.refused > MOST_REFUSED:
            raise CorruptFileError(
                f"{self.landing.key} holds more than {MOST_REFUSED:,} lines that are no rows. "
                "Nothing of it was loaded; look at its bytes in landing."
            )

    def check_end(self, limit_pct: float) -> None:
        """Refuse a file without rows, or with too many bad ones."""
        if not self.lines:
            raise CorruptFileError(
                f"{self.landing.key} holds a header and no row: a market day is never empty. "
                "Nothing was loaded; a version that the vendor puts in its place is loaded as "
                "usual."
            )
        self.check(limit_pct, most_to_come=0)

    def _row(self, bad: BadLine) -> RefusedRow:
        return RefusedRow(
            source=self.landing.source,
            dataset=self.landing.dataset,
            file_date=self.landing.file_date,
            landing_id=self.landing.landing_id,
            row_number=self.lines + 1 + bad.offset,
            rule=bad.fault.rule,
            raw=bad.text,
            symbol=bad.fault.symbol,
            bar_start_ns=bad.fault.bar_start_ns,
        )
