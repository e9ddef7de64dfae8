from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SLOW = frozenset(
    {
        "duckdb",
        "exchange_calendars",
        "httpx",
        "isal",
        "numpy",
        "pandas",
        "polars",
        "pyarrow",
        "pyiceberg",
        "pyspark",
        "sqlalchemy",
        "sqlglot",
    }
)
NOT_IN_A_BARE_IMPORT = SLOW | {"click", "obstore", "pydantic", "rich", "typer", "zoneinfo"}


def loaded_by(code: str) -> set[str]:
    """Return the top-level modules that a fresh interpreter holds after running `code`."""
    report = f"{code}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", report], check=True, capture_output=True, text=True, cwd=ROOT
    )
    return set(done.stdout.splitlines()[-1].split())


def test_imports_go_one_way() -> None:
    lint = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert lint.returncode == 0, lint.stdout


def test_importing_the_package_loads_nothing_slow() -> None:
    assert loaded_by("import ingot") & NOT_IN_A_BARE_IMPORT == set()


def test_asking_for_help_loads_no_engine() -> None:
    code = (
        "from contextlib import suppress\n"
        "from ingot.cli.main import main\n"
        "import sys\n"
        "sys.argv = ['ingot', '--help']\n"
        "with suppress(SystemExit):\n"
        "    main()"
    )
    assert loaded_by(code) & SLOW == set()


@pytest.mark.parametrize(
    "module",
    [
        "ingot.config",
        "ingot.errors",
        "ingot.model.calendar",
        "ingot.model.known",
        "ingot.storage.files",
        "ingot.storage.landing",
        "ingot.storage.ledger",
        "ingot.storage.state",
        "ingot.connectors.registry",
        "ingot.connectors.massive",
        "ingot.tables.catalog",
    ],
)
def test_finding_nothing_new_loads_no_engine(module: str) -> None:
    assert loaded_by(f"import {module}") & SLOW == set()


def test_only_who_asks_a_vendor_loads_the_http_client() -> None:
    code = (
        "from ingot.connectors.yahoo import connector\n"
        "source = connector.open_reference('AAPL', connector.settings())"
    )
    assert "httpx" not in loaded_by(code)
    assert "httpx" in loaded_by("import ingot.connectors.rest.exchange")
