"""What a vendor publishes, and each version of it that has landed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

if TYPE_CHECKING:
    import os
    from contextlib import AbstractContextManager
    from datetime import date, datetime
    from io import BufferedReader


class KnownBasis(StrEnum):
    """Where a version's `known_from` comes from (SEMANTICS: known time)."""

    OBSERVED = "observed"
    """This lake saw it then."""
    ASSUMED = "assumed"
    """Loaded long after publication: the publication rule's moment, or Last-Modified."""
    STATED = "stated"
    """A person stated it (`--now`, a CSV's known_from)."""


ALL_BASES: Final = tuple(KnownBasis)


class Content(Protocol):
    """The bytes of one object: of a landed one they are verified as they are read."""

    def stat(self) -> os.stat_result:
        """Return the size of the bytes, among others."""
        ...

    def open(self, mode: Literal["rb"]) -> AbstractContextManager[BufferedReader[Any]]:
        """Open the bytes; leaving the block raises where they are not those that landed."""
        ...

    def read_bytes(self) -> bytes:
        """Return all bytes, or raise where they are not those that landed."""
        ...


@dataclass(frozen=True, slots=True)
class RemoteObject:
    """One object as a source lists it, before its bytes are fetched."""

    source: str
    dataset: str
    file_date: date
    key: str
    etag: str
    """The store's entity tag; for a local folder a tag made of size and mtime."""
    size_bytes: int
    last_modified: datetime | None


@dataclass(frozen=True, slots=True)
class Landing:
    """One version of one vendor object: immutable once written.

    Bytes equal to the latest version are nothing new; bytes equal to an older one are a new
    version, for a vendor may restore.
    """

    source: str
    dataset: str
    file_date: date
    key: str
    ordinal: int
    """1 for the first version of the key."""
    sha256: str
    size_bytes: int
    etag: str
    last_modified: datetime | None
    first_seen: datetime
    known_from: datetime
    known_basis: KnownBasis
    rule: str
    """Id of the publication rule that was at hand when `known_from` was fixed."""

    @property
    def landing_id(self) -> int:
        """The version's identity: first 8 bytes of SHA-256(source|key|ordinal|sha256), signed."""
        return landing_id(self.source, self.key, self.ordinal, self.sha256)


def landing_id(source: str, key: str, ordinal: int, content_sha256: str) -> int:
    """Return a version's identity as a signed 64-bit integer, big-endian.

    >>> landing_id("massive", "a/b.csv.gz", 1, "00") == landing_id("massive", "a/b.csv.gz", 2, "00")
    False
    """
    digest = sha256(f"{source}|{key}|{ordinal}|{content_sha256}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


class Outcome(StrEnum):
    """What became of a unit of work."""

    DONE = "done"
    HELD = "held"
    """Loaded to bronze, but far smaller than the version before: used only after acceptance."""
    REFUSED = "refused"
    """Refused whole: header drift, torn file, too many bad rows. Nothing of it in bronze."""


class Decision(StrEnum):
    """What a person decided about a held version."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class LandingState:
    """A version together with what became of it."""

    landing: Landing
    outcome: Outcome | None
    """None while it has landed but not been loaded to bronze."""
    decision: Decision | None = None
    decided_at: datetime | None = None

    @property
    def waits_for_decision(self) -> bool:
        """Return True if it is held or refused and was neither accepted nor rejected."""
        return self.outcome in {Outcome.HELD, Outcome.REFUSED} and self.decision is None

    @property
    def in_force_from(self) -> datetime | None:
        """The instant from which reads may use this version; None while or because they may not."""
        if self.outcome is Outcome.DONE:
            return self.landing.known_from
        if self.outcome is Outcome.HELD and self.decision is Decision.ACCEPTED:
            return self.decided_at
        return None
