"""A connector outside this repository: installed, loaded by the command line, uninstalled."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., subprocess.CompletedProcess[str]]

PACKAGE = Path(__file__).parents[2] / "examples" / "connector_package"
DAY = "day;code;o;h;l;c;size\n2025-06-02;AAPL;100;103;99;102.25;10\n2025-06-02;NA;1;1;1;1;3\n"
CHECK = """
import sys
from datetime import date
from pathlib import Path
from daybook.connector import connector
from ingot.testing import check_connector
check_connector(connector, sys.argv[1], "daybook/days", start=date(2025, 6, 1),
    end=date(2025, 6, 9), folder=Path(sys.argv[2]))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that the package is installed into, as `pip install --target` does."""
    folder = tmp_path_factory.mktemp("built")
    shutil.copytree(PACKAGE, folder / "package")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=folder / "package", check=True, capture_output=True)
    [wheel] = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(folder / "site")
    return folder / "site"


def ran(*arguments: str, site: Path | None) -> subprocess.CompletedProcess[str]:
    """Run Python with or without the package."""
    environ = {**os.environ, "PYTHONPATH": str(site) if site else ""}
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=False, env=environ
    )


def test_the_example_keeps_the_contract(tmp_path: Path, installed: Path) -> None:
    files, folder = tmp_path / "files", tmp_path / "check"
    files.mkdir()
    folder.mkdir()
    (files / "2025-06-02.txt").write_text(DAY)
    (files / "2025-06-03.txt").write_text(DAY.replace("06-02", "06-03"))
    done = ran("-c", CHECK, str(files), str(folder), site=installed)
    assert done.returncode == 0, done.stderr


@pytest.mark.services
def test_its_files_load_refine_and_stay_readable_without_it(
    tmp_path: Path, installed: Path
) -> None:
    files, lake = tmp_path / "files", str(tmp_path / "lake")
    files.mkdir()
    (files / "2025-06-02.txt").write_text(DAY)

    def ingot(*arguments: str, site: Path | None = installed) -> str:
        done = ran("-m", "ingot", "--lake", lake, *arguments, site=site)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "daybook" in ingot("ingest", "--help")
    assert "--lot" in ingot("ingest", "daybook", "--help")
    ingot("init")
    ingot("ingest", "daybook", "--source", str(files), "--lot", "100")
    ingot("build")
    read = (
        "sql",
        "select symbol, close, volume from silver.day_bars order by 1",
        "--format",
        "csv",
    )
    expected = "symbol,close,volume\nAAPL,102.25,1000\nNA,1,300\n"
    with (tmp_path / "lake" / "ingot.toml").open("a") as settings:
        settings.write("\n[daybook]\nlot = 100\n")
    assert ingot(*read) == expected
    assert ingot(*read, site=None) == expected
    assert "daybook/days" in ingot("landings", site=None)
    ingot("build", site=None)
    (files / "2025-06-03.txt").write_text(DAY.replace("06-02", "06-03"))
    again = ("ingest", "daybook", "--source", str(files))
    other = ran("-m", "ingot", "--lake", lake, *again, "--lot", "10", site=installed)
    assert other.returncode == 2
    assert "was loaded with lot=100, not with lot=10. Give the options" in other.stderr
    ingot(*again, "--lot", "100")
    unknown = ran("-m", "ingot", "--lake", lake, "ingest", "daybok", site=installed)
    assert (unknown.returncode, "Did you mean daybook?" in unknown.stderr) == (2, True)
