"""The truth beside the tree, as Parquet: what was published and what a perfect loader must hold.

    truth/market.json                                        the arguments of the tree
    truth/{minute_bars,day_bars}/PREFIX/stage=K/DATE.parquet  bars held once stage K is loaded
    truth/files/stage=K.parquet                               files that stage K published
    truth/defects/stage=K.parquet                             what was injected, line by line
    truth/actions/stage=K.parquet                             splits and dividends as published
    truth/{instruments,halts}.parquet                         who held a ticker, who was halted

A day's bars are under the stages at which what is held changes: look them up with `held_path`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from ingot.simulator.vendor.defects import Defect, Effect, Injected
from ingot.simulator.vendor.flatfile import HEADER, decimal_series

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date
    from pathlib import Path

    from ingot.simulator.market.bars import Bars
    from ingot.simulator.market.events import Action
    from ingot.simulator.market.instruments import Holding

FOLDER: Final = "truth"
_DECIMAL: Final = pl.Decimal(18, 6)


@dataclass(frozen=True, slots=True)
class FileRecord:
    """One file as one stage published it; `rows` are lines after the header."""

    key: str
    dataset: str
    file_date: date
    stage: int
    version: int
    """Version of the day's market data; 0 is the original."""
    sha256: str
    size_bytes: int
    rows: int
    accepted_rows: int
    symbols: int
    outcome: str
    """done, held or refused."""
    defects: str
    """Names joined by commas."""
    recipe: str
    """Names everything that the bytes depend on."""


@dataclass(frozen=True, slots=True)
class DefectRecord:
    """One injected defect with its file."""

    key: str
    dataset: str
    file_date: date
    stage: int
    injected: Injected


_TYPES: Final = {"date": pl.Date, "int": pl.Int64}
_NARROW: Final = dict.fromkeys(("stage", "version"), pl.Int32)


def _schema(*kinds: type) -> dict[str, Any]:
    """Return a frame's columns for the fields of dataclasses, but `injected`."""
    found: dict[str, Any] = {}
    for field in (f for kind in kinds for f in fields(kind) if f.name != "injected"):
        plain = str(field.type).removesuffix(" | None")
        found[field.name] = _NARROW.get(field.name) or _TYPES.get(plain, pl.String)
    return found


_FILES: Final = _schema(FileRecord)
_DEFECTS: Final = _schema(DefectRecord, Injected)
_ACTIONS: Final[dict[str, Any]] = {
    "ticker": pl.String,
    "composite_figi": pl.String,
    "ex_date": pl.Date,
    "kind": pl.String,
    "split_from": pl.Int64,
    "split_to": pl.Int64,
    "cash": _DECIMAL,
    "declared_date": pl.Date,
    "record_date": pl.Date,
    "pay_date": pl.Date,
}


def bar_frame(bars: Bars, *, stale: bool = False) -> pl.DataFrame:
    """Return bars as a frame of exact decimals in the vendor's columns, and `stale_refused`."""
    columns: dict[str, Any] = {"ticker": pl.Series(bars.tickers, dtype=pl.String).gather(bars.code)}
    for name in ("volume", "open", "close", "high", "low"):
        columns[name] = decimal_series(getattr(bars, name))
    columns["window_start"], columns["transactions"] = bars.start, bars.transactions
    return pl.DataFrame(columns).select(HEADER).with_columns(stale_refused=pl.lit(stale))


def held_after(accepted: Bars, refused: Bars, before: pl.DataFrame | None) -> pl.DataFrame:
    """Return what is held once a file is loaded.

    That is its good rows, and for each key refused in it the row of the version before.
    """
    held = bar_frame(accepted)
    if before is None or not len(refused):
        return held
    keys = bar_frame(refused).select("ticker", "window_start")
    stale = before.join(keys, on=["ticker", "window_start"], how="semi", maintain_order="left")
    kept = stale.with_columns(stale_refused=pl.lit(value=True))
    return pl.concat([held, kept]).sort("ticker", "window_start", maintain_order=True)


def held_path(out: Path, dataset: str, day: date, *, stage: int) -> Path | None:
    """Return the Parquet file of what a perfect loader holds of a day once `stage` is loaded.

    None when nothing was published for the day by then, or the truth was not written.
    """
    for earlier in range(stage, 0, -1):
        path = bars_path(out, dataset, day, stage=earlier)
        if path.exists():
            return path
    return None


def bars_path(out: Path, dataset: str, day: date, *, stage: int) -> Path:
    """Return the path of the bars held since `stage`, if they changed then."""
    prefix, _, name = dataset.partition("/")
    table = "minute_bars" if name.startswith("minute") else "day_bars"
    return out / FOLDER / table / prefix / f"stage={stage}" / f"{day.isoformat()}.parquet"


def stage_path(out: Path, table: str, stage: int) -> Path:
    """Return the Parquet file of a table's stage, e.g. files or defects."""
    return out / FOLDER / table / f"stage={stage}.parquet"


def file_frame(records: Iterable[FileRecord]) -> pl.DataFrame:
    """Return file records as a frame, by key."""
    rows = [asdict(r) for r in sorted(records, key=lambda r: r.key)]
    return pl.DataFrame(rows, schema=_FILES)


def read_files(out: Path, stage: int) -> dict[str, FileRecord]:
    """Return what a stage published, by key; empty when it has not been written."""
    path = stage_path(out, "files", stage)
    if not path.exists():
        return {}
    return {row["key"]: FileRecord(**row) for row in pl.read_parquet(path).iter_rows(named=True)}


def defect_frame(records: Iterable[DefectRecord]) -> pl.DataFrame:
    """Return injected defects as a frame, by key, then line."""
    rows = [_defect_row(r) for r in records]
    return pl.DataFrame(rows, schema=_DEFECTS).sort(
        "key", "line", "defect", "ticker", "window_start", maintain_order=True
    )


def read_defects(out: Path, stage: int) -> list[DefectRecord]:
    """Return what a stage injected; empty when it has not been written."""
    path = stage_path(out, "defects", stage)
    if not path.exists():
        return []
    return [_defect_record(row) for row in pl.read_parquet(path).iter_rows(named=True)]


def action_frame(actions: Iterable[Action]) -> pl.DataFrame:
    """Return corporate actions as a frame, as one stage publishes them."""
    rows = [
        {
            "ticker": a.holding.ticker,
            "composite_figi": a.holding.instrument.composite_figi,
            "ex_date": a.ex_date,
            "kind": str(a.kind),
            "split_from": a.split_from or None,
            "split_to": a.split_to or None,
            "cash": Decimal(a.cash_micro).scaleb(-6) if a.cash_micro else None,
            "declared_date": a.declared,
            "record_date": a.record,
            "pay_date": a.paid,
        }
        for a in actions
    ]
    return pl.DataFrame(rows, schema=_ACTIONS)


def instrument_frame(holdings: Iterable[Holding], end: date) -> pl.DataFrame:
    """Return who held which ticker, as known at `end`: a later end is left out."""
    return pl.DataFrame(
        [
            {
                "ticker": h.ticker,
                "valid_from": h.start,
                "valid_to": h.end if h.end and h.end < end else None,
                **{
                    k: v for k, v in asdict(h.instrument).items() if k not in {"slot", "generation"}
                },
            }
            for h in holdings
            if h.start < end
        ],
        schema_overrides={"valid_to": pl.Date, "delist_date": pl.Date, "cik": pl.String},
        infer_schema_length=None,
    ).with_columns(delist_date=pl.when(pl.col("delist_date") < end).then(pl.col("delist_date")))


def halt_frame(halts: Iterable[Mapping[str, Any]]) -> pl.DataFrame:
    """Return halts as a frame: ticker, trade date, `[start_ns, end_ns)`."""
    return pl.DataFrame(
        list(halts),
        schema={
            "ticker": pl.String,
            "trade_date": pl.Date,
            "start_ns": pl.Int64,
            "end_ns": pl.Int64,
        },
    )


def _defect_row(record: DefectRecord) -> dict[str, Any]:
    row = asdict(record)
    injected = row.pop("injected")
    return {**row, **injected, "defect": str(injected["defect"]), "effect": str(injected["effect"])}


def _defect_record(row: dict[str, Any]) -> DefectRecord:
    injected = {f.name: row.pop(f.name) for f in fields(Injected)}
    injected |= {"defect": Defect(injected["defect"]), "effect": Effect(injected["effect"])}
    return DefectRecord(**row, injected=Injected(**injected))
