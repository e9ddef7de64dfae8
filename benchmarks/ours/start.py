"""What a user waits for before anything happens: the import, the help, a first answer."""

from __future__ import annotations

import statistics
import subprocess
import sys
from pathlib import Path

from benchmarks.clock import repeated, tell

INGOT = str(Path(sys.executable).with_name("ingot"))
_IMPORT = "import time; b = time.perf_counter(); import ingot; print(time.perf_counter() - b)"
_ANSWER = (
    "import sys, ingot; "
    "ingot.open(sys.argv[1]).bars(sys.argv[2], start=sys.argv[3], interval='1m').to_arrow()"
)


def main() -> None:
    """Run: start LAKE LAST_DAY SYMBOL."""
    lake, last, symbol = sys.argv[1:4]
    python = [sys.executable, "-c"]
    seconds = [float(_out([*python, _IMPORT])) for _ in range(9)][2:]
    tell("import ingot", seconds=round(statistics.median(seconds), 4), best=min(seconds))
    repeated("bare python", lambda _: _out([*python, "pass"]), times=7)
    repeated("ingot --help", lambda _: _out([INGOT, "--help"]), times=7)
    repeated(
        "cold answer",
        lambda _: _out([*python, _ANSWER, lake, symbol, last]),
        times=5,
        warm=1,
    )


def _out(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    main()
