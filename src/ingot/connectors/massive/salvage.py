"""The good lines of a block that the fast path refused, and each bad one with its rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ingot.connectors.massive.block import BlockRefusedError, read_block
from ingot.connectors.massive.lines import Fault, examine
from ingot.errors import CorruptFileError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ingot.connectors.massive.block import Block
    from ingot.model.time import Interval

_LINES_AT_ONCE: Final = 1_000


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
    """A block, read: all of its lines are either rows or bad lines."""

    lines: int
    block: Block | None
    """None when no line is good."""
    offsets: tuple[int, ...] | None = None
    """Place in the block of each row; None when every line is a row."""
    bad: tuple[BadLine, ...] = ()


def read_piece(text: bytes, columns: Sequence[str], span: Interval) -> Piece:
    """Return the rows of a block: at once if all lines are good, else line by line.

    The rows of the good lines are the same either way, for the same reader makes them.
    """
    try:
        block = read_block(text, columns, span)
    except BlockRefusedError:
        return salvage(text, columns, span)
    return Piece(block.rows.num_rows, block)


def salvage(text: bytes, columns: Sequence[str], span: Interval) -> Piece:
    """Return what is good in a block, and what is not with the rule that it breaks.

    Cost: some 10 microseconds a line for the thousand lines around a bad one, a tenth of a
    microsecond for the others; memory a few times the block's bytes.
    """
    lines = text.removesuffix(b"\n").split(b"\n")
    good: list[bytes] = []
    offsets: list[int] = []
    bad: list[BadLine] = []
    for offset, plain in enumerate(_examined(lines, tuple(columns), span)):
        if isinstance(plain, Fault):
            bad.append(BadLine(offset, _shown(lines[offset]), plain))
        else:
            good.append(plain)
            offsets.append(offset)
    if not good:
        return Piece(len(lines), None, (), tuple(bad))
    try:
        block = read_block(b"\n".join(good) + b"\n", columns, span)
    except BlockRefusedError as exc:
        raise CorruptFileError(
            f"Lines that keep every rule could not be read. {exc}. Nothing of the file "
            "was loaded; its bytes are kept in landing. Please report this with one of them."
        ) from exc
    return Piece(len(lines), block, tuple(offsets), tuple(bad))


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
    return line.removesuffix(b"\r").decode(errors="backslashreplace")
