"""Signals at awkward moments: while a module loads, and where Python swallows what is raised."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

ENDED = "ingot: interrupted; what was committed stays, run the command again to go on\n"
SIGNALS = [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]


def ended(folder: Path, number: int, work: str) -> subprocess.CompletedProcess[str]:
    """Run some work in a process that listens; `me()` sends it the signal."""
    (folder / "slow.py").write_text(
        f"import os, time\nos.kill(os.getpid(), {number})\ntime.sleep(0.2)\nprint('loaded')\n"
    )
    code = f"""
import os, sys, time
from ingot.cli import interrupts

def me():
    os.kill(os.getpid(), {number})

interrupts.listen()
try:
{textwrap.indent(work, "    ")}
except KeyboardInterrupt as exc:
    sys.exit(interrupts.interrupted(exc))
"""
    words = [sys.executable, "-c", code]
    return subprocess.run(words, capture_output=True, text=True, cwd=folder, check=False)


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_a_signal_during_an_import_waits_until_the_module_is_loaded(
    tmp_path: Path, number: int, code: int
) -> None:
    found = ended(tmp_path, number, "import slow\ntime.sleep(60)")
    assert (found.returncode, found.stdout, found.stderr) == (code, "loaded\n", ENDED)


def test_a_signal_that_a_destructor_swallows_comes_again(tmp_path: Path) -> None:
    work = """
class Swallows:
    def __del__(self):
        me()
        time.sleep(0.01)

Swallows()
time.sleep(60)
"""
    found = ended(tmp_path, signal.SIGTERM, work)
    assert (found.returncode, found.stderr) == (143, ENDED)


def test_clean_up_is_not_disturbed_by_the_signal_that_began_it(tmp_path: Path) -> None:
    work = "try:\n    me()\n    time.sleep(60)\nfinally:\n    time.sleep(0.3)\n    print('clean')"
    found = ended(tmp_path, signal.SIGTERM, work)
    assert (found.returncode, found.stdout, found.stderr) == (143, "clean\n", ENDED)


def test_an_ignored_signal_stays_ignored(tmp_path: Path) -> None:
    code = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
    code += "from ingot.cli import interrupts; interrupts.listen()\n"
    code += "assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN"
    assert subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=False).returncode == 0


def test_reads_that_are_left_open_leave_no_noise_at_exit() -> None:
    code = """
import sys
from ingot.engines.limits import Limits
from ingot.engines.trusted_queries import Reads
import duckdb
duckdb.kept = reads = Reads(Limits(memory_mb=256, threads=1, timeout_s=60, max_rows=10))
try:
    reads.run("select nothing", {})
except Exception as exc:
    sys.kept = exc
"""
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert (found.returncode, found.stderr) == (0, "")
