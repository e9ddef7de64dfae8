"""Every error that Ingot raises on purpose, as one tree.

The branches are what the caller should do; the exit code of a command follows the branch.

    IngotError
    ├── FixRequestError           2    fix the request or the configuration
    │   ├── ConfigError                ├── LakeNotFoundError
    │   ├── QueryError
    │   ├── ClockSkewError
    │   └── EntitlementError
    ├── LookAtDataError           3    look at the data
    │   ├── SchemaDriftError
    │   ├── CorruptFileError
    │   ├── BeforeSessionsError
    │   ├── DamagedFileError
    │   ├── QuarantineLimitError
    │   ├── HeldVersionError
    │   ├── SnapshotGoneError
    │   ├── NotReplayableError
    │   └── ContractBrokenError
    ├── TryLaterError             4    try again later (may carry `retry_after_s`)
    │   ├── RateLimitedError
    │   ├── SourceUnavailableError
    │   ├── StorageFullError
    │   ├── StorageUnavailableError
    │   └── CommitConflictError
    ├── NotYetError               4    wait: not published yet
    │   └── NotPublishedError
    └── ReadBackError             5    read back before anything else
        └── CommitStateUnknownError
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from ingot.escaping import escaped_lines

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date, datetime

    from ingot.model.unit import RefusedRow

INTERRUPTED_EXIT_CODE: Final = 130
_PRECEDENCE: Final = (5, 2, 3, 4)


class IngotError(Exception):
    """The root of every error raised on purpose."""

    exit_code: ClassVar[int] = 1

    def __str__(self) -> str:
        """Return the message; what a vendor's text in it could do to a terminal is escaped."""
        return escaped_lines(super().__str__())


class FixRequestError(IngotError):
    """The request or the configuration has to change; a retry does not help."""

    exit_code = 2


class ConfigError(FixRequestError):
    """A setting is unknown, missing, of the wrong form, or in the wrong place."""


class LakeNotFoundError(ConfigError):
    """There is no lake at the given path."""

    def __init__(self, path: object) -> None:
        super().__init__(f"There is no lake at {path}. Make one with: ingot --lake {path} init")


class QueryError(FixRequestError):
    """A query is wrong, or exceeds a limit."""


class ClockSkewError(FixRequestError):
    """The machine's clock is behind what the lake has recorded."""

    def __init__(self, now: datetime, recorded: datetime) -> None:
        super().__init__(
            f"The clock says {now.isoformat()}, but this lake has already recorded "
            f"{recorded.isoformat()}. Set the clock right; if it is right, and was ahead before, "
            "go on with: ingot --accept-clock"
        )
        self.now, self.recorded = now, recorded


class EntitlementError(FixRequestError):
    """The vendor says that the credentials do not cover this object (HTTP 403)."""


class LookAtDataError(IngotError):
    """A person has to decide about the data before it can be used."""

    exit_code = 3


class SchemaDriftError(LookAtDataError):
    """A file's columns are not those of its contract."""

    def __init__(
        self,
        what: str,
        *,
        missing: Iterable[str] = (),
        unexpected: Iterable[str] = (),
        changed: Iterable[str] = (),
    ) -> None:
        self.missing, self.unexpected = tuple(missing), tuple(unexpected)
        self.changed = tuple(changed)
        others = f"; columns of another type: {', '.join(self.changed)}" if self.changed else ""
        super().__init__(
            f"The header of {what} is not the contract's: "
            f"missing columns: {', '.join(self.missing) or 'none'}; "
            f"unexpected columns: {', '.join(self.unexpected) or 'none'}{others}. "
            "Nothing of the file was loaded."
        )


class CorruptFileError(LookAtDataError):
    """A file cannot be read to its end (torn or empty gzip, not text)."""


class BeforeSessionsError(LookAtDataError):
    """A file is of a date before the first session of the calendar."""

    def __init__(self, key: str, *, file_date: date, first: date) -> None:
        super().__init__(
            f"{key} is of {file_date}, and the calendar's sessions begin on {first}. Load files "
            "of later dates."
        )


class DamagedFileError(LookAtDataError):
    """A file of the lake is missing, or its bytes are not those that were written."""

    def __init__(self, path: object, *, found: str, table: str | None = None) -> None:
        self.path, self.found, self.table = str(path), found, table
        what = f" of {table}" if table else ""
        units = f" --table {table} --from DATE --to DATE" if table else ""
        super().__init__(
            f"{path}{what} is damaged: {found}. Find all damage with: ingot scrub; then rebuild "
            f"from the landed files with: ingot repair{units}"
        )


class QuarantineLimitError(LookAtDataError):
    """More rows than allowed were refused, so nothing of the unit was loaded."""

    def __init__(
        self,
        what: str,
        *,
        refused: int,
        rows: int,
        limit_pct: float,
        refused_rows: tuple[RefusedRow, ...] = (),
        is_whole: bool = True,
    ) -> None:
        self.refused, self.rows, self.limit_pct = refused, rows, limit_pct
        self.refused_rows = refused_rows
        super().__init__(
            f"{refused} of {'' if is_whole else 'the first '}{rows} rows of {what} were refused, "
            f"more than the limit of {limit_pct:g} %. Nothing of it was loaded. "
            "See the rows with: ingot quarantine; load the good ones with: ingot landings accept "
            "ID (see: ingot landings)."
        )


class HeldVersionError(LookAtDataError):
    """A version is far smaller than the one before, or too bad, and waits for a decision."""


class SnapshotGoneError(LookAtDataError):
    """A snapshot that was to be read or kept has expired."""

    def __init__(self, table: str, snapshot_id: int) -> None:
        super().__init__(
            f"Snapshot {snapshot_id} of {table} has expired. Run the query again, which reads the "
            "present one."
        )
        self.table, self.snapshot_id = table, snapshot_id


class NotReplayableError(LookAtDataError):
    """An export cannot be written again: something that it was made of is gone or differs."""

    def __init__(self, manifest: object, *, gone: Iterable[str], notes: Iterable[str] = ()) -> None:
        self.gone, self.notes = tuple(gone), tuple(notes)
        lines = "".join(f"\n  - {line}" for line in (*self.gone, *self.notes))
        super().__init__(f"{manifest} cannot be replayed:{lines}")


class ContractBrokenError(LookAtDataError):
    """Rows that were about to be committed do not keep their table's contract."""


class TryLaterError(IngotError):
    """The same request may succeed later."""

    exit_code = 4

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class RateLimitedError(TryLaterError):
    """The vendor asks for fewer requests."""


class SourceUnavailableError(TryLaterError):
    """The source did not answer, or answered with an error of its own."""


class StorageFullError(TryLaterError):
    """The disk is full."""


class StorageUnavailableError(TryLaterError):
    """A disk failed (an I/O error, a stale mount)."""


class CommitConflictError(TryLaterError):
    """Other writers changed the table between planning and commit, in every retry."""

    def __init__(self, table: str, *, attempts: int, reason: str) -> None:
        often = "" if attempts == 1 else f" {attempts} times"
        super().__init__(
            f"The commit to {table} lost to other writers{often} (last: {reason}). "
            "Run the command again; loading is idempotent."
        )
        self.table, self.attempts = table, attempts


class NotYetError(IngotError):
    """What was requested is expected later."""

    exit_code = 4


class NotPublishedError(NotYetError):
    """The vendor has not published this object (yet)."""


class ReadBackError(IngotError):
    """The outcome of a step is unknown: read back before anything else."""

    exit_code = 5


class CommitStateUnknownError(ReadBackError):
    """A commit was sent, its reply was lost, and the table could not be read again."""

    def __init__(self, table: str, *, snapshot_ids: Iterable[int]) -> None:
        ids = ", ".join(str(i) for i in snapshot_ids)
        super().__init__(
            f"It is unknown whether the commit to {table} (snapshot {ids}) landed: the reply was "
            "lost and the table could not be read again. Nothing was deleted. Run the command "
            "again when the catalog answers; what landed is found and not loaded twice."
        )
        self.table = table


def exit_code(errors: Iterable[BaseException]) -> int:
    """Return the exit code of a run that met these errors: the first of 5, 2, 3, 4.

    >>> exit_code([CorruptFileError("torn"), QueryError("no such column")])
    2
    >>> exit_code([])
    0
    """
    codes = {error.exit_code if isinstance(error, IngotError) else 1 for error in errors}
    for code in _PRECEDENCE:
        if code in codes:
            return code
    return 1 if codes else 0
