"""The ledger of one lake: landed versions, finished units, decisions and refused rows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Self

from ingot.errors import QueryError
from ingot.failures import translated
from ingot.model import known_time
from ingot.model.landing import Decision, KnownBasis, Landing, Outcome
from ingot.storage.fs.fault_points import undisturbed
from ingot.storage.fs.os_errors import bordered
from ingot.storage.landing.records import Checked, Decided, Expired, NumberedDone, done_of, path_of
from ingot.storage.landing.store import LandingStore
from ingot.storage.ledger import queries, rollback, state_schema
from ingot.storage.ledger.clock import ClockCheck
from ingot.storage.ledger.queries import LedgerQueries
from ingot.storage.ledger.state_db import StateCache

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Collection, Iterable, Sequence
    from datetime import datetime
    from pathlib import Path

    from ingot.model.check_record import CheckResult
    from ingot.model.known_time import Publication
    from ingot.model.landing import LandingState, RemoteObject
    from ingot.model.unit import Done, RefusedRow, Unit
    from ingot.storage.fs.fault_points import Boundary
    from ingot.storage.landing.records import Record
    from ingot.storage.landing.verified_content import LandedBytes
    from ingot.storage.ledger.state_schema import Unprojected


@bordered
class Ledger(LedgerQueries):
    """The landing store with its cache; safe for any number of threads and processes.

    A record is made once in the store, then taken into state.db; who opens that compares the two.
    """

    def __init__(
        self, root: Path, *, boundary: Boundary = undisturbed, accept_clock: bool = False
    ) -> None:
        """Open the ledger of the lake at `root`; nothing is read or made before first use.

        With `accept_clock` a person vouches for the clock, though the lake has recorded later
        moments; see `moment`.
        """
        self.store = LandingStore(root / "landing", boundary=boundary)
        self.state = StateCache(root / "state.db", self.store)
        self._boundary = boundary
        self._clock = ClockCheck(self.state, self.add, accept=accept_clock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close state.db and remove this process's unfinished files."""
        self.state.close()
        self.store.close()

    def new_or_changed(
        self, source: str, location: str, remotes: Iterable[RemoteObject]
    ) -> tuple[RemoteObject, ...]:
        """Return the objects of a listing that are not as they were remembered, by state.db alone.

        An object without an etag (a query, whose result is not known yet) counts as changed.
        """
        query = "SELECT * FROM listing WHERE source = ? AND location = ?"
        remembered = set(self._rows(query, source, location))
        return tuple(
            remote
            for remote in remotes
            if not remote.etag or _listing_row(source, location, remote) not in remembered
        )

    def remember_listing(self, source: str, location: str, remotes: Sequence[RemoteObject]) -> None:
        """Remember that these objects, as listed, have landed or hold nothing new."""
        if remotes:
            rows = [_listing_row(source, location, remote) for remote in remotes]
            query = "INSERT OR REPLACE INTO listing VALUES (?, ?, ?, ?, ?, ?, ?)"
            self.state.write(lambda db: db.executemany(query, rows))

    def forget_listing(self, source: str, keys: Sequence[str]) -> None:
        """Have these keys fetched again at the next ingest, however they are listed."""
        query = "DELETE FROM listing WHERE source = ? AND key = ?"
        self.state.write(lambda db: db.executemany(query, [(source, key) for key in keys]))

    def temporary(self, name: str) -> Path:
        """Return a fresh path for a download, on the store's file system."""
        return self.store.temporary(name)

    def sweep(self) -> int:
        """Remove what dead processes left unfinished; return how many of them there were."""
        return self.store.scratch.sweep()

    def object_path(self, sha256: str) -> Path:
        """Return where the bytes with this SHA-256 are; read them by `landed`, which verifies."""
        return self.store.object_path(sha256)

    def landed(self, sha256: str) -> LandedBytes:
        """Return the object with this SHA-256, which is verified as it is read."""
        return self.store.landed(sha256)

    def moment(self, now: datetime, *, stated: bool = False) -> datetime:
        """Return the moment to record for `now`: never before one that the lake has recorded.

        A clock that a person set (`stated`) is taken as it is. What is observed by one that a
        person vouched for is recorded as stated, too.

        Raises:
            ClockSkewError: The clock is more than five minutes behind.
        """
        return now if stated else self._clock.moment(now)

    def land(
        self,
        remote: RemoteObject,
        temporary: Path,
        *,
        sha256: str,
        size_bytes: int,
        at: datetime,
        publication: Publication,
        stated: bool = False,
    ) -> Landing | None:
        """Keep fetched bytes, and the version that they are if they are one.

        Args:
            remote: The object as listed.
            temporary: The fetched bytes, on the store's file system; gone afterwards.
            sha256: Of the bytes.
            size_bytes: Of the bytes.
            at: When they were fetched.
            publication: When the file was due.
            stated: True when a person set the clock.

        Returns:
            The new version; None when the bytes are those of the key's latest version.

        Raises:
            LookAtDataError: The key cannot be a path; or the bytes are not of `size_bytes`.
            ClockSkewError: See `moment`.
        """
        moment = self.moment(at, stated=stated)
        new = Landing(
            source=remote.source,
            dataset=remote.dataset,
            file_date=remote.file_date,
            key=remote.key,
            ordinal=1,
            sha256=sha256,
            size_bytes=size_bytes,
            etag=remote.etag,
            last_modified=remote.last_modified,
            first_seen=moment,
            known_from=moment,
            known_basis=KnownBasis.OBSERVED,
            rule=publication.rule,
        )
        path_of(new)
        self.store.add_object(temporary, sha256, size_bytes)
        while True:
            states = self.state.read(lambda db: queries.states_of_key(db, new.source, new.key))
            if states and states[-1].landing.sha256 == sha256:
                return None
            version = _placed(new, states, publication, stated=stated)
            if self._clock.vouched and version.known_basis is KnownBasis.OBSERVED:
                version = replace(version, known_basis=KnownBasis.STATED)
            if self.make(version):
                return version

    def decide(
        self,
        landing_id: int | str,
        decision: Decision,
        *,
        at: datetime,
        by: str,
        stated: bool = False,
    ) -> LandingState:
        """Record a person's decision on a held or refused version; return the version's state.

        An accepted one is in force from `at`, once it is loaded.

        Raises:
            QueryError: There is no such version, it does not wait for a decision, or it has the
                other one.
            ClockSkewError: See `moment`.
        """
        state = self.find(landing_id)
        landing = state.landing
        if state.decision is None and state.outcome not in {Outcome.HELD, Outcome.REFUSED}:
            became = state.outcome or "landed, not loaded yet"
            raise QueryError(
                f"Landing {landing.landing_id} ({landing.key}, version {landing.ordinal}) is not "
                f"held: it is {became}. Only held and refused versions wait for a decision; see "
                "them with: ingot landings"
            )
        record = Decided(
            source=landing.source,
            key=landing.key,
            ordinal=landing.ordinal,
            landing_id=landing.landing_id,
            decision=decision,
            at=max(self.moment(at, stated=stated), landing.known_from),
            by=by,
        )
        if state.decision is not None or not self.make(record):
            decided = self.find(landing.landing_id)
            if decided.decision is decision:
                return decided  # the process that made it may have died before it reported so
            raise QueryError(
                f"Landing {landing.landing_id} ({landing.key}, version {landing.ordinal}) was "
                f"{decided.decision} at {decided.decided_at}; a decision is made once."
            )
        return self.find(landing.landing_id)

    def is_done(self, unit: Unit) -> Done | None:
        """Return the unit's done record while its rows are the ones in the table.

        None when it was never done, a rollback undid it, or another unit replaced its scope since.
        """
        done = self.last_done(unit.table, unit.scope)
        return done if done is not None and done.unit == unit else None

    def record_done(self, done: Done) -> None:
        """Record that a unit was done; it is the last one of its scope from now on.

        Raises:
            LookAtDataError: The unit's name cannot be a path.
        """
        self.add(lambda number: NumberedDone(number, done))

    def record_quarantine(self, unit: Unit, rows: Sequence[RefusedRow], layer: str) -> int:
        """Write the rows that a unit refused, before its data are committed; return how many.

        Args:
            unit: The unit; they count once it is recorded as done (or refused) with
                `rows_refused` above zero.
            rows: The refused rows.
            layer: bronze or silver.
        """
        if not rows and self.store.quarantine_name(unit) is None:
            return 0
        from ingot.storage.landing.quarantine import to_parquet  # noqa: PLC0415  (pyarrow)

        self.store.add_quarantine(unit, to_parquet(rows, layer))
        return len(rows)

    def void(
        self,
        table: str,
        ancestors: Callable[[], Collection[int]],
        *,
        head: str | None = None,
    ) -> tuple[Done, ...]:
        """Find the units whose rows a rollback of the table took away; they count as undone.

        Args:
            table: Name of the table.
            ancestors: Reads the ids of the head snapshot and all before it. It is called after
                the records are read, so that a commit made meanwhile is not taken for undone.
            head: The table's pointer, read before this call; see `checked_head`.

        Returns:
            The units that are undone now, were not before and have not been done again since; one
            that was done and undone several times once.
        """
        # The order of the reads matters: records first, so that none is newer than the ancestors;
        # then the ancestors; then what expired, which is recorded before it leaves them.
        entries = [rollback.Entry(*row) for row in self._rows(rollback.ENTRIES, table)]
        lasting = set(ancestors())
        expired = self._rows("SELECT snapshot_id FROM expired WHERE table_name = ?", table)
        lasting.update(snapshot_id for (snapshot_id,) in expired)
        repaired = set(self._rows("SELECT name, number FROM voided WHERE table_name = ?", table))
        checked = list(rollback.decide(entries, lasting, repaired))
        changed = [(entry, is_void) for entry, is_void in checked if entry.is_void != is_void]
        redone = {entry.scope: entry.number for entry, is_void in checked if not is_void}

        def mark(db: sqlite3.Connection) -> None:
            db.executemany(
                "UPDATE units SET is_void = ? WHERE table_name = ? AND name = ? AND number = ?",
                [(is_void, table, entry.name, entry.number) for entry, is_void in changed],
            )
            if changed:
                state_schema.change_stamp(db)
                state_schema.mark_table_unprojected(db, table)
            if head is not None:
                db.execute("INSERT OR REPLACE INTO heads VALUES (?, ?)", (table, head))

        self.state.write(mark)
        missed = {
            (entry.scope, entry.digest): entry.text
            for entry, is_void in changed
            if is_void and entry.number > redone.get(entry.scope, 0)
        }
        return tuple(done_of(text) for text in missed.values())

    def record_expired(self, table: str, snapshot_ids: Iterable[int]) -> None:
        """Record ancestors of the head that expiry is about to remove: their units stay done."""
        if ids := tuple(sorted(set(snapshot_ids))):
            self.add(lambda number: Expired(table, number, ids))

    def record_checked(self, run: str, results: Sequence[CheckResult]) -> None:
        """Record the results of checks."""
        if results:
            self.add(lambda number: Checked(run, number, tuple(results)))

    def mark_projected(self, projected: Sequence[Unprojected]) -> None:
        """Record that these months were projected as `unprojected` named them."""
        self.state.write(lambda db: state_schema.mark_projected(db, projected))

    def rebuild(self) -> int:
        """Build state.db anew from the store; return how many records that has.

        Raises:
            DamagedFileError: A record of the store is damaged.
        """
        return self.state.rebuild()

    def add(self, numbered: Callable[[int], Record]) -> None:
        """Make a record under the next number of its folder, which other processes take too."""
        while not self.make(numbered(self.store.next_number(numbered(1)))):
            pass

    def make(self, record: Record) -> bool:
        """Make and take a record; False when its name was taken, which is then known."""
        path = path_of(record)
        kind = path.partition("/")[0]
        with translated(self.store.objects.place(path), "record"):
            made = self.store.write(record)
            self._boundary(f"{kind}.made")
            self.state.take(record if made else self.store.read(path))
            self._boundary(f"{kind}.taken")
        return made


def _listing_row(source: str, location: str, remote: RemoteObject) -> tuple[object, ...]:
    modified = remote.last_modified
    modified_us = None if modified is None else state_schema.to_us(modified)
    about = remote.dataset, remote.key, remote.etag, remote.size_bytes
    return (source, location, *about, modified_us)


def _placed(
    new: Landing, states: Sequence[LandingState], publication: Publication, *, stated: bool
) -> Landing:
    """Return `new` as the next version after `states`, its known time fixed."""
    counting = [s.landing for s in states if s.outcome is None or s.in_force_from is not None]
    placed = known_time.known_time(
        publication,
        new.file_date,
        first_seen=new.first_seen,
        last_modified=new.last_modified,
        previous=counting[-1].known_from if counting else None,
        stated=stated,
    )
    return replace(
        new,
        ordinal=states[-1].landing.ordinal + 1 if states else 1,
        known_from=placed.known_from,
        known_basis=placed.basis,
    )
