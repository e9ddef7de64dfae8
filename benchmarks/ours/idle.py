"""Nothing new: `ingot ingest massive` in a cold process, over a lake of many days."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.clock import repeated, timed
from benchmarks.market import DAYS, MINUTES
from ingot.app.context.lake_context import init, open_parts
from ingot.app.context.load_request import LoadRequest
from ingot.app.pipeline.ingest import ingest


def main() -> None:
    """Run: idle TREE LAKE; the lake is loaded first unless it was."""
    tree, lake = Path(sys.argv[1]), Path(sys.argv[2])
    if not (lake / "whole").exists():
        with timed("many days loaded") as figures:
            figures["rows"] = _load(tree, lake)
        (lake / "whole").touch()
    ingot = [str(Path(sys.executable).with_name("ingot")), "--lake", str(lake)]
    command = [*ingot, "ingest", "massive", "--source", str(tree)]
    command += ["--dataset", MINUTES, "--dataset", DAYS]
    _run(command)
    repeated("idle ingest", lambda _: _run(command), times=5, warm=1)
    repeated("idle build", lambda _: _run([*ingot, "build"]), times=3, warm=1)


def _load(tree: Path, lake: Path) -> int:
    shutil.rmtree(lake, ignore_errors=True)
    init(lake)
    parts = open_parts(lake, environ=os.environ)
    report = ingest(parts, LoadRequest("massive", str(tree), (MINUTES, DAYS)))
    parts.close()
    return sum(day.rows for day in report.days)


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr}")


if __name__ == "__main__":
    main()
