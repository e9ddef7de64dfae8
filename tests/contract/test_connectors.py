"""Our own connectors keep the contract that `ingot.testing` holds a stranger's to."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from ingot.connectors.registry import connector
from ingot.simulator.simulate import simulate
from ingot.testing import check_connector
from tests.support.world import DAYS, MINUTES

if TYPE_CHECKING:
    from pathlib import Path

START, END = date(2025, 6, 2), date(2025, 6, 5)
SECRET = "a-secret-key-that-nobody-may-see"  # noqa: S105 (of no one)
FILES = {
    "actions.csv": "symbol,ex_date,kind,cash\nA,2025-05-02,cash_dividend,0.5\n",
    "instruments.csv": "id,symbol,valid_from\n1,A,2000-01-03\n",
    "factor_files/a.csv": "20250501,0.99,0.5,50\n20501231,1,1,0\n",
    "map_files/a.csv": "20000103,a,N\n20501231,a,N\n",
}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return three simulated days of a vendor's tree."""
    folder = tmp_path_factory.mktemp("tree")
    simulate(folder, start=START, end=END, symbols=20, seed=7, datasets=(MINUTES, DAYS))
    return folder


@pytest.mark.parametrize("dataset", [MINUTES, DAYS])
def test_massive_keeps_the_contract(tmp_path: Path, tree: Path, dataset: str) -> None:
    found = connector("massive")
    settings = found.settings.model_validate({"secret_access_key": SECRET})
    keys = check_connector(
        found,
        str(tree),
        dataset,
        start=START,
        end=END,
        folder=tmp_path,
        settings=settings,
        secrets=[SECRET],
    )
    days = ("2025-06-02", "2025-06-03", "2025-06-04")
    assert keys == tuple(f"{dataset}/2025/06/{day}.csv.gz" for day in days)


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
