"""Where the processor time of a cold command goes: its libraries, our own modules, the work."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.clock import tell

if TYPE_CHECKING:
    from collections.abc import Callable

_RUN = (
    "import os, sys\n"
    "from ingot.cli.main import run\n"
    "code = run(sys.argv[1:])\n"
    "sys.stdout.flush()\n"
    "print(*(n for n, m in sys.modules.items() if getattr(m, '__spec__', None)), file=sys.stderr)\n"
    "os._exit(code)"
)
"""Run a command; the last line on stderr names the modules that it loaded, in their order."""
_LOAD = (
    "import os, sys\n"
    "from importlib import import_module\n"
    "for name in sys.argv[1:]:\n"
    "    import_module(name)\n"
    "os._exit(0)"
)
_TIMES = 5


def main() -> None:
    """Run: profile LAKE TREE LAST_DAY SYMBOL."""
    lake, tree, last, symbol = sys.argv[1:5]
    on = ["--lake", lake]
    span = ["--from", last, "--to", last]
    count = f"SELECT count(*) FROM silver.minute_bars WHERE trade_date = DATE '{last}'"
    commands = {
        "ingot --help": ["--help"],
        "bars of a day": [*on, "bars", symbol, *span],
        "hours of a day": [*on, "bars", symbol, *span, "--interval", "1h"],
        "a SELECT": [*on, "sql", count],
        "nothing new to ingest": [*on, "ingest", "massive", "--source", tree],
        "nothing new to build": [*on, "build"],
    }
    for name, words in commands.items():
        _tell(name, words)
    with tempfile.TemporaryDirectory() as folder:
        empty = Path(folder, "lake")
        _tell(
            "init",
            ["--lake", str(empty), "init"],
            before=lambda: shutil.rmtree(empty, ignore_errors=True),
        )


def _tell(name: str, words: list[str], before: Callable[[], object] = lambda: None) -> None:
    """Tell the least processor seconds of a command, and of parts of it alone."""
    before()
    command = [sys.executable, "-c", _RUN, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    modules = [m for m in done.stderr.splitlines()[-1].split() if m != "__main__"]
    others = [m for m in modules if m.partition(".")[0] != "ingot"]
    load = [sys.executable, "-c", _LOAD]
    whole, all_modules, libraries = (
        _least(c, before) for c in (command, [*load, *modules], [*load, *others])
    )
    tell(
        f"cold: {name}",
        seconds=whole,
        cpu=whole,
        libraries=libraries,
        own=max(0.0, round(all_modules - libraries, 3)),
        work=max(0.0, round(whole - all_modules, 3)),
        modules=len(modules) - len(others),
    )


def _least(command: list[str], before: Callable[[], object]) -> float:
    """Return the least processor seconds of some runs: other work on the machine only adds."""
    found = []
    for _ in range(_TIMES):
        before()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        if os.waitstatus_to_exitcode(status):
            raise RuntimeError(f"{' '.join(command)[-200:]} ended with {status}")
        found.append(usage.ru_utime + usage.ru_stime)
    return round(min(found), 3)


if __name__ == "__main__":
    main()
