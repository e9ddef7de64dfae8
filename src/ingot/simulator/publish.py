"""One day of one stage: make its files, put defects in, write what differs, note the truth."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from statistics import median
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from ingot.model.time import NS_PER_MINUTE, new_york, to_ns
from ingot.simulator.market import day_bars, options
from ingot.simulator.market import minute_bars as days
from ingot.simulator.market.hashing import key
from ingot.simulator.tree import digest_of, write_bytes, write_frame
from ingot.simulator.truth import (
    DefectRecord,
    FileRecord,
    bar_frame,
    bars_path,
    held_after,
    held_path,
)
from ingot.simulator.vendor import corrections, flatfile
from ingot.simulator.vendor.defects import Effect
from ingot.simulator.vendor.inject_defects import Damaged, damaged

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import date
    from pathlib import Path

    from ingot.simulator.market.bars import Bars
    from ingot.simulator.market.market import Market, Roll
    from ingot.simulator.market.sessions import TradingDay
    from ingot.simulator.vendor.defects import Defect

DONE: Final = "done"
HELD: Final = "held"
REFUSED: Final = "refused"
_FORMAT: Final = 1
"""Raised when the simulator writes other bytes for the same arguments."""
_TORN_SHARE: Final = 0.6
_SHRUNK: Final = 0.9
_HALF: Final = 0.5
_DATES_BEFORE: Final = 20
_DATES_NEEDED: Final = 5
_LIMIT: Final = 0.01


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be published: one stage of some datasets of a market."""

    out: Path
    market: Market
    stage: int
    datasets: tuple[str, ...]
    contracts: int
    defects: Mapping[tuple[str, date], tuple[Defect, ...]]
    truth: bool


@dataclass
class Published:
    """What earlier stages published, and what this one has so far; filled day by day."""

    stages: dict[int, dict[str, FileRecord]]
    stage: int
    defects: dict[str, list[DefectRecord]]
    written: list[FileRecord] = field(default_factory=list)
    unchanged: int = 0

    def latest(self, key_: str, stage: int, *, done: bool = False) -> FileRecord | None:
        """Return the last record of a key up to `stage`; with `done`, the last one that loaded."""
        for earlier in range(stage, 0, -1):
            found = self.stages.get(earlier, {}).get(key_)
            if found and (not done or found.outcome == DONE):
                return found
        return None

    def rows_before(self, dataset: str, day: date) -> list[int]:
        """Return the rows of the last 20 dates before `day` that loaded."""
        loaded: dict[date, int] = {}
        for stage in range(1, self.stage + 1):
            for found in self.stages.get(stage, {}).values():
                if found.dataset == dataset and found.file_date < day and found.outcome == DONE:
                    loaded[found.file_date] = found.accepted_rows
        return [loaded[d] for d in sorted(loaded)[-_DATES_BEFORE:]]


@dataclass(frozen=True)
class DayFiles:
    """The rows of each file of one day in one version, made when first used."""

    market: Market
    day: TradingDay
    version: int
    contracts: int

    def of(self, dataset: str) -> Bars:
        """Return the rows of a dataset's file."""
        if dataset == flatfile.STOCK_MINUTES:
            return self._minutes
        if dataset == flatfile.STOCK_DAYS:
            return day_bars.day_bars(self.market.seed, self._minutes, self.day)
        if dataset == flatfile.OPTION_MINUTES:
            return self._option_minutes
        return options.day_bars(self._option_minutes, self.day)

    @cached_property
    def _roll(self) -> Roll:
        return self.market.roll(self.day)

    @cached_property
    def _minutes(self) -> Bars:
        original = days.minute_bars(self.market.seed, self._roll, self.day)
        after = (original.start - self.day.start_ns) // NS_PER_MINUTE + 1
        first, end = self._roll.halt_from[original.code], self._roll.halt_to[original.code]
        closed_for = (after >= first) & (after < end)
        return corrections.corrected(original, self.market.seed, self.day, self.version, closed_for)

    @cached_property
    def _option_minutes(self) -> Bars:
        chain = options.contracts(self.market, self._roll, self.day, self.contracts)
        bars = options.minute_bars(self.market, self._roll, self.day, chain)
        never = np.zeros(len(bars), dtype=np.bool_)
        return corrections.corrected(bars, self.market.seed, self.day, self.version, never)


def publish_day(order: Order, published: Published, day: TradingDay) -> None:
    """Write the day's files that differ from what the tree holds, and note them."""
    version = corrections.version_at(day, order.stage)
    files = DayFiles(order.market, day, version, order.contracts)
    for dataset in order.datasets:
        _File(order, published, files, dataset).publish()


@dataclass(frozen=True)
class _File:
    """One file on its way into the tree."""

    order: Order
    published: Published
    files: DayFiles
    dataset: str

    def publish(self) -> None:
        if self._is_there():
            self.published.unchanged += 1
            return
        bars = self.files.of(self.dataset)
        file = damaged(
            bars, self._defects, self.order.market.seed, self.files.day, modern=self._modern
        )
        self.published.defects[self._key] = [
            DefectRecord(self._key, self.dataset, self._date, self.order.stage, injected)
            for injected in file.injected
        ]
        if file.absent:
            self._withdraw()
        else:
            self._write(file)

    def _withdraw(self) -> None:
        """Take back what an earlier call published for this stage, if it was the first version."""
        if self.published.latest(self._key, self.order.stage - 1) is None:
            self.published.stages.get(self.order.stage, {}).pop(self._key, None)
            (self.order.out / self._key).unlink(missing_ok=True)
            self._bars_path.unlink(missing_ok=True)

    @property
    def _bars_path(self) -> Path:
        return bars_path(self.order.out, self.dataset, self._date, stage=self.order.stage)

    @property
    def _date(self) -> date:
        return self.files.day.date

    @property
    def _key(self) -> str:
        return flatfile.key_of(self.dataset, self._date)

    @property
    def _modern(self) -> bool:
        return flatfile.six_decimals(self._date)

    @property
    def _defects(self) -> tuple[Defect, ...]:
        return self.order.defects.get((self.dataset, self._date), ())

    @property
    def _recipe(self) -> str:
        market, names = self.order.market, ",".join(self._defects)
        parts = (_FORMAT, market.seed, market.symbols, self.order.contracts, self._key)
        return f"{key('recipe', *parts, self.files.version, names):016x}"

    def _is_there(self) -> bool:
        last = self.published.latest(self._key, self.order.stage)
        path = self.order.out / self._key
        if last is None or last.recipe != self._recipe or not path.exists():
            return False
        known = not self.order.truth or self._held_before(self.order.stage) is not None
        return known and digest_of(path) == last.sha256

    def _write(self, file: Damaged) -> None:
        path = self.order.out / self._key
        share = _TORN_SHARE if file.truncated else None
        pieces = self._bytes(file)
        sha, size, changed = write_bytes(self.order.out, path, pieces, keep_share=share)
        record = self._record(file, sha, size)
        before = self.published.latest(self._key, self.order.stage - 1)
        mine = self.published.stages.setdefault(self.order.stage, {})
        mine.pop(self._key, None)
        if before is None or before.sha256 != sha:
            mine[self._key] = record
        if changed:
            self._stamp(path)
            self.published.written.append(record)
        else:
            self.published.unchanged += 1
        if self.order.truth:
            self._note(file, record, repeated=self._key not in mine)

    def _stamp(self, path: Path) -> None:
        """Date the file as a vendor would: 05:00 New York the next day, a week later per stage."""
        day = self._date + timedelta(days=1 + 7 * (self.order.stage - 1))
        modified = to_ns(new_york(day, 5))
        os.utime(path, ns=(modified, modified))

    def _bytes(self, file: Damaged) -> Iterator[bytes]:
        if file.empty:
            return iter(())
        chunks = flatfile.text_chunks(
            file.written,
            modern=self._modern,
            columns=file.columns,
            header=file.header,
            edits=file.edits,
        )
        return flatfile.gzipped(chunks)

    def _record(self, file: Damaged, sha: str, size: int) -> FileRecord:
        outcome = self._outcome(file)
        loads = outcome != REFUSED
        return FileRecord(
            key=self._key,
            dataset=self.dataset,
            file_date=self._date,
            stage=self.order.stage,
            version=self.files.version,
            sha256=sha,
            size_bytes=size,
            rows=0 if file.empty else file.lines,
            accepted_rows=len(file.accepted) if loads else 0,
            symbols=file.accepted.symbols() if loads else 0,
            outcome=outcome,
            defects=",".join(self._defects),
            recipe=self._recipe,
        )

    def _outcome(self, file: Damaged) -> str:
        refused = sum(
            i.effect is Effect.ROW_REFUSED and i.rule != "duplicate_conflict" for i in file.injected
        )
        if file.refused_whole or refused > _LIMIT * file.lines:
            return REFUSED
        rows, symbols = len(file.accepted), file.accepted.symbols()
        before = self.published.latest(self._key, self.order.stage - 1, done=True)
        if before:
            shrunk = rows < _SHRUNK * before.accepted_rows or symbols < _SHRUNK * before.symbols
            return HELD if shrunk else DONE
        loaded = self.published.rows_before(self.dataset, self._date)
        few = len(loaded) >= _DATES_NEEDED and rows < _HALF * median(loaded)
        return HELD if few else DONE

    def _note(self, file: Damaged, record: FileRecord, *, repeated: bool) -> None:
        """Write what is held from this stage on, where it changes."""
        path = self._bars_path
        before = self._held_before(self.order.stage - 1)
        if before and (repeated or record.outcome != DONE):
            path.unlink(missing_ok=True)
        elif record.outcome != DONE:
            write_frame(self.order.out, path, bar_frame(file.refused.take(np.arange(0))))
        else:
            earlier = pl.read_parquet(before) if before and len(file.refused) else None
            held = held_after(file.accepted, file.refused, earlier)
            write_frame(self.order.out, path, held)

    def _held_before(self, stage: int) -> Path | None:
        return held_path(self.order.out, self.dataset, self._date, stage=stage)
