"""Simulated files with known truth: each defect is refused by its rule, every good row loads."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow.parquet as pq
import pytest

from ingot.connectors.massive.connector import connector
from ingot.connectors.massive.settings import MassiveSettings
from ingot.errors import CorruptFileError, LookAtDataError, SchemaDriftError
from ingot.model.landing import KnownBasis, Landing
from ingot.simulator.simulate import simulate

if TYPE_CHECKING:
    from pathlib import Path

    from ingot.connectors.base import FileSource, Parsed
    from ingot.model.landing import RemoteObject

MINUTES, DAYS = "us_stocks_sip/minute_aggs_v1", "us_stocks_sip/day_aggs_v1"
OPTIONS = ("us_options_opra/minute_aggs_v1", "us_options_opra/day_aggs_v1")
START, END = date(2026, 3, 2), date(2026, 3, 9)
OF_ROWS = ("malformed_number", "inf_value", "blank_line", "short_line", "timestamp_17_digits")
DEFECTS = {
    date(2026, 3, 2): (*OF_ROWS, "duplicate_rows_equal"),
    date(2026, 3, 3): ("reordered_header", "malformed_number"),
    date(2026, 3, 4): ("wrong_header",),
    date(2026, 3, 5): ("truncated_gzip",),
    date(2026, 3, 6): ("empty_file",),
}
SEEN = datetime(2026, 3, 10, tzinfo=UTC)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("vendor")
    simulate(out, start=START, end=END, symbols=40, seed=3, defects=DEFECTS)
    return out


@pytest.fixture
def source(tree: Path) -> FileSource:
    return connector.open(str(tree), MassiveSettings())


def load(
    source: FileSource, remote: RemoteObject, folder: Path
) -> tuple[Parsed, list[dict[str, Any]]]:
    fetched = source.fetch(remote, folder / "content", lambda _: None)
    landing = Landing(
        source=remote.source,
        dataset=remote.dataset,
        file_date=remote.file_date,
        key=remote.key,
        ordinal=1,
        sha256=fetched.sha256,
        size_bytes=fetched.size_bytes,
        etag=remote.etag,
        last_modified=remote.last_modified,
        first_seen=SEEN,
        known_from=SEEN,
        known_basis=KnownBasis.OBSERVED,
        rule=source.rule,
    )
    to = folder / "out.parquet"
    parsed = source.parse(landing, folder / "content", to, limit_pct=1)
    return parsed, pq.read_table(to).to_pylist()


def injected(tree: Path, key: str, effect: str) -> pl.DataFrame:
    truth = pl.read_parquet(tree / "truth" / "defects" / "stage=1.parquet")
    return truth.filter((pl.col("key") == key) & (pl.col("effect") == effect)).sort("line")


@pytest.mark.parametrize("day", [date(2026, 3, 2), date(2026, 3, 3)])
def test_each_injected_line_is_refused_by_its_rule_and_no_other(
    tree: Path, source: FileSource, tmp_path: Path, day: date
) -> None:
    [remote] = [r for r in source.list(MINUTES, START, END) if r.file_date == day]
    parsed, rows = load(source, remote, tmp_path)
    truth = injected(tree, remote.key, "row_refused")
    assert truth.height > 0
    assert [(r.row_number, r.rule, r.raw) for r in parsed.refused] == truth.select(
        "line", "rule", "raw"
    ).rows()
    files = pl.read_parquet(tree / "truth" / "files" / "stage=1.parquet")
    assert parsed.rows + len(parsed.refused) == files.filter(key=remote.key)["rows"].item()
    held = pl.read_parquet(
        tree / "truth" / "minute_bars" / "us_stocks_sip" / "stage=1" / f"{day}.parquet"
    )
    names = ("ticker", "volume", "open", "close", "high", "low", "window_start", "transactions")
    assert {tuple(row[n] for n in names) for row in rows} == set(held.select(names).rows())


@pytest.mark.parametrize(
    ("day", "error", "words"),
    [
        (date(2026, 3, 4), SchemaDriftError, "missing columns: ticker, transactions"),
        (date(2026, 3, 5), CorruptFileError, "to its end"),
        (date(2026, 3, 6), CorruptFileError, "Nothing"),
    ],
)
def test_a_file_that_is_broken_as_a_whole_is_refused_whole(
    source: FileSource, tmp_path: Path, day: date, error: type[LookAtDataError], words: str
) -> None:
    [remote] = [r for r in source.list(MINUTES, START, END) if r.file_date == day]
    with pytest.raises(error, match=words):
        load(source, remote, tmp_path)
    assert not (tmp_path / "out.parquet").exists()


@pytest.mark.parametrize("dataset", [DAYS, *OPTIONS])
def test_every_file_without_a_defect_loads_whole(
    tree: Path, source: FileSource, tmp_path: Path, dataset: str
) -> None:
    files = pl.read_parquet(tree / "truth" / "files" / "stage=1.parquet")
    remotes = source.list(dataset, START, END)
    assert len(remotes) == 5
    for remote in remotes:
        parsed, _ = load(source, remote, tmp_path)
        truth = files.filter(key=remote.key)
        assert (parsed.rows, parsed.symbols) == (truth["rows"].item(), truth["symbols"].item())
        assert parsed.refused == ()
        assert parsed.in_order
