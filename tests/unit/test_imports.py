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


UNUSED_BY_SHORT_COMMANDS = (
    *("polars", "pandas", "sqlglot", "pyiceberg", "sqlalchemy", "exchange_calendars", "isal"),
    *("obstore", "rich", "pyarrow.compute", "pyarrow.parquet", "pyarrow.dataset"),
)
"""Slow modules, some of them in a package that a read needs."""


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake of two days, loaded and refined."""
    folder = tmp_path_factory.mktemp("short")
    market = ("--from", "2025-06-10", "--to", "2025-06-11", "--symbols", "20", "--seed", "7")
    ingot(folder, "simulate", str(folder / "vendor"), *market)
    ingot(folder, "init")
    ingot(folder, "backfill", "massive", "--source", str(folder / "vendor"))
    return folder


def ingot(folder: Path, *words: str) -> set[str]:
    """Run a command on the lake in a folder and return the modules that it loaded."""
    report = (
        "import os, sys\n"
        "from ingot.cli.main import run\n"
        "code = run(sys.argv[1:])\n"
        "sys.stdout.flush()\n"
        "print('', *sys.modules, sep='\\n', file=sys.stderr, flush=True)\n"
        "os._exit(code)"
    )
    command = [sys.executable, "-c", report, "--lake", str(folder / "lake"), *words]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stderr.split())


@pytest.mark.parametrize(
    "words",
    [
        ("bars", "--from", "2025-06-10", "--to", "2025-06-10"),
        ("bars", "--from", "2025-06-10", "--to", "2025-06-10", "--interval", "1h"),
        ("sql", "SELECT count(*) FROM silver.minute_bars"),
        ("build",),
        ("init",),
    ],
    ids=" ".join,
)
def test_a_short_command_loads_no_library_that_it_does_not_use(
    lake: Path, words: tuple[str, ...]
) -> None:
    assert ingot(lake, *words).intersection(UNUSED_BY_SHORT_COMMANDS) == set()


def test_a_new_lake_takes_no_iceberg_library(tmp_path: Path) -> None:
    assert ingot(tmp_path, "init") & {"pyiceberg", "sqlalchemy", "pyarrow", "duckdb"} == set()


@pytest.mark.parametrize(
    "module",
    [
        "ingot.config",
        "ingot.errors",
        "ingot.model.calendar",
        "ingot.model.known_time",
        "ingot.storage.fs.durable",
        "ingot.storage.landing.store",
        "ingot.storage.ledger.ledger",
        "ingot.storage.ledger.state_db",
        "ingot.connectors.registry",
        "ingot.connectors.massive",
        "ingot.tables.registry",
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
    assert "httpx" in loaded_by("import ingot.connectors.transport.http.exchange")
