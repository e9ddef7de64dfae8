"""The vendor's bucket, behind its S3-compatible endpoint (massive.com/docs/flat-files/quickstart).

Listing works on every prefix even without entitlement, reading gives 403 outside the plan: so a
403 is never taken for absence, and an absence never for a missing entitlement.
"""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from obstore.exceptions import BaseError
from obstore.store import S3Store

from ingot.connectors.base import Fetched
from ingot.connectors.massive.datasets import NAME
from ingot.connectors.massive.flatfiles.keys import day_of, key_of
from ingot.connectors.massive.flatfiles.s3_errors import Reply, explain, reply_of, words_of
from ingot.connectors.massive.flatfiles.source import MassiveFiles
from ingot.connectors.transport.clear_text import require_private
from ingot.connectors.transport.hashing_writer import Receiver
from ingot.connectors.transport.pace import WINDOW_S, Pace
from ingot.errors import ConfigError
from ingot.model.landing import RemoteObject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import date
    from pathlib import Path

    from obstore import GetOptions, ObjectMeta
    from obstore.store import S3Credential
    from pydantic import SecretStr

    from ingot.connectors.massive.settings import MassiveSettings
    from ingot.connectors.transport.backoff import Backoff

_PAGE: Final = 1_000
_PIECE_BYTES: Final = 1
"""Every piece as it arrives: a break loses nothing, and a drip of bytes is noticed."""
_DEAD_TRIES: Final = 2
_ONE_DAY: Final = timedelta(days=1)


def open_bucket(place: str, settings: MassiveSettings, backoff: Backoff) -> BucketSource:
    """Return the source at `place`, `bucket[/prefix]`; without a bucket, that of the settings.

    Raises:
        ConfigError: The key pair is missing or incomplete.
    """
    key_id, secret = settings.access_key_id, settings.secret_access_key
    if key_id is None or secret is None:
        raise ConfigError(
            "Reading the flat files of massive needs the S3 key pair of its dashboard. Give it as "
            "INGOT_MASSIVE__ACCESS_KEY_ID and INGOT_MASSIVE__SECRET_ACCESS_KEY, or in secrets.toml."
        )
    bucket, _, prefix = place.strip("/").partition("/")
    bucket = bucket or settings.bucket
    require_private(settings.endpoint, allow_http=settings.allow_http)
    store = S3Store(
        bucket,
        prefix=prefix or None,
        endpoint=settings.endpoint,
        region=settings.region,
        virtual_hosted_style_request=False,
        # A provider, not a key pair: beside a key pair the library would take a session token
        # from the environment, which belongs to somebody else's service.
        credential_provider=lambda: _credential(key_id, secret),
        client_options={
            "allow_http": settings.endpoint.startswith("http://"),
            "connect_timeout": timedelta(seconds=settings.connect_timeout_s),
            "read_timeout": timedelta(seconds=settings.read_timeout_s),
            "timeout": timedelta(hours=6),
        },
        retry_config={"max_retries": 0},
    )
    location = f"s3://{bucket}/{prefix} at {settings.endpoint}"
    return BucketSource(location, store, settings, backoff)


def _credential(key_id: SecretStr, secret: SecretStr) -> S3Credential:
    return {
        "access_key_id": key_id.get_secret_value(),
        "secret_access_key": secret.get_secret_value(),
        "expires_at": None,
    }


class BucketSource(MassiveFiles):
    """Objects of one bucket, at the vendor's own keys below an optional prefix."""

    def __init__(
        self,
        location: str,
        store: S3Store,
        settings: MassiveSettings,
        backoff: Backoff,
        *,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(location, settings, backoff)
        self._now = now
        self._store = store

    def list(self, dataset: str, start: date, end: date) -> Sequence[RemoteObject]:
        """Return the objects there for file dates in `[start, end)`, ascending.

        Keys rise with the date, so the listing starts behind the day before `start` and ends
        at `end`: one request per thousand days.

        Raises:
            EntitlementError: The endpoint refuses the key pair.
            RateLimitedError: The endpoint asks for fewer requests, again and again.
            SourceUnavailableError: It does not answer, or with errors of its own.
            ConfigError: The dataset is unknown.
        """
        self._dataset(dataset)
        failures = 0
        while True:
            try:
                found = sorted(self._listed(dataset, start, end), key=_file_date)
            except (BaseError, OSError) as exc:
                if reply_of(exc) is Reply.ABSENT:
                    raise ConfigError(
                        f"There is no bucket at {self._location}. Name it in the location, "
                        "s3://bucket[/prefix], or in the setting bucket of massive."
                    ) from None
                failures += 1
                self._wait_or_raise(exc, f"Listing {dataset}", failures)
            else:
                return found

    def fetch(self, remote: RemoteObject, to: Path, advance: Callable[[int], None]) -> Fetched:
        """Write the object's bytes to `to`, hashing them.

        After a break it asks for the rest of the same version (Range, If-Match); when the object
        changed meanwhile it begins anew with the version there now.

        Raises:
            EntitlementError: The plan does not cover the object.
            NotPublishedError: There is no such object.
            RateLimitedError: The endpoint asks for fewer requests, again and again.
            SourceUnavailableError: It does not answer, or breaks off, again and again.
            StorageFullError: The disk is full.
        """
        failures = 0
        with Receiver(to, advance) as receiver:
            least = self._settings.least_bytes_per_s
            transfer = _Transfer(self._store, remote.key, receiver, least, self._now)
            while not transfer.is_complete:
                try:
                    transfer.go_on()
                except (BaseError, OSError, _BrokenOffError) as exc:
                    failures += 1
                    self._wait_or_raise(exc, f"Fetching {remote.key}", failures)
            return transfer.fetched(remote)

    def _listed(self, dataset: str, start: date, end: date) -> Iterator[RemoteObject]:
        behind = key_of(dataset, start - _ONE_DAY)
        for page in self._store.list(f"{dataset}/", offset=behind, chunk_size=_PAGE):
            yield from _remotes(dataset, page, start, end)
            if page and page[-1]["path"] >= key_of(dataset, end):
                return

    def _wait_or_raise(self, exc: Exception, doing: str, failures: int) -> None:
        """Wait before the next try, or raise what the failure means for the caller."""
        reply = reply_of(exc)
        dead = reply is Reply.UNREACHABLE and failures >= _DEAD_TRIES
        if reply.is_final or dead or self._backoff.is_spent(failures):
            secrets = (self._settings.access_key_id, self._settings.secret_access_key)
            words = words_of(exc, secrets)
            # Not chained: the library's own text may repeat a key that the endpoint sent back.
            raise explain(reply, doing, words, retry_after_s=self._backoff.longest_s) from None
        if reply is not Reply.CHANGED:
            self._backoff.wait(failures)


def _remotes(
    dataset: str, page: Sequence[ObjectMeta], start: date, end: date
) -> Iterator[RemoteObject]:
    for meta in page:
        day = day_of(dataset, meta["path"])
        if day is not None and start <= day < end:
            yield RemoteObject(
                source=NAME,
                dataset=dataset,
                file_date=day,
                key=meta["path"],
                etag=_tag(meta),
                size_bytes=meta["size"],
                last_modified=meta["last_modified"],
            )


def _file_date(remote: RemoteObject) -> date:
    return remote.file_date


def _tag(meta: ObjectMeta) -> str:
    return meta["e_tag"] or f"{meta['size']}-{meta['last_modified'].isoformat()}"


class _BrokenOffError(Exception):
    """A reply ended before the object did."""


class _Transfer:
    """One object on its way, over as many requests as it takes."""

    def __init__(
        self,
        store: S3Store,
        key: str,
        receiver: Receiver,
        least_bytes_per_s: int,
        now: Callable[[], float],
    ) -> None:
        self._least = least_bytes_per_s
        self._now = now
        self._store = store
        self._key = key
        self._receiver = receiver
        self._meta: ObjectMeta | None = None

    @property
    def is_complete(self) -> bool:
        """Return True if all bytes of one version are there."""
        return self._meta is not None and self._receiver.size_bytes == self._meta["size"]

    def go_on(self) -> None:
        """Ask for what is missing, and take it until the reply ends."""
        try:
            reply = self._store.get(self._key, options=self._options())
        except BaseError as exc:
            if reply_of(exc) is Reply.CHANGED:
                self._begin_anew()
            raise
        if self._receiver.size_bytes and self._meta and _tag(reply.meta) != _tag(self._meta):
            self._begin_anew()
            raise _BrokenOffError("The object changed between two requests.")
        self._meta = reply.meta
        pace = Pace(self._least, now=self._now)
        for piece in reply.stream(min_chunk_size=_PIECE_BYTES):
            self._receiver.write(memoryview(piece))
            if pace.is_too_slow(len(piece)):
                raise _BrokenOffError(
                    f"Fewer than {self._least} bytes a second arrived for {WINDOW_S:g} s, the "
                    "least that the setting least_bytes_per_s takes."
                )
        if not self.is_complete:
            raise _BrokenOffError(
                f"{self._receiver.size_bytes} of {reply.meta['size']} bytes arrived."
            )

    def fetched(self, remote: RemoteObject) -> Fetched:
        """Return what arrived; names its version when it is not the listed one."""
        receiver, meta = self._receiver, self._meta
        if meta is None or _tag(meta) == remote.etag:
            return Fetched(receiver.sha256, receiver.size_bytes)
        return Fetched(receiver.sha256, receiver.size_bytes, _tag(meta), meta["last_modified"])

    def _options(self) -> GetOptions:
        offset = self._receiver.size_bytes
        if not offset or self._meta is None:
            return {}
        return {"range": {"offset": offset}, "if_match": self._meta["e_tag"]}

    def _begin_anew(self) -> None:
        self._receiver.restart()
        self._meta = None
