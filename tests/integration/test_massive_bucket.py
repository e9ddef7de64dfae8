"""The bucket against the S3 protocol: moto for the ordinary, our own server for the faults."""

from __future__ import annotations

import logging
import os
import threading
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto.moto_server.threaded_moto_server import ThreadedMotoServer

from ingot.connectors.massive.connector import connector
from ingot.connectors.massive.settings import MassiveSettings
from ingot.connectors.transport.backoff import Backoff
from ingot.errors import (
    ConfigError,
    EntitlementError,
    IngotError,
    NotPublishedError,
    RateLimitedError,
    SourceUnavailableError,
    StorageFullError,
)
from ingot.model.landing import RemoteObject

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingot.connectors.base import FileSource

MINUTES = "us_stocks_sip/minute_aggs_v1"
KEY_ID, SECRET = "AKIDPUBLIC", "very-secret-key"
ATTEMPTS = 3


def open_at(location: str, endpoint: str, waits: list[float] | None = None) -> FileSource:
    settings = MassiveSettings.model_validate(
        {
            "endpoint": endpoint,
            "access_key_id": KEY_ID,
            "secret_access_key": SECRET,
            "read_timeout_s": 5,
        }
    )
    slept = [] if waits is None else waits
    backoff = Backoff(attempts=ATTEMPTS, sleep=slept.append, jitter=lambda: 1.0)
    return connector.open(location, settings, backoff=backoff)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(endpoint: str) -> Iterator[Any]:
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=KEY_ID,
        aws_secret_access_key=SECRET,
    )
    client.create_bucket(Bucket="flatfiles")
    yield client
    for found in client.list_objects_v2(Bucket="flatfiles").get("Contents", []):
        client.delete_object(Bucket="flatfiles", Key=found["Key"])
    client.delete_bucket(Bucket="flatfiles")
    client.close()


def put(bucket: Any, key: str, content: bytes = b"content") -> str:
    return str(bucket.put_object(Bucket="flatfiles", Key=key, Body=content)["ETag"])


def test_a_listing_has_the_days_of_the_span_and_nothing_strange(bucket: Any, endpoint: str) -> None:
    for day in ("2025-05-30", "2025-06-02", "2025-06-03", "2025-07-01"):
        tag = put(bucket, f"{MINUTES}/{day[:4]}/{day[5:7]}/{day}.csv.gz", day.encode())
    put(bucket, f"{MINUTES}/2025/06/2025-06-02.csv.gz.part")
    put(bucket, f"{MINUTES}/2025/06/2025-05-04.csv.gz")
    put(bucket, "us_stocks_sip/minute_aggs_v12/2025/06/2025-06-04.csv.gz")
    found = open_at("s3://", endpoint).list(MINUTES, date(2025, 6, 1), date(2025, 7, 2))
    assert [r.file_date.isoformat() for r in found] == ["2025-06-02", "2025-06-03", "2025-07-01"]
    last = found[-1]
    assert (last.source, last.dataset, last.size_bytes, last.etag) == ("massive", MINUTES, 10, tag)
    assert last.key == f"{MINUTES}/2025/07/2025-07-01.csv.gz"
    assert last.last_modified is not None
    assert abs(datetime.now(UTC) - last.last_modified) < timedelta(minutes=5)
    assert [
        r.file_date.day
        for r in open_at("s3://", endpoint).list(MINUTES, date(2025, 6, 3), date(2025, 7, 1))
    ] == [3]


def test_a_prefix_is_no_part_of_the_keys(bucket: Any, endpoint: str) -> None:
    put(bucket, f"mirror/of/{MINUTES}/2025/06/2025-06-02.csv.gz", b"bytes")
    source = open_at("s3://flatfiles/mirror/of", endpoint)
    [remote] = source.list(MINUTES, date(2025, 6, 1), date(2025, 7, 1))
    assert remote.key == f"{MINUTES}/2025/06/2025-06-02.csv.gz"


def test_fetched_bytes_are_the_objects(bucket: Any, endpoint: str, tmp_path: Path) -> None:
    content = os.urandom(3_500_000)
    put(bucket, f"{MINUTES}/2025/06/2025-06-02.csv.gz", content)
    source = open_at("s3://", endpoint)
    [remote] = source.list(MINUTES, date(2025, 6, 1), date(2025, 7, 1))
    told: list[int] = []
    fetched = source.fetch(remote, tmp_path / "to", told.append)
    assert (tmp_path / "to").read_bytes() == content
    assert (fetched.sha256, fetched.size_bytes) == (sha256(content).hexdigest(), len(content))
    assert (fetched.etag, fetched.last_modified) == (None, None)
    assert sum(told) == len(content)


def test_an_object_replaced_after_the_listing_arrives_with_its_own_tag(
    bucket: Any, endpoint: str, tmp_path: Path
) -> None:
    put(bucket, f"{MINUTES}/2025/06/2025-06-02.csv.gz", b"first")
    source = open_at("s3://", endpoint)
    [remote] = source.list(MINUTES, date(2025, 6, 1), date(2025, 7, 1))
    tag = put(bucket, remote.key, b"second")
    fetched = source.fetch(remote, tmp_path / "to", lambda _: None)
    assert (tmp_path / "to").read_bytes() == b"second"
    assert fetched.etag == tag != remote.etag


def test_an_absent_object_is_not_published(bucket: Any, endpoint: str, tmp_path: Path) -> None:
    put(bucket, f"{MINUTES}/2025/06/2025-06-02.csv.gz")
    source = open_at("s3://", endpoint)
    [remote] = source.list(MINUTES, date(2025, 6, 1), date(2025, 7, 1))
    bucket.delete_object(Bucket="flatfiles", Key=remote.key)
    with pytest.raises(NotPublishedError, match=r"2025-06-02.*404"):
        source.fetch(remote, tmp_path / "to", lambda _: None)


def test_a_bucket_that_is_not_there_is_named(endpoint: str) -> None:
    with pytest.raises(ConfigError, match="no bucket at s3://elsewhere/"):
        open_at("s3://elsewhere", endpoint).list(MINUTES, date(2025, 6, 1), date(2025, 7, 1))


def test_an_unknown_dataset_is_answered_before_anything_is_asked() -> None:
    with pytest.raises(ConfigError, match="Did you mean us_stocks_sip/minute_aggs_v1"):
        open_at("s3://", "http://127.0.0.1:9").list("minute_aggs_v1", date.min, date.max)


@dataclass
class Vendor:
    """A store whose every reply is scripted; remembers what it was asked."""

    content: bytes = b""
    tag: str = '"one"'
    faults: list[str] = field(default_factory=list)
    asked: list[tuple[str | None, str | None]] = field(default_factory=list)
    """(Range, If-Match) of each request."""
    headers: list[dict[str, str]] = field(default_factory=list)
    url: str = ""
    waits: list[float] = field(default_factory=list)

    @property
    def source(self) -> FileSource:
        return open_at("s3://", self.url, self.waits)

    @property
    def remote(self) -> RemoteObject:
        return RemoteObject(
            source="massive",
            dataset=MINUTES,
            file_date=date(2025, 6, 2),
            key=f"{MINUTES}/2025/06/2025-06-02.csv.gz",
            etag='"one"',
            size_bytes=len(self.content),
            last_modified=datetime(2025, 6, 3, 10, tzinfo=UTC),
        )

    def fetch(self, to: Path, told: list[int] | None = None) -> Any:
        return self.source.fetch(self.remote, to, ([] if told is None else told).append)


class Replies(BaseHTTPRequestHandler):
    """One scripted reply for each request, then the whole object."""

    vendor: Vendor
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        vendor = self.vendor
        vendor.asked.append((self.headers["Range"], self.headers["If-Match"]))
        vendor.headers.append(dict(self.headers))
        fault = vendor.faults.pop(0) if vendor.faults else ""
        if fault.isdigit():
            self._error(int(fault))
            return
        if fault == "changed":
            vendor.content, vendor.tag = b"the second version of it", '"two"'
        if self.headers["If-Match"] not in {None, vendor.tag}:
            self._error(412)
            return
        self._object(fault)

    def _error(self, status: int) -> None:
        body = f"<Error><Code>SlowDown</Code><Key>{KEY_ID} {SECRET}</Key></Error>".encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _object(self, fault: str) -> None:
        content, asked = self.vendor.content, self.headers["Range"]
        ranged = asked is not None and fault != "ignore range"
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if ranged else 0
        self.send_response(206 if ranged else 200)
        if ranged:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.send_header("ETag", self.vendor.tag)
        self.send_header("Last-Modified", "Tue, 03 Jun 2025 10:00:00 GMT")
        self.end_headers()
        rest = content[start:]
        self.wfile.write(rest[: len(rest) // 2] if fault == "break" else rest)
        if fault == "break":
            self.wfile.flush()
            self.close_connection = True

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    told = Vendor(content=os.urandom(400_000))
    handler = type("Handler", (Replies,), {"vendor": told})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    told.url = f"http://127.0.0.1:{server.server_port}"
    yield told
    server.shutdown()
    thread.join()
    server.server_close()


def test_after_a_break_only_the_rest_of_the_same_version_is_asked_for(
    vendor: Vendor, tmp_path: Path
) -> None:
    vendor.faults = ["break", "break"]
    told: list[int] = []
    fetched = vendor.fetch(tmp_path / "to", told)
    assert (tmp_path / "to").read_bytes() == vendor.content
    assert fetched.sha256 == sha256(vendor.content).hexdigest()
    assert vendor.asked[0] == (None, None)
    starts = [_start(asked) for asked, tag in vendor.asked[1:] if tag == '"one"']
    assert 100_000 < starts[0] <= 200_000
    assert starts[0] < starts[1] <= 300_000
    assert sum(told) == len(vendor.content)
    assert min(told) > 0
    assert vendor.waits == [0.5, 1.0]


def _start(asked: str | None) -> int:
    assert asked is not None
    return int(asked.removeprefix("bytes=").removesuffix("-"))


def test_an_object_that_changes_under_the_download_is_fetched_anew(
    vendor: Vendor, tmp_path: Path
) -> None:
    vendor.faults = ["break", "changed"]
    told: list[int] = []
    fetched = vendor.fetch(tmp_path / "to", told)
    assert (tmp_path / "to").read_bytes() == b"the second version of it"
    assert fetched.etag == '"two"'
    assert fetched.last_modified == datetime(2025, 6, 3, 10, tzinfo=UTC)
    assert fetched.sha256 == sha256(b"the second version of it").hexdigest()
    assert sum(told) == len(b"the second version of it")
    assert vendor.asked[-1] == (None, None)


def test_a_server_that_ignores_ranges_is_asked_for_the_whole(
    vendor: Vendor, tmp_path: Path
) -> None:
    vendor.faults = ["break", "ignore range"]
    assert vendor.fetch(tmp_path / "to").sha256 == sha256(vendor.content).hexdigest()
    assert vendor.asked[-1] == (None, None)


def test_a_server_that_recovers_is_waited_for(vendor: Vendor, tmp_path: Path) -> None:
    vendor.faults = ["503", "500"]
    assert vendor.fetch(tmp_path / "to").size_bytes == len(vendor.content)
    assert vendor.waits == [0.5, 1.0]


@pytest.mark.parametrize(
    ("fault", "error", "words", "asked"),
    [
        ("403", EntitlementError, "plan does not cover", 1),
        ("401", EntitlementError, "key pair is wrong", 1),
        ("404", NotPublishedError, "no such object", 1),
        ("429", RateLimitedError, "put off.*429", ATTEMPTS),
        ("503", RateLimitedError, "put off.*503", ATTEMPTS),
        ("500", RateLimitedError, "put off.*SlowDown", ATTEMPTS),
        ("break", SourceUnavailableError, "failed again and again", ATTEMPTS),
        ("412", SourceUnavailableError, "failed again and again", ATTEMPTS),
    ],
)
def test_a_failure_that_stays_says_what_to_do_and_no_key(
    *,
    vendor: Vendor,
    tmp_path: Path,
    fault: str,
    error: type[IngotError],
    words: str,
    asked: int,
) -> None:
    vendor.faults = [fault] * 9
    with pytest.raises(error, match=words) as caught:
        vendor.fetch(tmp_path / "to")
    assert len(vendor.asked) == asked
    assert vendor.remote.key in str(caught.value)
    shown = f"{caught.value} {caught.value.__cause__}"
    assert KEY_ID not in shown
    assert SECRET not in shown


def test_a_rate_limit_says_when_to_come_back(vendor: Vendor, tmp_path: Path) -> None:
    vendor.faults = ["503"] * 9
    with pytest.raises(RateLimitedError, match="put off") as caught:
        vendor.fetch(tmp_path / "to")
    assert caught.value.retry_after_s == 30.0


def test_a_listing_fails_like_a_download(vendor: Vendor) -> None:
    span = (MINUTES, date(2025, 6, 1), date(2025, 7, 1))
    vendor.faults = ["403"]
    with pytest.raises(EntitlementError, match=f"Listing {MINUTES}"):
        vendor.source.list(*span)
    vendor.faults = ["503"] * 9
    with pytest.raises(RateLimitedError, match=f"Listing {MINUTES}"):
        vendor.source.list(*span)
    assert vendor.waits == [0.5, 1.0]


def test_a_server_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    nobody = Vendor(url="http://127.0.0.1:9")
    with pytest.raises(SourceUnavailableError, match="Look at the endpoint"):
        nobody.fetch(tmp_path / "to")
    with pytest.raises(SourceUnavailableError, match=f"Listing {MINUTES}"):
        nobody.source.list(MINUTES, date(2025, 6, 1), date(2025, 7, 1))


def test_a_session_of_somebody_elses_service_is_not_sent_along(
    vendor: Vendor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_SESSION_TOKEN", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "somebody-elses")
    vendor.fetch(tmp_path / "to")
    sent = " ".join(f"{name}: {value}" for name, value in vendor.headers[0].items())
    assert "somebody-elses" not in sent
    assert f"Credential={KEY_ID}/" in sent
    assert SECRET not in sent


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
def test_a_full_disk_is_not_the_vendors_fault(vendor: Vendor) -> None:
    with pytest.raises(StorageFullError, match="quota is full"):
        vendor.fetch(Path("/dev/full"))
    assert len(vendor.asked) == 1
