"""The one function through which every change to a table goes.

A catalog may land a commit and still raise: a lost reply, a proxy that repeats a request and gets
409. So after any exception the table is read again, to find out whether the change is in it.
Files that an attempt wrote are never deleted here, whatever happened: a manifest that nothing
names costs a few kilobytes until `maintenance` collects it, one that is missing costs the table.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from random import SystemRandom
from typing import TYPE_CHECKING, Final

from pyiceberg.exceptions import (
    CommitFailedException,
    CommitStateUnknownException,
    RESTError,
    ValidationException,
)

from ingot.errors import (
    CommitConflictError,
    CommitStateUnknownError,
    ContractBrokenError,
    StorageUnavailableError,
)
from ingot.failures import failure_of
from ingot.storage.fs.fault_points import undisturbed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pyiceberg.io import FileIO
    from pyiceberg.table import Table as IcebergTable
    from pyiceberg.table.metadata import TableMetadata
    from pyiceberg.table.update import TableRequirement, TableUpdate

    from ingot.storage.fs.fault_points import Boundary
    from ingot.storage.iceberg.catalog.lake_catalog import CommitCatalog

ATTEMPTS: Final = 16
_RELOADS: Final = 3
_FIRST_PAUSE_S: Final = 0.02
_LONGEST_PAUSE_S: Final = 2.0
_CONFLICTS: Final = (
    CommitFailedException,
    CommitStateUnknownException,
    ValidationException,
    CommitConflictError,  # others kept the catalog busy
    RESTError,
    ConnectionError,
    TimeoutError,
)
_random: Final = SystemRandom()


@dataclass(frozen=True, slots=True)
class Proposal:
    """Updates to send, what must hold for them, and how to recognise that they landed."""

    updates: tuple[TableUpdate, ...]
    requirements: tuple[TableRequirement, ...]
    snapshot_id: int | None = None
    """The snapshot that the updates add."""
    files: Mapping[str, int] = field(default_factory=dict)
    """Size in bytes of each file that the snapshot adds, by its location."""
    check: Callable[[TableMetadata], bool] | None = None
    """For updates without a snapshot: whether the table shows them."""

    def __post_init__(self) -> None:
        """Refuse a snapshot that does not say which files it adds."""
        if self.snapshot_id is not None and not self.files:
            raise ContractBrokenError(
                f"Snapshot {self.snapshot_id} does not say which files it adds, so a commit cannot "
                "verify them. This is a defect of the step that made it; nothing was committed."
            )

    def is_in(self, metadata: TableMetadata) -> bool:
        """Return True if the updates are part of this state of the table."""
        if self.snapshot_id is not None:
            return metadata.snapshot_by_id(self.snapshot_id) is not None
        return self.check is not None and self.check(metadata)

    def missing(self, io: FileIO) -> str | None:
        """Return the first file it adds that is gone or has another size; None if all are there."""
        return next((at for at, size in self.files.items() if len(io.new_input(at)) != size), None)


@dataclass(frozen=True, slots=True)
class Settled:
    """There is nothing to send: the table is as wanted."""

    snapshot_id: int | None
    """The snapshot that made it so, where this caller's own commit did."""


class Committer:
    """Sends changes to a catalog so that each lands exactly once."""

    def __init__(
        self,
        catalog: CommitCatalog,
        *,
        boundary: Boundary = undisturbed,
        attempts: int = ATTEMPTS,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._catalog = catalog
        self._boundary = boundary
        self._attempts = attempts
        self._pause = pause

    def commit(
        self, name: str, propose: Callable[[IcebergTable], Proposal | Settled]
    ) -> int | None:
        """Commit what `propose` makes of the table's current state; return the snapshot's id.

        `propose` is called again on the refreshed table after each conflict, so it plans on what
        is there and need not fear what other writers did meanwhile.

        Args:
            name: The table's name.
            propose: Plans a change on one state of the table, and writes its manifests.

        Returns:
            The snapshot that holds the change; None when there was nothing to change, or the
            change has no snapshot.

        Raises:
            CommitConflictError: Others were faster, `attempts` times; or a file that the change
                names was removed since it was written, and its rows have to be made again.
            CommitStateUnknownError: A reply was lost and the table cannot be read; nothing that
                may be part of it was deleted.
            StorageFullError, StorageUnavailableError: The disk failed; nothing landed.
        """
        sent: list[Proposal] = []
        reason = ""
        for attempt in range(self._attempts):
            if attempt:
                self._pause(_wait_s(attempt))
            outcome = self._attempt(name, propose, sent)
            if not isinstance(outcome, Exception):
                return outcome.snapshot_id
            reason = _first_line(outcome)
        raise CommitConflictError(name, attempts=self._attempts, reason=reason)

    def _attempt(
        self,
        name: str,
        propose: Callable[[IcebergTable], Proposal | Settled],
        sent: list[Proposal],
    ) -> Proposal | Settled | Exception:
        """Plan and send once; return what landed, or the exception after which to plan again."""
        table = self._load(name, sent)
        if landed := _landed(sent, table.metadata):
            return landed
        try:
            proposal = propose(table)
        except FileNotFoundError as exc:
            # The state went out of date, and its files away, while we planned; or a file is lost.
            if self._load(name, sent).metadata_location == table.metadata_location:
                raise _translated(name, exc) from exc
            return exc
        except OSError as exc:
            raise _translated(name, exc) from exc
        if isinstance(proposal, Settled):
            return proposal
        _refuse_if_missing(name, proposal, table.io)
        sent.append(proposal)
        return self._send(name, table, sent)

    def _send(self, name: str, table: IcebergTable, sent: list[Proposal]) -> Proposal | Exception:
        """Send the last proposal; return the one that landed, or why to plan again."""
        proposal = sent[-1]
        try:
            self._boundary("commit.before_send")
            new = self._catalog.commit_table(table, proposal.requirements, proposal.updates)
            self._boundary("commit.after_send")
        except Exception as exc:
            after = self._load(name, sent, cause=exc)
            if landed := _landed(sent, after.metadata):
                return landed
            if not _is_conflict(exc):
                raise _translated(name, exc) from exc
            return exc
        _remove_old_metadata(table, new)
        return proposal

    def _load(
        self, name: str, sent: list[Proposal], *, cause: Exception | None = None
    ) -> IcebergTable:
        """Read the table; once something was sent, not being able to is an unknown outcome."""
        for left in reversed(range(_RELOADS)):
            try:
                self._boundary("commit.before_load")
                return self._catalog.load_table(name)
            except Exception as exc:
                if left:
                    self._pause(_FIRST_PAUSE_S)
                    continue
                if not sent:
                    raise _translated(name, exc) from exc
                ids = [p.snapshot_id for p in sent if p.snapshot_id is not None]
                raise CommitStateUnknownError(name, snapshot_ids=ids) from (cause or exc)
        raise AssertionError


def _landed(sent: list[Proposal], metadata: TableMetadata) -> Proposal | None:
    return next((proposal for proposal in sent if proposal.is_in(metadata)), None)


def _refuse_if_missing(name: str, proposal: Proposal, io: FileIO) -> None:
    """Raise when the table would name a file that it cannot read: planning again cannot help."""
    if location := proposal.missing(io):
        reason = f"{location}, which it names, was removed or changed since it was written"
        raise CommitConflictError(name, attempts=1, reason=reason)


def _wait_s(attempt: int) -> float:
    longest = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2**attempt)
    return _random.uniform(longest / 2, longest)


def _is_conflict(exc: Exception) -> bool:
    """Return True if planning again may help."""
    lost_reply = isinstance(exc, OSError) and exc.errno is None
    return lost_reply or isinstance(exc, _CONFLICTS)


def _translated(name: str, exc: Exception) -> Exception:
    """Return the error of ours for what kept a commit from landing."""
    return failure_of(exc, f"the catalog for {name}") or StorageUnavailableError(
        f"The commit to {name} did not land ({type(exc).__name__}: {_first_line(exc)}). The table "
        "is unchanged; run the command again."
    )


def _remove_old_metadata(table: IcebergTable, new: TableMetadata) -> None:
    """Remove the metadata files that the new state no longer lists; leftovers are orphans."""
    kept = {entry.metadata_file for entry in new.metadata_log}
    for entry in table.metadata.metadata_log:
        if entry.metadata_file not in kept:
            try:
                table.io.delete(entry.metadata_file)
            except OSError:
                continue


def _first_line(exc: BaseException) -> str:
    return str(exc).partition("\n")[0] or type(exc).__name__
