"""What every source of reference data keeps, whatever its vendor."""

from __future__ import annotations

import json
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest

from ingot.app.context.lake_context import init, open_parts
from ingot.app.load.sources import open_source
from ingot.connectors.base import FileConnector, ReferenceConnector
from ingot.connectors.registry import connector, connector_names
from ingot.errors import ConfigError
from ingot.storage.landing.records import folder_path
from ingot.tables import bronze, silver
from ingot.testing import check_connector
from tests.support.reference_rows import END, START, Answer, land, load, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ingot.connectors.base import FileSource

TABLES = {
    "actions": (bronze.CORPORATE_ACTIONS, silver.CORPORATE_ACTIONS),
    "instruments": (bronze.INSTRUMENTS, silver.INSTRUMENTS),
    "bars_1d": (bronze.REST_DAY_BARS, silver.DAY_BARS),
}
CHART = {
    "meta": {
        "currency": "USD",
        "symbol": "A",
        "exchangeTimezoneName": "America/New_York",
        "regularMarketTime": 0,
    },
    "timestamp": [1746192600, 1746451800],
    "events": {
        "dividends": {"1": {"date": 1746192600, "amount": 0.5}},
        "splits": {"2": {"date": 1746451800, "numerator": 2, "denominator": 1}},
    },
    "indicators": {
        "quote": [{key: [1.0, 2.0] for key in ("open", "high", "low", "close", "volume")}],
        "adjclose": [{"adjclose": [1.0, 2.0]}],
    },
}
REST = {
    "stocks__v1__splits": [
        {
            "id": "s",
            "ticker": "A",
            "execution_date": "2025-05-05",
            "split_from": 1,
            "split_to": 2,
            "adjustment_type": "forward_split",
        }
    ],
    "stocks__v1__dividends": [
        {"id": "d", "ticker": "A", "ex_dividend_date": "2025-05-02", "cash_amount": 0.5}
    ],
    "v3__reference__tickers": [{"ticker": "A", "composite_figi": "BBG000C2V3D6", "type": "CS"}],
}


@contextmanager
def opened(name: str, folder: Path) -> Iterator[dict[str, FileSource]]:
    """Open a connector's reference data about one symbol A; by dataset."""
    found = connector(name)
    assert isinstance(found, ReferenceConnector)
    if name == "yahoo":
        body = json.dumps({"chart": {"result": [CHART], "error": None}}).encode()
        with serving(lambda _: Answer(body)) as server:
            settings = found.settings.model_validate({"base_url": server.url})
            source = found.open_reference("A", settings)
            yield dict.fromkeys(("actions", "bars_1d"), source)
        return
    places = _places(name, folder)
    yield {n: found.open_reference(str(p), found.settings()) for n, p in places.items()}


def _places(name: str, folder: Path) -> dict[str, Path]:
    folder.mkdir(exist_ok=True)
    files = {
        "actions.csv": "symbol,ex_date,kind,cash\nA,2025-05-02,cash_dividend,0.5\n",
        "instruments.csv": "id,symbol,valid_from\n1,A,2000-01-03\n",
        "factor_files/a.csv": "20250501,0.99,0.5,50\n20501231,1,1,0\n",
        "map_files/a.csv": "20000103,a,N\n20501231,a,N\n",
        **{f"rest/{k}.json": json.dumps({"status": "OK", "results": v}) for k, v in REST.items()},
    }
    for path, text in files.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(text)
    if name == "csv":
        return {n: folder / f"{n}.csv" for n in ("actions", "instruments")}
    return dict.fromkeys(("actions", "instruments"), folder)


NAMES = ("csv", "lean", "massive", "yahoo")
CASES = [
    (name, dataset)
    for name in NAMES
    for dataset in ("actions", "bars_1d" if name == "yahoo" else "instruments")
]
each = pytest.mark.parametrize(("name", "dataset"), CASES)


def test_every_connector_but_the_calendar_is_tried() -> None:
    assert set(connector_names()) - {"bars", "sessions", "table"} == set(NAMES)


@pytest.mark.parametrize("dataset", ["actions", "bars_1d"])
def test_charts_of_yahoo_keep_the_contract(tmp_path: Path, dataset: str) -> None:
    found = connector("yahoo")
    body = json.dumps({"chart": {"result": [CHART], "error": None}}).encode()
    with serving(lambda _: Answer(body)) as server:
        keys = check_connector(
            found,
            "A",
            dataset,
            start=START,
            end=END,
            folder=tmp_path,
            settings=found.settings.model_validate({"base_url": server.url}),
            lines=False,  # an object is an answer as JSON
        )
    assert len(keys) == 1
    assert keys[0].startswith(f"{dataset}/")


@each
def test_a_dataset_names_its_tables(tmp_path: Path, name: str, dataset: str) -> None:
    with opened(name, tmp_path / "in") as sources:
        found = sources[dataset].datasets[dataset]
        assert not any(d.per_day for d in sources[dataset].datasets.values())
    assert (found.bronze, found.silver) == TABLES[dataset]
    assert connector(name).datasets[dataset] == found


@each
def test_keys_are_safe_paths_and_the_same_every_time(
    tmp_path: Path, name: str, dataset: str
) -> None:
    with opened(name, tmp_path / "in") as sources:
        source = sources[dataset]
        listed = source.list(dataset, START, END)
        assert listed == source.list(dataset, START, END)
    assert listed
    assert len({remote.key for remote in listed}) == len(listed)
    for remote in listed:
        assert folder_path("versions", name, remote.key) == f"versions/{name}/{remote.key}"
        assert remote.key.startswith(f"{dataset}/")
        assert (remote.source, remote.dataset) == (name, dataset)
        assert remote.file_date == END - timedelta(days=1)
        assert bool(remote.etag) == (name in {"csv", "lean"})


@each
def test_the_same_answer_gives_the_same_bytes_and_rows(
    tmp_path: Path, name: str, dataset: str
) -> None:
    with opened(name, tmp_path / "in") as sources:
        one = load(sources[dataset], dataset, tmp_path / "1", limit_pct=0.0)
        two = load(sources[dataset], dataset, tmp_path / "2", limit_pct=0.0)
    assert one.landed == two.landed
    assert one.rows == two.rows
    assert {row["symbol"] for row in one.rows} == {"A"}


@each
def test_rows_are_numbered_once(tmp_path: Path, name: str, dataset: str) -> None:
    with opened(name, tmp_path / "in") as sources:
        rows = load(sources[dataset], dataset, tmp_path / "out").rows
    keys = [(row["landing_id"], row["row_number"]) for row in rows]
    assert len(set(keys)) == len(keys) > 0


@each
def test_another_day_gives_the_same_rows_under_its_date(
    tmp_path: Path, name: str, dataset: str
) -> None:
    with opened(name, tmp_path / "in") as sources:
        source = sources[dataset]
        remote = source.list(dataset, START, END)[0]
        landing = land(source, remote, tmp_path / "content")
        later = replace(landing, file_date=landing.file_date + timedelta(days=1), ordinal=2)
        tables = []
        for n, version in enumerate((landing, later)):
            to = tmp_path / f"{n}.parquet"
            source.parse(version, tmp_path / "content", to, limit_pct=0.0)
            tables.append(pq.read_table(to))
    lineage = ["file_date", "landing_id"]
    assert tables[0].drop_columns(lineage) == tables[1].drop_columns(lineage)
    assert tables[1]["landing_id"].to_pylist()[0] == later.landing_id


@each
def test_an_answer_is_out_when_its_day_ends(tmp_path: Path, name: str, dataset: str) -> None:
    with opened(name, tmp_path / "in") as sources:
        source = sources[dataset]
        assert source.published_at(date(2025, 6, 2)) == datetime(2025, 6, 3, tzinfo=UTC)
        assert source.rule == "reference-observed-1"
        assert source.name == name


@each
def test_a_dataset_that_there_is_not_is_named(tmp_path: Path, name: str, dataset: str) -> None:
    del dataset
    with opened(name, tmp_path / "in") as sources:
        source = sources["actions"]
        with pytest.raises(ConfigError, match="dataset of"):
            source.list("quotes", START, END)


@pytest.mark.parametrize("name", ["csv", "lean", "yahoo"])
def test_what_has_no_market_files_says_what_to_do(tmp_path: Path, name: str) -> None:
    assert not isinstance(connector(name), FileConnector)
    init(tmp_path / "lake")
    with (
        closing(open_parts(tmp_path / "lake", environ={})) as parts,
        pytest.raises(ConfigError, match=r"no market files.*ingot ingest"),
    ):
        open_source(parts, name, "somewhere")
