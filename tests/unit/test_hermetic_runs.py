from __future__ import annotations

import os
import socket
import time

import pytest

pytestmark = pytest.mark.skipif(
    os.environ.get("INGOT_TESTS_NETWORK") == "1", reason="this run may use the network"
)


def test_a_connection_to_another_machine_is_refused_before_a_packet_leaves() -> None:
    # 192.0.2.1 is reserved for documentation (RFC 5737).
    with (
        socket.socket() as sock,
        pytest.raises(RuntimeError, match=r"wanted to connect to 192\.0\.2\.1"),
    ):
        sock.connect(("192.0.2.1", 443))


def test_a_connection_by_name_is_refused_as_well() -> None:
    with (
        socket.socket() as sock,
        pytest.raises(RuntimeError, match=r"replay recorded bytes"),
    ):
        sock.connect_ex(("vendor.example", 443))


def test_the_own_machine_may_be_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as client:
        client.connect(server.getsockname())
        assert client.getpeername() == server.getsockname()


@pytest.mark.skipif("CI" not in os.environ, reason="a single test may be run in any zone")
def test_make_test_runs_in_a_zone_that_is_not_utc() -> None:
    assert time.timezone != 0
