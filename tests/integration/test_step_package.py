"""A table that a package outside of Ingot derives: installed, built, read, uninstalled."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING
from zipfile import ZipFile

import polars as pl
import pytest

from docs import markdown
from tests.support.world import MINUTES, World, at

if TYPE_CHECKING:
    from pathlib import Path

EXAMPLE = markdown.ROOT / "examples" / "step_package"


class Shell:
    """Runs the command line in processes of its own, with a folder of installed packages."""

    def __init__(self, world: World, packages: Path) -> None:
        self.world, self.packages = world, packages

    def run(self, *words: str, code: int = 0) -> tuple[str, str]:
        environ = {**os.environ, "PYTHONPATH": str(self.packages)}
        command = [sys.executable, "-m", "ingot", "--lake", str(self.world.root), *words]
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stderr
        return done.stdout, done.stderr

    def sql(self, text: str, *words: str) -> pl.DataFrame:
        out, _ = self.run("sql", text, *words, "--format", "csv")
        return pl.read_csv(out.encode())


def install(target: Path) -> None:
    """Put the example into a folder as pip does: its wheel, unpacked."""
    source, wheels = target.parent / "source", target.parent / "wheels"
    shutil.copytree(EXAMPLE, source)
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(wheels)]
    subprocess.run(build, cwd=source, check=True, capture_output=True)
    (wheel,) = wheels.glob("*.whl")
    ZipFile(wheel).extractall(target)


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    folder = tmp_path_factory.mktemp("packages")
    world = World(folder, symbols=20, datasets=(MINUTES,))
    world.publish()
    assert world.backfill(at(1)).exit_code == 0
    world.publish(stage=2)
    assert world.backfill(at(14)).exit_code == 0
    packages = folder / "site"
    packages.mkdir()
    return Shell(world, packages)


@pytest.mark.services  # six processes of the command line: 15 s of processor time
def test_a_package_adds_a_table_that_is_built_read_and_missed(shell: Shell) -> None:
    shell.run("sql", "select 1 from gold.monthly_bars", code=2)
    install(shell.packages)
    _, told = shell.run("--now", at(15).isoformat(), "build")
    assert "gold.monthly_bars: 1 month" in told
    _, told = shell.run("--now", at(15).isoformat(), "build")
    assert "nothing new, changed or stale" in told

    # The same by a second formula, from the daily bars that it is made of.
    days = "select symbol, high, volume, close, trade_date from gold.daily_bars"
    for moment in ("2025-07-02", "2025-07-16"):
        then = ("--known-at", moment)
        expected = (
            shell.sql(days, *then)
            .sort("trade_date")
            .group_by("symbol")
            .agg(
                pl.col("high").max(),
                pl.col("volume").sum().round(4),
                pl.col("close").drop_nulls().last(),
                pl.len().alias("days"),
            )
            .sort("symbol")
        )
        columns = "symbol, high, volume, close, days"
        found = shell.sql(f"select {columns} from gold.monthly_bars order by 1", *then)
        assert found.with_columns(pl.col("volume").round(4)).equals(
            expected.with_columns(pl.col("days").cast(pl.Int64))
        )
    versions = shell.sql("select count(*) n from gold.monthly_bars_history").item()
    assert versions > len(shell.sql("select symbol from gold.monthly_bars"))

    assert "gold.monthly_bars" in shell.run("tables")[0]
    assert "Close of the last day" in shell.run("describe", "gold.monthly_bars")[0]
    assert "gold.monthly_bars" in shell.run("status")[0]

    shutil.rmtree(shell.packages)
    shell.packages.mkdir()
    _, told = shell.run("sql", "select * from gold.monthly_bars", code=2)
    assert "Install ingot-monthly-bars 0.1.0 to read it." in " ".join(told.split())
    assert len(shell.sql("select symbol from gold.daily_bars limit 5")) == 5
    assert "no installed package declares it" in " ".join(shell.run("status")[1].split())
    _, told = shell.run("--now", at(16).isoformat(), "build")
    assert "nothing new, changed or stale" in told
