"""Commands that run while one system call of theirs fails, and what is left of them.

The calls fail below Python, in `fault_shim.c`, so that SQLite, DuckDB, Polars and Arrow meet the
fault too, each in its own way.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.fault_server import KINDS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from random import Random
    from typing import Self

HERE = Path(__file__).parent
NOTHING = (-1, 0, 0)
"""The fault of a command that nothing disturbs."""
READ_ONLY = (len(KINDS), 0, errno.EROFS)
FULL = (len(KINDS), 0, errno.ENOSPC)
"""A disk on which nothing can be written, or made, for as long as the command runs."""
ERRORS: Mapping[str, Sequence[int]] = {
    "open": (errno.EIO, errno.EACCES, errno.EMFILE, errno.ESTALE),
    "read": (errno.EIO, errno.ESTALE),
    "write": (errno.ENOSPC, errno.EIO, errno.EDQUOT),
    "sync": (errno.EIO, errno.ENOSPC),
    "stat": (errno.EIO, errno.EACCES, errno.ESTALE),
    "list": (errno.EIO, errno.EACCES, errno.EMFILE),
    "rename": (errno.EIO, errno.EROFS, errno.ENOSPC),
    "link": (errno.EIO, errno.EROFS, errno.ENOSPC),
    "unlink": (errno.EIO, errno.EROFS),
    "mkdir": (errno.ENOSPC, errno.EROFS, errno.EACCES),
    "lock": (errno.EIO, errno.ENOLCK),
    "truncate": (errno.EIO, errno.ENOSPC),
    "close": (errno.EIO,),
}
"""What each kind of call really fails with."""


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int
    out: str
    err: str
    hit: str
    """The call that failed; empty when the command never came to it."""
    counts: Mapping[str, int] = field(default_factory=dict)
    fingerprints: Mapping[str, str] = field(default_factory=dict)


class FaultServer:
    """Runs commands in forks of a process under the shim."""

    def __init__(self, shim: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.fault_server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=HERE.parents[1],
            env={**os.environ, "LD_PRELOAD": str(shim)},
            text=True,
        )

    def run(
        self, folder: Path, arguments: Sequence[str] | None, fault: tuple[int, int, int] = NOTHING
    ) -> Outcome:
        """Run a command in `folder`, its lake and all else in `folder/in`; None: fingerprints."""
        request = {"folder": str(folder), "arguments": arguments, "fault": fault}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        code = int(self._process.stdout.readline())
        report = json.loads((folder / "report").read_text())
        return Outcome(
            code=code,
            out=(folder / "stdout").read_text(errors="replace"),
            err=(folder / "stderr").read_text(errors="replace"),
            hit=report.get("hit", ""),
            counts=report.get("counts", {}),
            fingerprints=report.get("fingerprints", {}),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()


def compiled(folder: Path) -> Path:
    """Return the shim, built for this machine; skip the test where that cannot be."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or sys.platform != "linux":
        pytest.skip("the shim that fails system calls needs Linux and a C compiler")
    shim = folder / "fault_shim.so"
    built = subprocess.run(
        [compiler, "-shared", "-fPIC", "-O1", "-o", str(shim), str(HERE / "fault_shim.c"), "-ldl"],
        capture_output=True,
        text=True,
        check=False,
    )
    if built.returncode:
        pytest.skip(f"the shim cannot be compiled here: {built.stderr[:300]}")
    return shim


def drawn(random: Random, counts: Mapping[str, int]) -> tuple[int, int, int]:
    """Return a fault of one of the calls that a command makes: every kind is as likely."""
    kind = random.choice([kind for kind in KINDS if counts[kind]])
    nth = random.randint(1, counts[kind])
    return KINDS.index(kind), nth, random.choice(ERRORS[kind])
