"""A process under `fault_shim.c` that has imported everything and runs each command in a fork.

Reads one request a line from stdin and writes one reply a line to stdout, both JSON.
"""

from __future__ import annotations

import ctypes
import json
import os
import pkgutil
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import ingot
from ingot.cli.main import run
from tests.support.children import PRELOADED
from tests.support.world import World, at

KINDS = (
    "open read write sync stat list rename link unlink mkdir lock truncate close".split()  # noqa: SIM905
)
"""As in fault_shim.c."""
SKIPPED = ("__main__", "spark", "cell")


def main() -> None:
    """Serve until stdin ends."""
    for module in pkgutil.walk_packages(ingot.__path__, "ingot."):
        if not module.name.endswith(SKIPPED):
            import_module(module.name)
    for name in PRELOADED:
        import_module(name)
    shim = ctypes.CDLL(None)
    shim.fault_hit.restype = ctypes.c_char_p
    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if child == 0:
            serve(shim, request)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


def serve(shim: ctypes.CDLL, request: dict[str, Any]) -> None:
    """Run one command, its streams and what the shim saw in files; end the process."""
    folder = Path(request["folder"])
    for descriptor, name in ((0, os.devnull), (1, folder / "stdout"), (2, folder / "stderr")):
        os.dup2(os.open(name, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600), descriptor)
    os.chdir(folder)
    code = 1
    report: dict[str, Any] = {}
    try:
        if request["arguments"] is None:
            report["fingerprints"] = World(folder / "in").fingerprints(at(20))
            code = 0
        else:
            shim.fault_arm(os.fsencode(folder / "in"), *request["fault"])
            code = run(request["arguments"])
            report["counts"] = {k: shim.fault_count(i) for i, k in enumerate(KINDS)}
            report["hit"] = shim.fault_hit().decode(errors="replace")
            shim.fault_arm(b"/nowhere", -1, 0, 0)
    except BaseException:  # noqa: BLE001 - a traceback is what the tests look for
        report["hit"] = shim.fault_hit().decode(errors="replace")
        shim.fault_arm(b"/nowhere", -1, 0, 0)
        sys.excepthook(*sys.exc_info())
    (folder / "report").write_text(json.dumps(report))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
