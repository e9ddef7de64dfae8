"""Our own connectors keep the contract that `ingot.testing` holds a stranger's to."""

from __future__ import annotations

import logging
from datetime import date
from typing import TYPE_CHECKING

import boto3
import pytest
from moto.moto_server.threaded_moto_server import ThreadedMotoServer

from ingot.connectors.registry import connector
from ingot.simulator.simulate import simulate
from ingot.testing import check_connector
from tests.support.world import DAYS, MINUTES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

START, END = date(2025, 6, 2), date(2025, 6, 5)
BUCKET = "connector-contract"
SECRET = "a-secret-key-that-nobody-may-see"  # noqa: S105 (of no one)
FILES = {
    "actions.csv": "symbol,ex_date,kind,cash\nA,2025-05-02,cash_dividend,0.5\n",
    "instruments.csv": "id,symbol,valid_from\n1,A,2000-01-03\n",
    "factor_files/a.csv": "20250501,0.99,0.5,50\n20501231,1,1,0\n",
    "map_files/a.csv": "20000103,a,N\n20501231,a,N\n",
}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return three simulated days of a vendor's tree, and the actions of a month."""
    folder = tmp_path_factory.mktemp("tree")
    simulate(folder, start=START, end=END, symbols=20, seed=7, datasets=(MINUTES, DAYS))
    simulate(folder, start=date(2025, 5, 5), end=START, symbols=20, seed=7, datasets=(DAYS,))
    return folder


@pytest.fixture(scope="module")
def endpoint(tree: Path) -> Iterator[str]:
    """Return an S3 server that has the tree's files in a bucket of its own."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    client = boto3.client(
        "s3",
        endpoint_url=f"http://{host}:{port}",
        region_name="us-east-1",
        aws_access_key_id="AKID",
        aws_secret_access_key=SECRET,
    )
    client.create_bucket(Bucket=BUCKET)  # servers of one process share their buckets
    for path in tree.rglob("*.csv.gz"):
        key = path.relative_to(tree).as_posix()
        client.put_object(Bucket=BUCKET, Key=key, Body=path.read_bytes())
    yield f"http://{host}:{port}"
    server.stop()


@pytest.mark.parametrize("place", ["folder", "bucket"])
@pytest.mark.parametrize("dataset", [MINUTES, DAYS])
def test_massive_keeps_the_contract(
    tmp_path: Path, tree: Path, endpoint: str, dataset: str, place: str
) -> None:
    found = connector("massive")
    keys = {"access_key_id": "AKID", "secret_access_key": SECRET}
    listed = check_connector(
        found,
        str(tree) if place == "folder" else f"s3://{BUCKET}",
        dataset,
        start=START,
        end=END,
        folder=tmp_path,
        settings=found.settings.model_validate({**keys, "endpoint": endpoint}),
        secrets=[SECRET],
    )
    days = ("2025-06-02", "2025-06-03", "2025-06-04")
    assert listed == tuple(f"{dataset}/2025/06/{day}.csv.gz" for day in days)


@pytest.mark.parametrize(
    ("dataset", "keys"),
    [
        ("actions", ("actions/splits", "actions/dividends")),
        ("instruments", ("instruments/tickers",)),
    ],
)
def test_rest_data_of_massive_keeps_the_contract(
    tmp_path: Path, tree: Path, dataset: str, keys: tuple[str, ...]
) -> None:
    found = connector("massive")
    listed = check_connector(
        found,
        str(tree),
        dataset,
        start=START,
        end=END,
        folder=tmp_path,
        settings=found.settings.model_validate({"rest_api_key": SECRET}),
        lines=False,  # a landed object is all pages of a query
        secrets=[SECRET],
    )
    assert listed == keys


@pytest.mark.parametrize(
    ("name", "dataset", "place", "key"),
    [
        ("csv", "actions", "actions.csv", "actions/actions.csv"),
        ("csv", "instruments", "instruments.csv", "instruments/instruments.csv"),
        ("lean", "actions", "", "actions/factor_files/a.csv"),
        ("lean", "instruments", "", "instruments/map_files/a.csv"),
    ],
)
def test_reference_data_keeps_the_contract(
    tmp_path: Path, name: str, dataset: str, place: str, key: str
) -> None:
    for path, text in FILES.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    check = tmp_path / "check"
    check.mkdir()
    location = str(tmp_path / place)
    found = connector(name)
    lines = name == "csv"  # a landed object of LEAN joins two files
    keys = check_connector(
        found, location, dataset, start=START, end=END, folder=check, lines=lines
    )
    assert keys == (key,)


def test_a_connector_that_breaks_the_contract_is_told_how(tmp_path: Path) -> None:
    (tmp_path / "actions.csv").write_text(FILES["actions.csv"])
    with pytest.raises(AssertionError, match="csv has no dataset quotes"):
        check_connector(
            connector("csv"),
            str(tmp_path / "actions.csv"),
            "quotes",
            start=START,
            end=END,
            folder=tmp_path,
        )
