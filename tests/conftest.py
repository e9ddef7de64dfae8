"""Fixtures that every test may ask for by name, and the border that no test crosses."""

from __future__ import annotations

import os
import socket
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Callable

RECORDED = Path(__file__).resolve().parents[2] / "shared" / "data"

# A shared machine may take long over one example; that is no finding.
settings.register_profile("ingot", deadline=None, print_blob=True)
settings.load_profile("ingot")


class NetworkBlockedError(RuntimeError):
    """A hermetic test reached for another machine."""


def pytest_configure() -> None:
    """Close the network to this process and the ones that it starts."""
    if os.environ.get("INGOT_TESTS_NETWORK") == "1":
        return
    for name in ("connect", "connect_ex"):
        setattr(socket.socket, name, _only_loopback(getattr(socket.socket, name)))
    # What does not call Python's sockets obeys these: port 9 of the own machine refuses.
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        os.environ[name] = os.environ[name.upper()] = "http://127.0.0.1:9"
    os.environ["no_proxy"] = os.environ["NO_PROXY"] = "localhost,127.0.0.1,::1"


def _only_loopback(connect: Callable[..., Any]) -> Callable[..., Any]:
    def guarded(self: socket.socket, address: Any) -> Any:
        if self.family in {socket.AF_INET, socket.AF_INET6} and not _is_loopback(address[0]):
            raise NetworkBlockedError(
                f"A test wanted to connect to {address[0]}. Tests may only reach 127.0.0.1: "
                "replay recorded bytes from a local server, or mark the test `services`."
            )
        return connect(self, address)

    return guarded


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


@pytest.fixture(scope="session")
def recorded() -> Path:
    """Return the folder of recorded vendor files, which lies beside the project, if anywhere."""
    folder = Path(os.environ.get("INGOT_RECORDED_DATA", RECORDED))
    if not folder.is_dir():
        pytest.skip("the recorded vendor data is not beside the project")
    return folder
