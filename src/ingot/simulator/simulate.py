"""`simulate`: write a synthetic market with known truth as the vendor would publish it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from ingot.errors import ConfigError
from ingot.folders import entries
from ingot.model.progress import StepAdvanced, StepEnded, StepStarted, silent
from ingot.model.time import NS_PER_MINUTE
from ingot.simulator.market import options
from ingot.simulator.market.market import Market
from ingot.simulator.publish import Order, Published, publish_day
from ingot.simulator.tree import (
    Manifest,
    read_manifest,
    write_bytes,
    write_frame,
    write_manifest,
    writing,
)
from ingot.simulator.truth import (
    FOLDER,
    action_frame,
    defect_frame,
    file_frame,
    halt_frame,
    instrument_frame,
    read_defects,
    read_files,
    stage_path,
)
from ingot.simulator.vendor import corrections, rest
from ingot.simulator.vendor.defects import Effect, named
from ingot.simulator.vendor.flatfile import DATASETS, OPTION_DAYS, OPTION_MINUTES, STOCK_MINUTES

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import date
    from pathlib import Path

    from ingot.model.progress import Progress
    from ingot.simulator.truth import DefectRecord, FileRecord
    from ingot.simulator.vendor.defects import Defect

    DefectsByFile = (
        Mapping[date, Collection[str]]
        | Mapping[tuple[str, date], Collection[str]]
        | Mapping[date | tuple[str, date], Collection[str]]
    )

STEP: Final = "simulate"
REST_FOLDER: Final = "rest"
_SMALLEST_CHAIN: Final = 100
_CONTRACTS_PER_SYMBOL: Final = 0.3


@dataclass(frozen=True, slots=True)
class Simulated:
    """What one call wrote."""

    out: Path
    stage: int
    days: tuple[date, ...]
    """Trade dates of the range."""
    written: tuple[FileRecord, ...]
    """Vendor files whose bytes changed."""
    unchanged: int
    """Vendor files that already held this stage's bytes."""
    absent: tuple[str, ...]
    """Keys that the vendor publishes late: not at this stage."""
    defects: tuple[DefectRecord, ...]
    """What this stage injected in the range."""

    @property
    def rows(self) -> int:
        """Rows in the files written."""
        return sum(f.rows for f in self.written)

    @property
    def size_bytes(self) -> int:
        """Bytes of the files written."""
        return sum(f.size_bytes for f in self.written)


def simulate(
    out: Path,
    *,
    start: date,
    end: date,
    symbols: int = 200,
    seed: int = 1,
    stage: int = 1,
    datasets: Collection[str] = DATASETS,
    defects: DefectsByFile | None = None,
    options_contracts: int | None = None,
    truth: bool = True,
    progress: Progress = silent,
) -> Simulated:
    """Write stage `stage` of a market over `[start, end)` below `out`; only what differs.

    The same arguments give the same bytes on every machine, and a day's files do not depend on
    which other days are in the range. Calling it again with another range grows the tree.

    Args:
        out: The tree: vendor datasets, `rest` and `truth`. New, empty, or the same market's.
        start: First date.
        end: The date after the last.
        symbols: Places in the market, 20 to 40,000; 11,000 is the real size.
        seed: Another seed is another market.
        stage: 1 publishes the original, k the k-th version over the same keys.
        datasets: Which of the vendor's datasets to write.
        defects: Names of defects by date (of the stock minute file) or by (dataset, date). They
            hold at this stage only; the next one publishes the day without them.
        options_contracts: How many contracts; None scales with `symbols`.
        truth: Also write what a perfect loader must hold, one Parquet file per vendor file.
        progress: Called for each day.

    Raises:
        ConfigError: An argument is out of bounds, or `out` holds something else.
        StorageFullError: The disk is full.
    """
    if stage < 1:
        raise ConfigError(f"The stage was {stage}. Stages count from 1, the original.")
    contracts = _contracts(symbols, options_contracts)
    market = Market(seed, symbols, start, end)
    order = Order(
        out,
        market,
        stage,
        _datasets(datasets),
        contracts,
        _defects(market, datasets, defects or {}),
        truth,
    )
    manifest = Manifest(seed, symbols, contracts, start, end)
    with writing(out):
        earlier = read_manifest(out)
        manifest = manifest.grown(earlier) if earlier else manifest
        write_manifest(out, manifest)
        published = _publish(order, progress)
        _write_tables(order, published)
        _write_reference(order, manifest)
    return _summary(order, published)


def _publish(order: Order, progress: Progress) -> Published:
    stages = {k: read_files(order.out, k) for k in range(1, order.stage + 1)}
    defects: dict[str, list[DefectRecord]] = {}
    for record in read_defects(order.out, order.stage):
        defects.setdefault(record.key, []).append(record)
    published = Published(stages, order.stage, defects)
    progress(StepStarted(STEP, len(order.market.days), "days"))
    for day in order.market.days:
        publish_day(order, published, day)
        progress(StepAdvanced(STEP, 1, day.date.isoformat()))
    progress(StepEnded(STEP))
    return published


def _write_tables(order: Order, published: Published) -> None:
    out, stage = order.out, order.stage
    files = file_frame(published.stages.get(stage, {}).values())
    write_frame(out, stage_path(out, "files", stage), files)
    injected = [record for records in published.defects.values() for record in records]
    write_frame(out, stage_path(out, "defects", stage), defect_frame(injected))
    write_frame(out, out / FOLDER / "halts.parquet", _halts(order))


def _halts(order: Order) -> pl.DataFrame:
    """Return the halts of the range, with those of the days that the tree already had."""
    rows = [
        {
            "ticker": holding.ticker,
            "trade_date": day.date,
            "start_ns": day.start_ns + first * NS_PER_MINUTE,
            "end_ns": day.start_ns + after * NS_PER_MINUTE,
        }
        for day in order.market.days
        for holding, first, after in order.market.halts(day)
    ]
    path = order.out / FOLDER / "halts.parquet"
    frame = halt_frame(rows)
    if path.exists():
        known = pl.read_parquet(path)
        here = [day.date for day in order.market.days]
        frame = pl.concat([known.filter(~pl.col("trade_date").is_in(here)), frame])
    return frame.sort("trade_date", "ticker")


def _write_reference(order: Order, manifest: Manifest) -> None:
    """Write REST bodies and their truth over the whole span of the tree."""
    market = Market(manifest.seed, manifest.symbols, manifest.start, manifest.end)
    actions = corrections.published(market.actions, order.stage)
    out = order.out
    write_frame(out, stage_path(out, "actions", order.stage), action_frame(actions))
    instruments = instrument_frame(market.holdings, manifest.end)
    write_frame(out, out / FOLDER / "instruments.parquet", instruments)
    reference = rest.Reference(
        market.holdings,
        actions,
        _listed_contracts(order, market),
        manifest.start,
        manifest.end,
        manifest.symbols,
    )
    names = set()
    for name, body in rest.bodies(reference):
        write_bytes(out, out / REST_FOLDER / name, [body])
        names.add(name)
    for entry in entries(out / REST_FOLDER):
        if entry.name not in names:
            (out / REST_FOLDER / entry.name).unlink()


def _listed_contracts(order: Order, market: Market) -> tuple[options.Contract, ...]:
    wanted = {OPTION_MINUTES, OPTION_DAYS} & set(order.datasets)
    if not wanted or not market.days:
        return ()
    last = market.days[-1]
    return options.contracts(market, market.roll(last), last, order.contracts)


def _summary(order: Order, published: Published) -> Simulated:
    dates = tuple(day.date for day in order.market.days)
    here = tuple(
        record
        for records in published.defects.values()
        for record in records
        if record.file_date in set(dates)
    )
    absent = tuple(d.key for d in here if d.injected.effect is Effect.FILE_ABSENT)
    return Simulated(
        order.out,
        order.stage,
        dates,
        tuple(published.written),
        published.unchanged,
        absent,
        here,
    )


def _contracts(symbols: int, wanted: int | None) -> int:
    if wanted is None:
        return max(_SMALLEST_CHAIN, int(symbols * _CONTRACTS_PER_SYMBOL))
    if wanted < 1:
        raise ConfigError(f"The number of options contracts was {wanted}. It is at least 1.")
    return wanted


def _datasets(wanted: Collection[str]) -> tuple[str, ...]:
    if not wanted or set(wanted) - set(DATASETS):
        raise ConfigError(
            f"The datasets were {', '.join(sorted(wanted)) or 'none'}. "
            f"There are: {', '.join(DATASETS)}."
        )
    return tuple(d for d in DATASETS if d in wanted)


def _defects(
    market: Market,
    datasets: Collection[str],
    wanted: DefectsByFile,
) -> dict[tuple[str, date], tuple[Defect, ...]]:
    trade_dates = {day.date for day in market.days}
    found = {}
    for where, names in wanted.items():
        dataset, day = where if isinstance(where, tuple) else (STOCK_MINUTES, where)
        if dataset not in datasets or day not in trade_dates:
            raise ConfigError(
                f"A defect was for {dataset} on {day}, a file that is not written. Name a trade "
                f"date in [{market.start}, {market.end}) and one of the datasets."
            )
        found[dataset, day] = named(names)
    return found
