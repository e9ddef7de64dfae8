"""Putting defects into a file: which rows are lost, which lines change, what still loads."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from operator import itemgetter
from typing import TYPE_CHECKING, Final

import numpy as np

from ingot.errors import ConfigError
from ingot.simulator.market import hashing
from ingot.simulator.market.bars import COLUMNS, Bars
from ingot.simulator.market.hashing import key
from ingot.simulator.market.prices import MICRO, ticks_up
from ingot.simulator.vendor.defects import Defect, Effect, Injected
from ingot.simulator.vendor.flatfile import HEADER, row_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from ingot.simulator.market.sessions import TradingDay


@dataclass(frozen=True, slots=True)
class Damaged:
    """A file as it will be published, and what a perfect loader takes from it.

    `written` are the rows before `edits` replace some of their lines; `accepted` the rows that
    load, one for each key; `refused` those refused rows whose key can still be read.
    """

    written: Bars
    accepted: Bars
    refused: Bars
    injected: tuple[Injected, ...] = ()
    edits: Mapping[int, Sequence[str]] = field(default_factory=dict)
    columns: tuple[str, ...] = HEADER
    header: tuple[str, ...] | None = None
    truncated: bool = False
    empty: bool = False
    absent: bool = False

    @property
    def refused_whole(self) -> bool:
        """Return True if nothing of the file loads."""
        return any(i.effect is Effect.FILE_REFUSED for i in self.injected)

    @property
    def lines(self) -> int:
        """Lines after the header."""
        return len(self.written) + sum(len(v) - 1 for v in self.edits.values())


_WHOLE: Final = {
    Defect.WRONG_HEADER: (Effect.FILE_REFUSED, "schema_drift"),
    Defect.REORDERED_HEADER: (Effect.LEGAL, ""),
    Defect.EXTRA_COLUMN: (Effect.FILE_REFUSED, "schema_drift"),
    Defect.TRUNCATED_GZIP: (Effect.FILE_REFUSED, "corrupt_file"),
    Defect.EMPTY_FILE: (Effect.FILE_REFUSED, "corrupt_file"),
    Defect.TENTH_OF_MARKET: (Effect.FILE_HELD, "fewer_rows"),
    Defect.LATE_DAY: (Effect.FILE_ABSENT, "not_published"),
}
_REORDERED: Final = (*HEADER[2:], *HEADER[:2])
_WRONG: Final = {"ticker": "symbol", "transactions": "trade_count"}
_EXTRA: Final = "vwap"
_MALFORMED: Final = ("12.3.4", "1O.5", "--")
_INFINITE: Final = ("inf", "-inf", "Infinity")
_ROWS_PER_DEFECT: Final = 2_000
_MOST_ROWS: Final = 3
_CLOSING_SYMBOLS: Final = 40
_CLOSING_NS: Final = 5 * 60_000_000_000


def damaged(
    bars: Bars, defects: Sequence[Defect], seed: int, day: TradingDay, *, modern: bool
) -> Damaged:
    """Return the file of these bars with the defects in it."""
    root = key(seed, "defects", day.date)
    file = Damaged(bars, bars, bars.take(np.array([], dtype=np.int64)))
    for defect in defects:
        if defect is Defect.TENTH_OF_MARKET:
            file = _rows_only(file, _tenth(bars, root))
        elif defect is Defect.MISSING_CLOSING_MINUTES:
            file = _without_closing(file, day, root)
    file = _with_form(file, defects)
    return _with_rows(file, [d for d in defects if d in _OF_LINES], root, modern=modern)


def _with_form(file: Damaged, defects: Sequence[Defect]) -> Damaged:
    """Return the file with what its defects do to the file as a whole."""
    columns: tuple[str, ...] = _REORDERED if Defect.REORDERED_HEADER in defects else HEADER
    if Defect.EXTRA_COLUMN in defects:
        columns = (*columns, _EXTRA)
    wrong = tuple(_WRONG.get(c, c) for c in columns) if Defect.WRONG_HEADER in defects else None
    whole = tuple(Injected(d, *_WHOLE[d]) for d in defects if d in _WHOLE)
    return replace(
        file,
        columns=columns,
        header=wrong,
        injected=(*file.injected, *whole),
        truncated=Defect.TRUNCATED_GZIP in defects,
        empty=Defect.EMPTY_FILE in defects,
        absent=Defect.LATE_DAY in defects,
    )


def _rows_only(file: Damaged, rows: NDArray[np.bool_]) -> Damaged:
    return replace(file, written=file.written.take(rows), accepted=file.accepted.take(rows))


def _tenth(bars: Bars, root: int) -> NDArray[np.bool_]:
    """Return a mask of the rows of every tenth symbol."""
    present = np.unique(bars.code)
    kept = present[root % min(10, len(present)) :: 10]
    return np.isin(bars.code, kept)


def _without_closing(file: Damaged, day: TradingDay, root: int) -> Damaged:
    """Drop the last regular minutes and the closing bar of up to 40 symbols that have them."""
    bars = file.written
    late = (bars.start >= day.close_ns - _CLOSING_NS) & (bars.start <= day.close_ns)
    having = np.unique(bars.code[late])
    few = min(_CLOSING_SYMBOLS, max(1, len(having) // 20))
    chance = hashing.words(root, having)
    gone = late & np.isin(bars.code, having[np.argsort(chance, kind="stable")[:few]])
    injected = tuple(
        Injected(Defect.MISSING_CLOSING_MINUTES, Effect.ROW_ABSENT, "", None, "", *bars.key(row))
        for row in np.flatnonzero(gone).tolist()
    )
    kept = _rows_only(file, ~gone)
    return replace(kept, injected=(*kept.injected, *injected))


def _with_rows(file: Damaged, defects: Sequence[Defect], root: int, *, modern: bool) -> Damaged:
    """Return the file with some of its lines damaged, each line by one defect at most."""
    bars, form = file.written, _Form(file.columns, modern)
    work = _chosen(bars, defects, root)
    edits = {row: _edit(bars, row, defect, turn, form=form) for row, (defect, turn) in work.items()}
    lost = [row for row, (defect, _) in work.items() if _OF_LINES[defect].loses_row]
    readable = [row for row in lost if _OF_LINES[work[row][0]].keeps_key]
    accepted = np.ones(len(bars), dtype=np.bool_)
    accepted[lost] = False
    winners = {row: edit.winner for row, edit in edits.items() if edit.winner is not None}
    return replace(
        file,
        accepted=_with_winners(bars, winners).take(accepted),
        refused=bars.take(np.array(readable, dtype=np.int64)),
        injected=(*file.injected, *_records(bars, work, edits)),
        edits={row: edit.lines for row, edit in edits.items()},
    )


def _chosen(bars: Bars, defects: Sequence[Defect], root: int) -> dict[int, tuple[Defect, int]]:
    """Return which defect strikes which row, the n-th time, by ascending row."""
    each = min(_MOST_ROWS, max(1, len(bars) // _ROWS_PER_DEFECT))
    wanted = each * len(defects)
    if wanted > len(bars):
        raise ConfigError(f"A file of {len(bars)} rows is too small for {len(defects)} defects.")
    chance = hashing.words(root, bars.code, bars.start // 1_000_000_000)
    rows = np.argsort(chance, kind="stable")[:wanted].tolist()
    return {
        row: (defects[n // each], n % each) for n, row in sorted(enumerate(rows), key=itemgetter(1))
    }


def _records(
    bars: Bars, work: Mapping[int, tuple[Defect, int]], edits: Mapping[int, _Edit]
) -> list[Injected]:
    """Return what was injected, with each bad line's place after the lines put in before it."""
    records, shift = [], 0
    for row, edit in edits.items():
        defect = work[row][0]
        effect, rule = _OF_LINES[defect].effect, _OF_LINES[defect].rule
        line, raw = row + 1 + shift + edit.bad, edit.lines[edit.bad]
        records.append(Injected(defect, effect, rule, line, raw, *bars.key(row)))
        shift += len(edit.lines) - 1
    return records


@dataclass(frozen=True, slots=True)
class _Form:
    columns: tuple[str, ...]
    modern: bool


@dataclass(frozen=True, slots=True)
class _Edit:
    """The lines that replace a row's, which of them is bad, and the values that win its key."""

    lines: tuple[str, ...]
    bad: int = 0
    winner: Bars | None = None


def _edit(bars: Bars, row: int, defect: Defect, turn: int, *, form: _Form) -> _Edit:
    line = row_text(bars, row, modern=form.modern, columns=form.columns)
    if lines_of := _OF_LINES[defect].lines:
        lines = lines_of(turn, line, form)
        return _Edit(lines, len(lines) - 1)
    other = _conflicting(bars.take(np.array([row])), turn)
    text = row_text(other, 0, modern=form.modern, columns=form.columns)
    repeated_wins = turn % 3 != 1
    return _Edit((line, text), 0 if repeated_wins else 1, other if repeated_wins else None)


def _conflicting(bar: Bars, turn: int) -> Bars:
    """Return the bar with more trades, with less volume, or with another close, in turn."""
    if turn % 3 == 0:
        return replace(bar, transactions=bar.transactions + 1)
    if turn % 3 == 1:
        return replace(bar, volume=bar.volume // 2 // MICRO * MICRO)
    higher = ticks_up(bar.high, np.ones(1, dtype=np.int64))
    return replace(bar, high=higher, close=higher)


def _replaced(line: str, form: _Form, column: str, value: str) -> tuple[str]:
    parts = line.split(",")
    parts[form.columns.index(column)] = value
    return (",".join(parts),)


def _short_timestamp(_: int, line: str, form: _Form) -> tuple[str]:
    stamp = line.split(",")[form.columns.index("window_start")]
    return _replaced(line, form, "window_start", stamp[:17])


@dataclass(frozen=True, slots=True)
class _OfLine:
    """A defect of single lines: the rule that it breaks, and what becomes of a row."""

    rule: str
    lines: Callable[[int, str, _Form], tuple[str, ...]] | None = None
    """The lines in place of a row's, the last of them bad, for the n-th time."""
    loses_row: bool = True
    keeps_key: bool = False
    """True where the key of a lost row can still be read."""
    effect: Effect = Effect.ROW_REFUSED


_OF_LINES: Final[Mapping[Defect, _OfLine]] = {
    Defect.MALFORMED_NUMBER: _OfLine(
        "not_a_number",
        lambda turn, line, form: _replaced(line, form, "close", _MALFORMED[turn % 3]),
        keeps_key=True,
    ),
    Defect.INF_VALUE: _OfLine(
        "not_finite",
        lambda turn, line, form: _replaced(line, form, "high", _INFINITE[turn % 3]),
        keeps_key=True,
    ),
    Defect.SHORT_LINE: _OfLine(
        "column_count", lambda _, line, __: (",".join(line.split(",")[:4]),)
    ),
    Defect.TIMESTAMP_17_DIGITS: _OfLine("timestamp_out_of_range", _short_timestamp),
    Defect.BLANK_LINE: _OfLine("blank_line", lambda _, line, __: (line, ""), loses_row=False),
    Defect.DUPLICATE_ROWS_CONFLICTING: _OfLine("duplicate_conflict", loses_row=False),
    Defect.DUPLICATE_ROWS_EQUAL: _OfLine(
        "duplicate_equal",
        lambda _, line, __: (line, line),
        loses_row=False,
        effect=Effect.DUPLICATE_DROPPED,
    ),
}


def _with_winners(bars: Bars, winners: Mapping[int, Bars]) -> Bars:
    columns = {name: getattr(bars, name).copy() for name in COLUMNS}
    for row, winner in winners.items():
        for name in COLUMNS:
            columns[name][row] = getattr(winner, name)[0]
    return Bars(bars.tickers, **columns)
