"""The good lines of a block that the fast path refused, and each bad one with its rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ingot.connectors.massive.flatfiles.block import BlockRefusedError, read_block
from ingot.connectors.massive.flatfiles.row_rules import Fault, examine
from ingot.errors import CorruptFileError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ingot.connectors.massive.flatfiles.block import Block
    from ingot.model.time import Interval

    Integers = np.ndarray[Any, np.dtype[np.int64]]

_LINES_AT_ONCE: Final = 1_000
_LOOK_BYTES: Final = 4_096
_NEWLINE: Final = 10
_MOST_SHOWN: Final = 4_096
"""Bytes of a refused line that are kept; landing keeps it whole."""
SHORTEST_LINE: Final = 31
"""Bytes of the shortest row: eight values, seven commas, a start of 17 hexadecimal characters."""


@dataclass(frozen=True, slots=True)
class BadLine:
    """A refused line and its place in the block."""

    offset: int
    """0 for the block's first line."""
    text: str
    """What stood there; bytes that are no text are shown as backslash and number."""
    fault: Fault


@dataclass(frozen=True, slots=True)
class Piece:
    """A block, read: all of its lines are either rows or refused."""

    lines: int
    size_bytes: int
    """Of its text."""
    block: Block | None
    """None when no line is good."""
    offsets: Sequence[int] | None = None
    """Place in the block of each row; None when every line is a row."""
    bad: tuple[BadLine, ...] = ()
    """The first refused lines, as many as were to be kept."""

    @property
    def refused(self) -> int:
        """How many lines are refused."""
        return self.lines - (self.block.rows.num_rows if self.block else 0)


def read_piece(text: bytes, columns: Sequence[str], span: Interval, keep: int) -> Piece:
    """Return the rows of a block: at once if all lines are good, else line by line.

    The rows of the good lines are the same either way, for the same reader makes them. Of the
    refused lines the first `keep` are kept.
    """
    if text.count(b"\n", 0, _LOOK_BYTES) * SHORTEST_LINE > _LOOK_BYTES:
        return salvage(text, columns, span, keep)  # too many lines: the attempt would cost memory
    try:
        block = read_block(text, columns, span)
    except BlockRefusedError:
        return salvage(text, columns, span, keep)
    return Piece(block.rows.num_rows, len(text), block)


def salvage(text: bytes, columns: Sequence[str], span: Interval, keep: int) -> Piece:
    """Return what is good in a block, and the first `keep` bad lines with the rules they break.

    Lines that are too short for a row are recognized by their length and cost no object each.
    Cost: some 10 microseconds a line for the thousand lines around a bad one, a tenth of a
    microsecond for the others; memory a few times the block's bytes.
    """
    starts, ends = _bounds(text)
    is_long = ends - starts >= SHORTEST_LINE
    longer = np.flatnonzero(is_long).tolist()
    lines = [text[starts[n] : ends[n]] for n in longer]
    good: list[bytes] = []
    offsets: list[int] = []
    bad: list[BadLine] = []
    for offset, line, plain in zip(
        longer, lines, _examined(lines, tuple(columns), span), strict=True
    ):
        if not isinstance(plain, Fault):
            good.append(plain)
            offsets.append(offset)
        elif len(bad) < keep:
            bad.append(BadLine(offset, _shown(line), plain))
    for offset in np.flatnonzero(~is_long)[:keep].tolist():
        line = text[starts[offset] : ends[offset]]
        if isinstance(fault := examine(line, tuple(columns), span), Fault):
            bad.append(BadLine(offset, _shown(line), fault))
    kept = tuple(sorted(bad, key=lambda line: line.offset)[:keep])
    block = _block(good, columns, span) if good else None
    return Piece(len(ends), len(text), block, tuple(offsets), kept)


def _bounds(text: bytes) -> tuple[Integers, Integers]:
    """Return where each line starts and ends, its line feed left out."""
    ends = np.flatnonzero(np.frombuffer(text, np.uint8) == _NEWLINE)
    if not text.endswith(b"\n"):
        ends = np.append(ends, len(text))
    return np.concatenate((np.zeros(1, np.int64), ends[:-1] + 1)), ends


def _block(good: list[bytes], columns: Sequence[str], span: Interval) -> Block:
    try:
        return read_block(b"\n".join(good) + b"\n", columns, span)
    except BlockRefusedError as exc:
        raise CorruptFileError(
            f"Lines that keep every rule could not be read. {exc}. Nothing of the file "
            "was loaded; its bytes are kept in landing. Please report this with one of them."
        ) from exc


def _examined(
    lines: list[bytes], columns: tuple[str, ...], span: Interval
) -> Iterator[bytes | Fault]:
    """Yield each line, plain, or its fault; lines far from a bad one are not looked at singly."""
    for start in range(0, len(lines), _LINES_AT_ONCE):
        some = lines[start : start + _LINES_AT_ONCE]
        if _is_plain(some, columns, span):
            yield from some
        else:
            yield from (examine(line, columns, span) for line in some)


def _is_plain(lines: list[bytes], columns: tuple[str, ...], span: Interval) -> bool:
    try:
        read_block(b"\n".join(lines) + b"\n", columns, span)
    except BlockRefusedError:
        return False
    return True


def _shown(line: bytes) -> str:
    return line.removesuffix(b"\r")[:_MOST_SHOWN].decode(errors="backslashreplace")
