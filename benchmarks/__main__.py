"""Ingot and its peers, one process after the other, and one table of ratios.

    python -m benchmarks --days 20 --symbols 11000 --peers polars,duckdb,clickhouse,spark

The market is simulated once and kept in `--out`, with every lake and database made of it. No two
processes run at once. Absolute figures are this machine's; the ratios of one run are the result.
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

from benchmarks import table
from benchmarks.actor import Figures, run
from benchmarks.market import FIRST, Market

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

PEERS = {
    "polars": ("benchmarks.peers.polars_bare", "polars"),
    "duckdb": ("benchmarks.peers.duckdb_native", "duckdb"),
    "clickhouse": ("benchmarks.peers.clickhouse", "chdb"),
    "spark": ("benchmarks.peers.spark", "pyspark"),
}
"""Peer -> the module that runs it, and the library that it needs."""
STEPS = ("floors", "load", "silver", "reads", "replace", "plan", "idle", "start")
_PEERS_STEPS = {"load", "silver", "reads"}
"""What peers do, all of it in one go."""
_FULL_SIZE = 10_000
"""Symbols from which a day is of a real market's size."""
_IDLE_SYMBOLS = 20


def main() -> int:
    """Run what was asked for; return 1 when a process failed or counts disagree."""
    asked = _arguments()
    bench = Bench(asked)
    for step in ("load", "silver", "reads", "replace", "plan", "idle", "start"):
        if step in asked.steps:
            getattr(bench, step)()
        if step == "reads" and _PEERS_STEPS.intersection(asked.steps):
            bench.peers()
    if "floors" in asked.steps:
        bench.take("floor", "benchmarks.floors", [bench.tree, bench.out])
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
        self.told: dict[str, dict[str, Figures]] = {}
        self.failures: list[str] = []
        self._full_size = asked.symbols >= _FULL_SIZE
        self.tree = self.out / f"tree-{asked.days}-{asked.symbols}"
        self._lake = self.out / "lake"
        self._simulate(self.tree, FIRST.isoformat(), asked.days, asked.symbols)
        self._market = Market(self.tree)

    def load(self) -> None:
        """csv.gz to committed bronze."""
        self.take("ingot", "benchmarks.ours.load", [self.tree, self._lake, self._asked.strategy])

    def silver(self) -> None:
        """Bronze to silver and gold, of a lake that holds bronze only."""
        again = self.out / "lake-again"
        for _ in range(self._asked.repeat - 1):
            shutil.rmtree(again, ignore_errors=True)
            shutil.copytree(self._lake, again)
            self.take("ingot", "benchmarks.ours.refine", [again, self._asked.strategy], again=False)
        shutil.rmtree(again, ignore_errors=True)
        self.take(
            "ingot", "benchmarks.ours.refine", [self._lake, self._asked.strategy], again=False
        )

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
                self.take("ingot", "benchmarks.ours.replace", [tree, self._lake], again=False)
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

    def take(self, actor: str, module: str, arguments: list[object], *, again: bool = True) -> None:
        """Run one process as often as asked for, and keep the best that it tells of each step."""
        kept = self.told.setdefault(actor, {})
        for _ in range(self._asked.repeat if again else 1):
            began = time.perf_counter()
            ran = run(module, [str(a) for a in arguments], log=self._log)
            for step, figures in ran.steps.items():
                kept[step] = best(kept.get(step), figures)
            print(f"{module}: {time.perf_counter() - began:.1f} s", flush=True)
            if ran.failure:
                self.failures.append(ran.failure)
                return

    def report(self) -> int:
        """Print the table, write it with all figures beside it, and return the exit code."""
        actors = [peer for peer in self._asked.peers if peer in self.told]
        rows = table.rows_of(self.told, actors, full_size=self._full_size)
        print(f"\n{self._about()}\n\n{table.text(rows)}\n")
        self.failures += self._disagreements()
        for failure in self.failures:
            print(f"FAILED: {failure}")
        (self.out / "results.md").write_text(f"{self._about()}\n\n{table.markdown(rows)}")
        document = {"about": self._about(), "told": self.told, "failures": self.failures}
        (self.out / "results.json").write_text(json.dumps(document, indent=1) + "\n")
        print(f"All figures: {self.out / 'results.json'}")
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

    def _about(self) -> str:
        days, size = len(self._market.days), self._market.gzip_bytes / 1e6
        rows = self.told.get("ingot", {}).get("stored", {}).get("rows", 0)
        return (
            f"{datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, {os.cpu_count()} cores, "
            f"Python {platform.python_version()}; {days} generated days of "
            f"{self._asked.symbols:,} symbols, {rows / 1e6:.1f} M minute rows, {size:,.0f} MB of "
            f"gzip; load average {os.getloadavg()[0]:.1f}; {time.time() - self._began:.0f} s in all"
        )

    def _disagreements(self) -> list[str]:
        found = []
        for step in ("load", "silver"):
            rows = {a: t[step]["rows"] for a, t in self.told.items() if step in t}
            if len(set(rows.values())) > 1:
                found.append(f"the rows of {step} differ: {rows}")
        return found


def best(one: Figures | None, other: Figures) -> Figures:
    """Return the figures of the faster run, with the greater peak memory of both."""
    if one is None:
        return other
    faster = min(one, other, key=lambda figures: figures.get("seconds", 0))
    return {**faster, "peak_mb": max(one["peak_mb"], other["peak_mb"])}


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
        "--repeat", type=int, default=1, help="run each process so often, keep the best (1)"
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
