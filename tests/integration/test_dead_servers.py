"""Addresses at which nobody answers, servers that drip, and ways that others can read."""

from __future__ import annotations

import itertools
import socket
import threading
import time
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from ingot.connectors.massive.connector import connector as massive
from ingot.connectors.transport.backoff import Backoff
from ingot.connectors.transport.http.client import RestClient, RestOptions
from ingot.connectors.transport.http.rate_limit import Gate, Quota
from ingot.connectors.transport.pace import Pace
from ingot.connectors.yahoo import connector as yahoo
from ingot.errors import ConfigError, SourceUnavailableError
from ingot.model.landing import RemoteObject
from tests.support.reference_rows import Answer, patient, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

MINUTES = "us_stocks_sip/minute_aggs_v1"
KEYS = {
    "access_key_id": "AKIDPUBLIC",
    "secret_access_key": "very-secret",
    "rest_api_key": "kEy0123",
}
HEAD = b'HTTP/1.1 200 OK\r\nETag: "one"\r\nLast-Modified: Tue, 03 Jun 2025 10:00:00 GMT\r\n'


@pytest.fixture
def closed() -> str:
    """Return an address of this machine at which nothing listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{taken.getsockname()[1]}"


@contextmanager
def dripping(head: bytes, piece: bytes, seconds: float, *, then: bytes = b"") -> Iterator[str]:
    """Serve `head`, then one `piece` after another without end, or `then` after a request."""
    ended = threading.Event()

    def drip(client: socket.socket) -> None:
        with client:
            try:
                client.recv(65_536)
                client.sendall(head)
                if then:
                    client.recv(65_536)
                while not ended.wait(seconds):
                    client.sendall(then or piece)
            except OSError:
                return

    def accept() -> None:
        while not ended.is_set():
            try:
                threading.Thread(target=drip, args=[server.accept()[0]], daemon=True).start()
            except OSError:
                return

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        ended.set()
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def client(url: str, slept: list[float], **options: Any) -> RestClient:
    return RestClient(RestOptions(url, backoff=patient(slept, attempts=6), **options))


def unknown(*_: object, **__: object) -> None:
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


@pytest.mark.parametrize("how", ["refused", "unknown"])
def test_an_address_at_which_nobody_answers_is_tried_twice(
    closed: str, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    if how == "unknown":
        monkeypatch.setattr(socket, "getaddrinfo", unknown)
    asked = client(closed, slept)
    with pytest.raises(SourceUnavailableError, match=r"refused|not known"):
        asked.get("a")
    assert len(slept) == 1


def test_a_dead_address_is_asked_by_one_call_of_a_client_only(closed: str) -> None:
    slept: list[float] = []
    asked = client(closed, slept)
    for path in ("a", "b", "c"):
        with pytest.raises(SourceUnavailableError, match=f"/{path} failed"):
            asked.get(path)
    assert len(slept) == 1


def test_a_dead_address_that_takes_long_is_tried_once(closed: str) -> None:
    slept: list[float] = []
    clock = itertools.count(step=9.0)  # a resolver that waits for its servers
    with pytest.raises(SourceUnavailableError, match="refused"):
        client(closed, slept, now=lambda: next(clock)).get("a")
    assert slept == []


def test_calls_that_reached_nobody_do_not_spend_the_quota(closed: str) -> None:
    waited: list[float] = []
    gate = Gate((Quota(1, 60.0),), now=lambda: 0.0, sleep=waited.append)
    with pytest.raises(SourceUnavailableError, match="refused"):
        client(closed, [], gate=gate).get("a")
    assert waited == []


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (HEAD + b"Content-Length: 1000000\r\n\r\n", b" "),
        (HEAD + b"\r\n[", b" "),  # its length is not stated: a cut body would look whole
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
        (HEAD + b"X: ", b"x"),
        (b"", b"H"),
    ],
    ids=["length", "no length", "chunked", "header", "status"],
)
def test_a_server_that_drips_is_given_up_within_the_deadline(head: bytes, piece: bytes) -> None:
    slept: list[float] = []
    late = pytest.raises(SourceUnavailableError, match=r"0\.3 s, .* call_deadline_s")
    with dripping(head, piece, 0.02) as url, late:
        client(url, slept, deadline_s=0.3).get("a")
    assert slept == []


def test_a_kept_connection_that_drips_is_given_up_within_the_deadline() -> None:
    whole = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
    with dripping(whole, b"", 0.02, then=b"H") as url:
        asked = client(url, [], deadline_s=0.3)
        assert asked.get("a") == {}
        with pytest.raises(SourceUnavailableError, match=r"0\.3 s, .* call_deadline_s"):
            asked.get("b")


def test_a_slow_line_that_stays_within_the_deadline_is_waited_for() -> None:
    def reply(_: str) -> Answer:
        time.sleep(0.3)
        return Answer(b'{"results": []}')

    with serving(reply) as server:
        assert client(server.url, [], deadline_s=60.0).get("a") == {"results": []}


def bucket(url: str, slept: list[float], *, attempts: int = 6, **settings: Any) -> Any:
    model = massive.settings.model_validate({**KEYS, "endpoint": url, **settings})
    backoff = Backoff(attempts=attempts, sleep=slept.append, jitter=lambda: 1.0)
    return massive.open("s3://flatfiles", model, backoff=backoff)


REMOTE = RemoteObject(
    source="massive",
    dataset=MINUTES,
    file_date=date(2025, 6, 2),
    key=f"{MINUTES}/2025/06/2025-06-02.csv.gz",
    etag='"one"',
    size_bytes=1_000_000,
    last_modified=datetime(2025, 6, 3, 10, tzinfo=UTC),
)


def test_a_dead_endpoint_of_the_bucket_is_tried_twice(closed: str, tmp_path: Path) -> None:
    slept: list[float] = []
    source = bucket(closed, slept)
    with pytest.raises(SourceUnavailableError, match="Look at the endpoint"):
        source.list(MINUTES, date(2025, 6, 1), date(2025, 6, 3))
    with pytest.raises(SourceUnavailableError, match="Look at the endpoint"):
        source.fetch(REMOTE, tmp_path / "to", lambda _: None)
    assert len(slept) == 2


def test_a_download_that_hardly_moves_is_given_up(tmp_path: Path) -> None:
    clock = itertools.count(step=20.0)  # a piece of a few bytes every 20 seconds
    with dripping(HEAD + b"Content-Length: 1000000\r\n\r\n", b"x", 0.01) as url:
        source = bucket(url, [], attempts=1)
        source._now = lambda: next(clock)
        with pytest.raises(SourceUnavailableError, match="least_bytes_per_s"):
            source.fetch(REMOTE, tmp_path / "to", lambda _: None)


@pytest.mark.parametrize(("rate", "slow"), [(999, True), (1001, False)])
def test_the_least_pace_is_measured_over_a_minute(rate: int, *, slow: bool) -> None:
    seconds = itertools.count()
    pace = Pace(1000, now=lambda: float(next(seconds)))
    assert any(pace.is_too_slow(rate) for _ in range(130)) is slow


PLAIN = "http://api.example.com"


@pytest.mark.parametrize(
    "ask",
    [
        lambda **more: RestClient(RestOptions(PLAIN, **more)),
        lambda **more: massive.open_reference(
            PLAIN, massive.settings.model_validate({**KEYS, **more})
        ),
        lambda **more: bucket(PLAIN, [], **more),
        lambda **more: yahoo.open_reference(
            "AAPL", yahoo.settings.model_validate({"base_url": PLAIN, **more})
        ),
    ],
    ids=["client", "massive rest", "massive bucket", "yahoo"],
)
def test_clear_text_to_another_machine_is_refused_unless_allowed(ask: Callable[..., Any]) -> None:
    with pytest.raises(ConfigError, match=r"not encrypted.*Use https, or set allow_http"):
        ask()
    assert ask(allow_http=True) is not None


@pytest.mark.parametrize("host", ["127.0.0.1:80", "127.1.2.3", "[::1]:80", "localhost"])
def test_this_machine_may_be_asked_in_clear_text(host: str) -> None:
    assert repr(RestClient(RestOptions(f"http://{host}"))).startswith("RestClient(")


@pytest.mark.parametrize("host", ["127.0.0.1.example.com", "localhost.example.com", "10.0.0.1"])
def test_a_name_like_this_machine_s_is_another(host: str) -> None:
    with pytest.raises(ConfigError, match="not encrypted"):
        RestClient(RestOptions(f"http://{host}"))


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file with a new key and a certificate of localhost that it signed itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "localhost.pem"
    path.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        + signed.public_bytes(Encoding.PEM)
    )
    return path


def test_a_key_does_not_follow_a_redirect_from_https_to_http(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with serving(lambda _: Answer(b"{}")) as plain:
        away = {"Location": plain.url.replace("127.0.0.1", "localhost")}
        replies = {"/a": Answer(b"{}"), "/b": Answer(status=302, headers=away)}
        with serving(replies.__getitem__, certificate=certificate) as server:
            asked = client(server.url, [], headers={"Authorization": "Bearer kEy0123"})
            assert asked.get("a") == {}
            with pytest.raises(SourceUnavailableError, match="to another host, localhost"):
                asked.get("b")
    assert server.headers[0]["Authorization"] == "Bearer kEy0123"
    assert plain.asked == []


def test_a_certificate_that_this_machine_does_not_trust_is_refused(certificate: Path) -> None:
    with (
        serving(lambda _: Answer(b"{}"), certificate=certificate) as server,
        pytest.raises(SourceUnavailableError, match="CERTIFICATE_VERIFY_FAILED"),
    ):
        client(server.url, []).get("a")
    assert server.asked == []


def test_calls_of_one_source_share_a_connection() -> None:
    with serving(lambda _: Answer(b"{}"), keep=True) as server:
        asked = client(server.url, [])
        for path in ("a", "b", "c"):
            assert asked.get(path) == {}
    assert server.asked == ["/a", "/b", "/c"]
    assert len(server.connections) == 1


def test_a_redirect_on_the_same_host_keeps_the_key() -> None:
    replies = {"/a": Answer(status=307, headers={"Location": "/b?c=1"}), "/b?c=1": Answer(b"[1]")}
    with serving(replies.__getitem__) as server:
        asked = client(server.url, [], headers={"Authorization": "Bearer kEy0123"})
        assert asked.get("a") == [1]
    assert [headers["Authorization"] for headers in server.headers] == ["Bearer kEy0123"] * 2


def test_redirects_in_a_circle_end() -> None:
    with (
        serving(lambda _: Answer(status=302, headers={"Location": "/a"})) as server,
        pytest.raises(SourceUnavailableError, match="redirected more than 10 times"),
    ):
        client(server.url, []).get("a")


def test_the_proxy_of_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(lambda _: Answer(b"{}")) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "")
        assert client(PLAIN, [], allow_http=True).get("a") == {}
    assert proxy.asked == [f"{PLAIN}/a"]


def test_no_proxy_is_asked_for_this_machine(closed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", closed)
    monkeypatch.setenv("no_proxy", "")
    with serving(lambda _: Answer(b"{}")) as server:
        assert client(server.url, []).get("a") == {}


def test_a_proxy_of_another_kind_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("all_proxy", "socks5://127.0.0.1:9")
    with pytest.raises(ConfigError, match="proxy of the environment cannot be used"):
        client(PLAIN, [], allow_http=True).get("a")


@pytest.mark.parametrize("key", ["kEy\n0123", "kEy\r0123", "kEy\u00e90123", "kEy\x000123"])
def test_a_key_that_no_header_can_hold_is_refused_and_not_shown(key: str) -> None:
    with (
        serving(lambda _: Answer(b"{}")) as server,
        pytest.raises(ConfigError, match=r"Authorization.*HTTP does not allow") as caught,
    ):
        client(server.url, [], headers={"Authorization": f"Bearer {key}"}).get("a")
    assert "0123" not in str(caught.value)
    assert server.asked == []


def test_the_bucket_s_key_does_not_follow_a_redirect(tmp_path: Path) -> None:
    with serving(lambda _: Answer(b"x")) as other:
        head = f"HTTP/1.1 302 Found\r\nLocation: {other.url}/x\r\nContent-Length: 0\r\n\r\n"
        with dripping(head.encode(), b"", 1.0) as url:
            bucket(url, []).fetch(REMOTE, tmp_path / "to", lambda _: None)
    assert other.headers
    assert not any("Authorization" in headers for headers in other.headers)
