"""What changes a lake or looks after it: load, refine, verify, repair, and status."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from ingot.app.context.load_request import LoadRequest
from ingot.query.requests.request import as_date

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ingot.app.context.lake_context import Parts
    from ingot.app.context.report import LoadReport
    from ingot.app.exports.replay import Replayed
    from ingot.query.requests.request import Day
    from ingot.query.result.answer import Answer

_FIRST: Final = date(1900, 1, 1)


class Operations:
    """The methods of a lake that load and operate it; each is safe to repeat."""

    _parts: Parts

    def ingest(
        self,
        source: str,
        location: str | Path = "",
        *,
        datasets: Sequence[str] = (),
        start: Day | None = None,
        end: Day | None = None,
        workers: int | None = None,
    ) -> LoadReport:
        """Land new and changed files of a source and load them to bronze.

        >>> report = lake.ingest("massive", vendor)
        >>> report.exit_code, report.rows
        (0, 0)

        Args:
            source: Connector, e.g. massive.
            location: Where its files are: a folder that mirrors the vendor's tree, or an address.
            datasets: Only these; all by default.
            start: First file date; the first that the source lists by default.
            end: The day after the last file date; tomorrow by default.
            workers: Files worked on at once; chosen by the machine by default.

        Raises:
            ConfigError: The connector, its location or a dataset is wrong.
        """
        from ingot.app.pipeline.ingest import ingest

        request = _load_request(source, location, datasets, start, end, workers)
        return ingest(self._parts, request)

    def save_coverage(self, *, start: Day | None = None, end: Day | None = None) -> int:
        """Compute the whole market's coverage and keep it in ops.coverage; return its rows.

        >>> lake.save_coverage(start="2025-06-02", end="2025-06-03") > 0
        True
        """
        from ingot.app.trust import coverage

        return coverage.save(
            self._parts,
            start=None if start is None else as_date("start", start),
            end=self.today() if end is None else as_date("end", end),
        )

    def write_bars(
        self,
        frame: object,
        *,
        source: str = "mine",
        interval: Literal["1m", "1d"] = "1d",
        zone: str = "",
        fold: Literal["refuse", "first", "second"] = "refuse",
        label: Literal["start", "end"] = "start",
        symbol: str = "",
        columns: Mapping[str, str] | None = None,
    ) -> LoadReport:
        """Load bars of your own and refine them; return what was loaded, day by day.

        Each date of the frame replaces what the source had of that date, as a new version: answers
        about the past do not change. A row that breaks a rule goes to ops.quarantine.

        Args:
            frame: A frame of Polars, pandas or Arrow with the columns symbol, time, open, high,
                low, close, volume and maybe transactions; prices as traded, in US dollars.
            source: The source that the rows are stored under.
            interval: 1m or 1d.
            zone: Zone of times without a UTC offset; such times are refused without it.
            fold: Which one a time is that occurs twice in the zone; rejected by default.
            label: Whether the time of a minute bar is its start or its end.
            symbol: Symbol of every row, where the frame has no column for it.
            columns: Field -> column, for columns that are named otherwise.

        Raises:
            ConfigError: It is not a frame, or an argument is wrong.
            SchemaDriftError: A column is missing.
        """
        from ingot.app.pipeline.own_data import write_bars

        named = ",".join(f"{field}={column}" for field, column in (columns or {}).items())
        options = {"name": source, "interval": interval, "zone": zone, "label": label}
        options |= {"fold": fold}
        return write_bars(self._parts, frame, options | {"symbol": symbol, "map": named})

    def write_table(
        self,
        frame: object,
        *,
        name: str,
        key: Sequence[str] = (),
        time: str = "",
        zone: str = "",
    ) -> LoadReport:
        """Load rows of your own to bronze.NAME, refine them to silver.NAME; return what was loaded.

        The first frame declares the columns, which every later one must have. Each date of a frame
        replaces what the table had of that date, as a new version.

        Args:
            frame: A frame of Polars, pandas or Arrow.
            name: Name of the table, such as quotes.
            key: Columns whose values occur once within a date; as at the first load by default.
            time: Column of the time: dates, times, or whole nanoseconds since 1970.
            zone: Zone of times without a UTC offset; rows with such times are rejected without it.

        Raises:
            ConfigError: It is not a frame, or a name or a column is wrong.
            SchemaDriftError: The columns are not those of the table.
        """
        from ingot.app.pipeline.own_data import TableRequest, write_table

        columns = key if isinstance(key, str) else ",".join(key)
        request = TableRequest(name, "", columns, time, zone)
        return write_table(self._parts, frame, request)

    def build(
        self, *, start: Day | None = None, end: Day | None = None, workers: int | None = None
    ) -> LoadReport:
        """Refine bronze into silver and gold: what is new, changed or stale.

        >>> lake.build().exit_code
        0

        Args:
            start: First trade date; the beginning by default.
            end: The day after the last trade date; tomorrow by default.
            workers: Days worked on at once; chosen by the machine by default.
        """
        from ingot.app.pipeline.build import BuildRequest, build

        first, last = self._span(_FIRST if start is None else start, end)
        request = BuildRequest(first, last, workers=workers)
        return build(self._parts, request)

    def backfill(
        self,
        source: str,
        location: str | Path = "",
        *,
        datasets: Sequence[str] = (),
        start: Day | None = None,
        end: Day | None = None,
        workers: int | None = None,
    ) -> LoadReport:
        """Ingest, then build: all the way from a source's files to gold; arguments of `ingest`.

        >>> lake.backfill("massive", vendor, start="2025-06-02", end="2025-06-04").exit_code
        0

        Raises:
            ConfigError: The connector, its location or a dataset is wrong.
        """
        from ingot.app.pipeline.backfill import backfill

        request = _load_request(source, location, datasets, start, end, workers)
        return backfill(self._parts, request)

    def status(self) -> Answer:
        """Return a row per table: size, freshness, stale and missing days.

        >>> [row["rows"] for row in lake.status() if row["table"] == "silver.day_bars"]
        [38]
        """
        from ingot.app.operate.status import status

        return status(self._parts)

    def runs(self, *, limit: int = 50) -> Answer:
        """Return the units of work that were done, latest first.

        >>> len(lake.runs(limit=3))
        3
        """
        from ingot.app.operate.records import runs

        return runs(self._parts, limit=limit)

    def landings(
        self,
        *,
        start: Day | None = None,
        end: Day | None = None,
        status: str | None = None,
        limit: int = 1000,
    ) -> Answer:
        """Return the versions that landed.

        >>> sorted(set(lake.landings()["status"]))
        ['landed', 'loaded']

        Args:
            start: First file date; the beginning by default.
            end: The day after the last file date; tomorrow by default.
            status: landed, loaded, held, accepted, rejected or refused; all by default.
            limit: The most rows.
        """
        from ingot.app.operate.records import landings

        first, last = self._span(start, end)
        return landings(self._parts, start=first, end=last, status=status, limit=limit)

    def repair(self, *, delete_orphans: bool = False) -> Answer:
        """Verify the landing store, and rebuild from it what can be rebuilt.

        >>> sum(lake.repair().arrow()["found"].to_pylist()[:1])
        0

        Args:
            delete_orphans: Set files aside that no snapshot names, and delete those that were set
                aside a day ago.
        """
        from ingot.app.operate.repair import repair

        return repair(self._parts, delete_orphans=delete_orphans).answer

    def scrub(
        self,
        table: str | None = None,
        *,
        start: Day | None = None,
        end: Day | None = None,
        rate_mb_s: float | None = None,
    ) -> Answer:
        """Read every file of the lake and return those that are damaged or missing.

        >>> len(lake.scrub("silver.day_bars"))
        0

        Args:
            table: Only this table's files.
            start: First trade date; the beginning by default.
            end: The day after the last trade date; no end by default.
            rate_mb_s: The most megabytes read in a second.
        """
        from ingot.app.operate.scrub import ScrubRequest, scrub_lake

        request = ScrubRequest(
            table,
            None if start is None else as_date("start", start),
            None if end is None else as_date("end", end),
            rate_mb_s=rate_mb_s,
        )
        return scrub_lake(self._parts, request).answer(self._parts)

    def replay(self, manifest: str | Path, folder: str | Path) -> Replayed:
        """Write an export again from the snapshots that it read, to an empty or new folder.

        >>> made = lake.export(folder / "export", "AAPL")
        >>> lake.replay(folder / "export", folder / "again").kept
        'bytes'

        Raises:
            NotReplayableError: Something of it is gone; the message names it.
        """
        from ingot.app.exports.replay import replay

        return replay(self._parts, Path(manifest), Path(folder))

    def exports(self) -> Answer:
        """Return the exports that this lake has made and how many snapshots each pins.

        >>> lake.exports().columns[:3]
        ('id', 'exported_at', 'question')
        """
        from ingot.app.exports.make import exports

        return exports(self._parts)

    def release(self, export_id: str) -> str:
        """Give an export's snapshots free, so that they may expire; say what was done.

        >>> made = lake.export(folder / "export", "AAPL")
        >>> lake.release(made.manifest.export_id).partition(" snapshots")[0][-11:]
        'released: 1'
        """
        from ingot.app.exports.make import release

        return release(self._parts, export_id)

    def today(self) -> date:
        """Return the present date, UTC.

        >>> lake.today()
        datetime.date(2025, 7, 1)
        """
        return self._parts.clock.now().date()

    def _span(self, start: Day | None, end: Day | None) -> tuple[date, date]:
        first = date.min if start is None else as_date("start", start)
        last = self.today() + timedelta(days=1) if end is None else as_date("end", end)
        return first, last


def _load_request(  # noqa: PLR0917  # what `ingest` and `backfill` take
    source: str,
    location: str | Path,
    datasets: Sequence[str],
    start: Day | None,
    end: Day | None,
    workers: int | None,
) -> LoadRequest:
    from ingot.connectors.registry import connector

    declared = connector(source).datasets
    return LoadRequest(
        source,
        str(location),
        tuple(datasets),
        None if start is None else as_date("start", start),
        None if end is None else as_date("end", end),
        workers=workers,
        reference=not any(declared[d].per_day for d in datasets or declared if d in declared),
    )
