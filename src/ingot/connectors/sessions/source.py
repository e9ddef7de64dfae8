"""The sessions connector: calendars made on this machine, landed like any vendor's file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel, ConfigDict, Field

from ingot.connectors.base import Fetched, Parsed
from ingot.connectors.sessions.build import FIRST_DATE, LIBRARY, build_calendar, calendar_digest
from ingot.connectors.sessions.rulebook import load_rulebook
from ingot.errors import ConfigError, SourceUnavailableError
from ingot.model.landing import Content, RemoteObject
from ingot.model.session_text import parse, render
from ingot.model.time import new_york
from ingot.model.vendor_files import DEFAULT_LIMITS
from ingot.tables.dataset import Dataset
from ingot.tables.silver import SESSIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from ingot.connectors.base import Parser
    from ingot.connectors.sessions.rulebook import Rulebook
    from ingot.model.calendar import Calendar
    from ingot.model.landing import Landing
    from ingot.model.vendor_files import InflateLimits

NAME: Final = "sessions"


class SessionsSettings(BaseModel):
    """The section `[sessions]` of the settings file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rulebook: Path | None = Field(
        default=None,
        description="A rulebook to use instead of the shipped one, as a TOML file.",
    )


@dataclass(frozen=True)
class SessionsSource:
    """Calendars as a source of files: one dataset per calendar, one object per span."""

    location: str
    """Names library and rulebook."""
    rulebook: Rulebook
    name: str = NAME
    rule: str = "sessions:none"
    """Sessions are exempt from known time: versions are named by their digest."""

    @property
    def datasets(self) -> Mapping[str, Dataset]:
        """One dataset per calendar of the rulebook; its rows go straight to silver.sessions."""
        return _datasets(self.rulebook)

    def published_at(self, file_date: date) -> datetime:
        """Return the start of the span's first date in New York."""
        return new_york(file_date)

    def list(self, dataset: str, start: date, end: date) -> Sequence[RemoteObject]:
        """Return the one object that holds the sessions of `[start, end)`; makes it for its size.

        The key names the calendar, so that a longer span or a new digest is its next version.

        Raises:
            ConfigError: The calendar is unknown or the span empty.
        """
        content = _rendered(dataset, start, end, self.rulebook)
        return (
            RemoteObject(
                source=NAME,
                dataset=dataset,
                file_date=start,
                key=f"{dataset.replace('/', '-')}.csv",
                etag=f"{calendar_digest(dataset, self.rulebook)} {start} {end}",
                size_bytes=len(content),
                last_modified=None,
            ),
        )

    def fetch(self, remote: RemoteObject, to: Path, advance: Callable[[int], None]) -> Fetched:
        """Write the sessions of the listed span to `to`.

        Raises:
            SourceUnavailableError: Library or rulebook changed since the listing.
        """
        digest, start, end = remote.etag.split(" ")
        if digest != (now := calendar_digest(remote.dataset, self.rulebook)):
            raise SourceUnavailableError(
                f"The sessions of {remote.dataset} were listed with digest {digest}, but are now "
                f"made with {now}. List them again."
            )
        span = date.fromisoformat(start), date.fromisoformat(end)
        content = _rendered(remote.dataset, *span, self.rulebook)
        to.write_bytes(content)
        advance(len(content))
        return Fetched(sha256(content).hexdigest(), len(content))

    def parse(
        self,
        landing: Landing,
        content: Content,
        to: Path,
        *,
        limit_pct: float,
        limits: InflateLimits = DEFAULT_LIMITS,
    ) -> Parsed:
        """Write the landed sessions to one Parquet file of silver.sessions at `to`.

        Raises:
            SchemaDriftError: The header is not the one of sessions.
            CorruptFileError: A row cannot be read; nothing is refused by row.
        """
        del landing, limit_pct, limits
        calendar = parse(content.read_bytes())
        _write_parquet(calendar, to)
        return Parsed(to, rows=len(calendar.sessions), symbols=0, in_order=True, refused=())


@dataclass(frozen=True, slots=True)
class SessionsConnector:
    """What the entry point `sessions` gives."""

    name: str = NAME
    settings: type[BaseModel] = SessionsSettings

    @property
    def datasets(self) -> Mapping[str, Dataset]:
        """One dataset per calendar of the shipped rulebook."""
        return _datasets(load_rulebook())

    def open(self, location: str, settings: BaseModel) -> SessionsSource:
        """Return the source with the rulebook at `location`; "" takes the settings' rulebook.

        Raises:
            ConfigError: The rulebook cannot be read, or the settings are of another connector.
        """
        if not isinstance(settings, SessionsSettings):
            raise ConfigError(
                f"The sessions connector takes SessionsSettings; it was {type(settings).__name__}."
            )
        path = Path(location) if location else settings.rulebook
        return SessionsSource(
            f"{LIBRARY} with {path or 'the shipped rulebook'}", load_rulebook(path)
        )

    def parser(self, dataset: Dataset, settings: BaseModel) -> Parser:
        """Return what parses landed objects of a dataset."""
        del dataset
        return self.open("", settings)


connector: Final = SessionsConnector()


@lru_cache(maxsize=8)
def _rendered(name: str, start: date, end: date, rulebook: Rulebook) -> bytes:
    """Return a span's sessions as text; listing and fetching need the same one."""
    return render(build_calendar(name, start, end, rulebook))


def _datasets(rulebook: Rulebook) -> dict[str, Dataset]:
    return {
        market.name: Dataset(market.name, SESSIONS, market.name, FIRST_DATE)
        for market in rulebook.markets
    }


def _write_parquet(calendar: Calendar, to: Path) -> None:
    import pyarrow as pa  # noqa: PLC0415 (listing sessions must not load it)
    import pyarrow.parquet as pq  # noqa: PLC0415 (the same)

    from ingot.tables.arrow import arrow_schema  # noqa: PLC0415 (it imports pyarrow)

    rows = [
        {
            "calendar": s.calendar,
            "trade_date": s.trade_date,
            "session": s.session,
            "start_ns": s.start_ns,
            "end_ns": s.end_ns,
            "digest": calendar.digest,
        }
        for s in sorted(calendar.sessions, key=lambda s: (s.trade_date, s.start_ns))
    ]
    table = pa.Table.from_pylist(rows, schema=arrow_schema(SESSIONS))
    pq.write_table(table, to, compression="zstd", write_page_checksum=True)
