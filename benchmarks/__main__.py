"""Ingot and its peers, one process after the other, and one table of ratios.

    python -m benchmarks --days 20 --symbols 11000 --peers polars,duckdb,clickhouse,spark

The market is simulated once and kept in `--out`, with every lake and database made of it. No two
processes run at once. With `--repeat` everybody works in turns, round by round, and the median is
shown. Absolute figures are this machine's; the ratios of one run are the result.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import time
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import page, table
from benchmarks.actor import run
from benchmarks.market import FIRST, Market
from benchmarks.runs import Told

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from benchmarks.actor import Figures

PEERS = {
    "polars": ("benchmarks.peers.polars_bare", "polars"),
    "duckdb": ("benchmarks.peers.duckdb_native", "duckdb"),
    "clickhouse": ("benchmarks.peers.clickhouse", "chdb"),
    "spark": ("benchmarks.peers.spark", "pyspark"),
}
"""Peer -> the module that runs it, and the library that it needs."""
STEPS = ("floors", "load", "silver", "reads", "replace", "plan", "idle", "start", "profile")
_PEERS_STEPS = {"load", "silver", "reads"}
"""What peers do, all of it in one go."""
_ROUND = ("load", "silver", "reads", "replace")
_ONCE = ("plan", "idle", "start", "profile")
"""What repeats itself within its process."""
_FULL_SIZE = 10_000
"""Symbols from which a day is of a real market's size."""
_IDLE_SYMBOLS = 20


def main() -> int:
    """Run what was asked for; return 1 when a process failed or counts disagree."""
    asked = _arguments()
    if asked.page and (absent := _missing(asked)):
        print(f"--page wants a whole run, and this one lacks {'; '.join(absent)}", file=sys.stderr)
        return 2
    bench = Bench(asked)
    for _ in range(asked.repeat):
        bench.round()
    for step in _ONCE:
        if step in asked.steps:
            getattr(bench, step)()
    return bench.report()


class Bench:
    """One run: what was asked, and what the processes told."""

    def __init__(self, asked: argparse.Namespace) -> None:
        self._asked = asked
        self.out = Path(asked.out).resolve()
        self.out.mkdir(parents=True, exist_ok=True)
        self._log = self.out / "log.txt"
        self._log.unlink(missing_ok=True)
        self._began = time.time()
        self._load_before = os.getloadavg()[0]
        self.told = Told()
        self.failures: list[str] = []
        self._full_size = asked.symbols >= _FULL_SIZE
        self.tree = self.out / f"tree-{asked.days}-{asked.symbols}"
        self._lake = self.out / "lake"
        self._simulate(self.tree, FIRST.isoformat(), asked.days, asked.symbols)
        self._market = Market(self.tree)

    def round(self) -> None:
        """Everybody's work once, ours first."""
        steps = [step for step in _ROUND if step in self._asked.steps]
        for step in steps:
            getattr(self, step)()
        if _PEERS_STEPS.intersection(steps):
            self.peers()
        if "floors" in self._asked.steps:
            self.take("floor", "benchmarks.floors", [self.tree, self.out])

    def load(self) -> None:
        """csv.gz to committed bronze."""
        self.take("ingot", "benchmarks.ours.load", [self.tree, self._lake, self._asked.strategy])

    def silver(self) -> None:
        """Bronze to silver and gold, of a lake that holds bronze only."""
        self.take("ingot", "benchmarks.ours.refine", [self._lake, self._asked.strategy])

    def reads(self) -> None:
        """Reads through the front door."""
        days = self._market.days
        first = days[-20] if len(days) >= 20 else days[0]
        symbols = self._market.symbols()
        self.take("ingot", "benchmarks.ours.reads", [self._lake, first, days[-1], *symbols])

    def replace(self) -> None:
        """Replace the last day that the vendor has published again with other rows."""
        for day in reversed(self._market.days):
            tree = self.out / f"tree-again-{day}-{self._asked.symbols}"
            self._simulate(tree, day.isoformat(), 1, self._asked.symbols, stage=2)
            if Market(tree).content(day) != self._market.content(day):
                self.take("ingot", "benchmarks.ours.replace", [tree, self._lake])
                return
            shutil.rmtree(tree)

    def plan(self) -> None:
        """Plan one day among many."""
        for name, count in (("few", self._scaled(250)), ("many", self._scaled(2_500))):
            folder = self.out / f"planned-{count}"
            self.take("ingot", "benchmarks.ours.many", [folder, count, f"plan {name}"])

    def idle(self) -> None:
        """Nothing new to load, in a cold process."""
        days = self._scaled(250)
        tree, lake = self.out / f"idle-tree-{days}", self.out / f"idle-lake-{days}"
        self._simulate(tree, "2024-06-03", days, _IDLE_SYMBOLS)
        self.take("ingot", "benchmarks.ours.idle", [tree, lake])

    def start(self) -> None:
        """Import, help, first answer."""
        last, symbols = self._market.days[-1], self._market.symbols()
        self.take("ingot", "benchmarks.ours.start", [self._lake, last, symbols[0]])

    def profile(self) -> None:
        """Say where the time of a cold command goes."""
        last, symbols = self._market.days[-1], self._market.symbols()
        self.take("ingot", "benchmarks.ours.profile", [self._lake, self.tree, last, symbols[0]])

    def peers(self) -> None:
        """Run each peer that is installed."""
        for peer in self._asked.peers:
            module, library = PEERS[peer]
            if find_spec(library) is None:
                print(f"{peer}: skipped, {library} is not installed here (make bench installs it)")
                continue
            symbols = self._market.symbols()
            self.take(peer, module, [self._market.minutes, self.out / "peers", *symbols])
        shutil.rmtree(self.out / "peers", ignore_errors=True)

    def take(self, actor: str, module: str, arguments: list[object]) -> None:
        """Run one process and keep what it tells of each step."""
        began = time.perf_counter()
        ran = run(module, [str(a) for a in arguments], log=self._log)
        for step, figures in ran.steps.items():
            self.told.take(actor, step, figures)
        print(f"{module}: {time.perf_counter() - began:.1f} s", flush=True)
        if ran.failure:
            self.failures.append(ran.failure)

    def report(self) -> int:
        """Print the table, write it with all figures beside it, and return the exit code."""
        told = self.told.merged()
        about = self._about(told)
        actors = [peer for peer in self._asked.peers if peer in told]
        rows = table.rows_of(told, actors, full_size=self._full_size)
        print(f"\n{about}\n\n{table.text(rows)}\n")
        self.failures += _disagreements(told)
        for failure in self.failures:
            print(f"FAILED: {failure}")
        (self.out / "results.md").write_text(f"{about}\n\n{table.markdown(rows)}")
        document = {"about": about, "told": told, "failures": self.failures}
        (self.out / "results.json").write_text(json.dumps(document, indent=1) + "\n")
        print(f"All figures: {self.out / 'results.json'}")
        if self._asked.page and not self.failures:
            page.write(about, table.markdown(rows))
            page.write_profile(about, told)
        return 1 if self.failures else 0

    def _simulate(self, tree: Path, first: str, days: int, symbols: int, *, stage: int = 1) -> None:
        ran = run(
            "benchmarks.market",
            [str(tree), first, str(days), str(symbols), str(stage)],
            log=self._log,
        )
        if ran.failure:
            sys.exit(ran.failure)

    def _scaled(self, count: int) -> int:
        return count if self._full_size else max(20, count // 25)

    def _about(self, told: Mapping[str, Mapping[str, Figures]]) -> str:
        days, size = len(self._market.days), self._market.gzip_bytes / 1e6
        rows = told.get("ingot", {}).get("stored", {}).get("rows", 0)
        rounds = self._asked.repeat
        return (
            f"{datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, {os.cpu_count()} cores, "
            f"Python {platform.python_version()}; {days} generated days of "
            f"{self._asked.symbols:,} symbols, {rows / 1e6:.1f} M minute rows, {size:,.0f} MB of "
            f"gzip; {f'median of {rounds} rounds' if rounds > 1 else 'one round'}; load average "
            f"{self._load_before:.1f} before and {os.getloadavg()[0]:.1f} after; "
            f"{time.time() - self._began:.0f} s in all"
        )


def _missing(asked: argparse.Namespace) -> list[str]:
    """Return what a whole run of days of a real size has and this one lacks."""
    installed = {peer for peer in asked.peers if find_spec(PEERS[peer][1]) is not None}
    absent = page.missing(
        {"steps": set(STEPS), "peers": set(PEERS)},
        {"steps": set(asked.steps), "peers": installed},
    )
    if asked.symbols < _FULL_SIZE:
        absent.append(f"days of {_FULL_SIZE:,} symbols")
    return absent


def _disagreements(told: Mapping[str, Mapping[str, Figures]]) -> list[str]:
    found = []
    for step in ("load", "silver"):
        rows = {a: t[step]["rows"] for a, t in told.items() if step in t}
        if len(set(rows.values())) > 1:
            found.append(f"the rows of {step} differ: {rows}")
    return found


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--days", type=int, default=20, help="trade dates (20)")
    parser.add_argument(
        "--symbols", type=int, default=11_000, help="symbols a day (11000); fewer are a try-out"
    )
    parser.add_argument(
        "--peers", type=_list_of(PEERS), default=list(PEERS), help=f"some of {','.join(PEERS)}"
    )
    parser.add_argument(
        "--steps", type=_list_of(STEPS), default=list(STEPS), help=f"some of {','.join(STEPS)}"
    )
    parser.add_argument(
        "--repeat", type=int, default=1, help="rounds in which everybody works in turn (1)"
    )
    parser.add_argument(
        "--page", action="store_true", help="write benchmarks/results.md; wants a whole run"
    )
    parser.add_argument("--strategy", default="auto", choices=("auto", "sequential", "parallel"))
    parser.add_argument("--out", default="benchmarks/out", help="folder that keeps everything")
    return parser.parse_args()


def _list_of(known: Collection[str]) -> Callable[[str], list[str]]:
    def parse(value: str) -> list[str]:
        names = [name for name in value.split(",") if name]
        for name in names:
            if name not in known:
                raise argparse.ArgumentTypeError(f"{name} is none of {', '.join(known)}")
        return names

    return parse


if __name__ == "__main__":
    sys.exit(main())
