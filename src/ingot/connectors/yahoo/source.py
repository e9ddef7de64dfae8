"""The connector `yahoo`: charts of named symbols."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from ingot.connectors.reference.base import ReferenceSource, deliver
from ingot.connectors.reference.datasets import ACTIONS, BARS, reference_datasets
from ingot.connectors.transport.backoff import Backoff
from ingot.connectors.transport.http import response_bundle
from ingot.connectors.transport.http.client import RestClient, RestOptions
from ingot.connectors.transport.http.rate_limit import MINUTE_S, Gate, Quota
from ingot.connectors.transport.http.redaction import Redactor
from ingot.connectors.yahoo.chart import no_chart, read_chart
from ingot.connectors.yahoo.landed import landed_actions, landed_bars
from ingot.connectors.yahoo.rows import read_actions, read_bars
from ingot.connectors.yahoo.settings import YahooSettings
from ingot.errors import ConfigError, NotPublishedError
from ingot.model.time import SystemClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from pydantic import BaseModel

    from ingot.connectors.base import Fetched, FileSource, Parser
    from ingot.connectors.reference.rows import Bad, Good
    from ingot.model.landing import Content, Landing, RemoteObject
    from ingot.model.time import Clock
    from ingot.tables.dataset import Dataset

NAME: Final = "yahoo"
DATASETS: Final = reference_datasets(ACTIONS, BARS)
_CHART: Final = "v8/finance/chart"
_BEGINNING: Final = datetime(1900, 1, 1, tzinfo=UTC)
_RANGE: Final = "_"
_ANY_SYMBOL: Final = "SPY"


class YahooSource(ReferenceSource):
    """Charts of some symbols; each request ends today, for only then all splits are known."""

    def __init__(self, client: RestClient, symbols: Sequence[str], clock: Clock) -> None:
        super().__init__(NAME, ",".join(symbols), DATASETS)
        self._client = client
        self._symbols = tuple(symbols)
        self._clock = clock

    def list(self, dataset: str, start: date, end: date) -> Sequence[RemoteObject]:
        """Return one query per symbol: bars of `[start, end)`, or the whole history's actions.

        Raises:
            ConfigError: The dataset is unknown.
        """
        self.dataset(dataset)
        day = end - timedelta(days=1)
        if dataset == ACTIONS:
            keys = [f"{ACTIONS}/{NAME}/{symbol}" for symbol in self._symbols]
        else:
            asked = f"{start.isoformat()}{_RANGE}{end.isoformat()}"
            keys = [f"{BARS}/{symbol}/{asked}" for symbol in self._symbols]
        return tuple(self.remote(dataset, day, key) for key in keys)

    def fetch(self, remote: RemoteObject, to: Path, advance: Callable[[int], None]) -> Fetched:
        """Ask for the symbol's chart and write what is kept of it to `to`.

        Raises:
            QueryError: Yahoo has nothing for the symbol.
            RateLimitedError, SourceUnavailableError, CorruptFileError,
            StorageFullError
        """
        parts = remote.key.split("/")
        if remote.dataset == ACTIONS:
            chart = read_chart(self._ask(parts[2], _BEGINNING), parts[2])
            queries = landed_actions(chart)
        else:
            start, end = (date.fromisoformat(text) for text in parts[2].split(_RANGE))
            since = datetime.combine(start, time(), UTC) - timedelta(days=1)
            chart = read_chart(self._ask(parts[1], since), parts[1])
            queries = landed_bars(chart, start, end)
        return deliver(response_bundle.write(queries, Redactor()), to, advance)

    def read(self, landing: Landing, content: Content) -> Iterable[Good | Bad]:
        """Return the rows of a landed chart.

        Raises:
            CorruptFileError: The bytes are not a landed chart.
        """
        queries = response_bundle.read(content.read_bytes(), landing.key)
        return read_actions(queries) if landing.dataset == ACTIONS else read_bars(queries)

    def _ask(self, symbol: str, since: datetime) -> Any:  # noqa: ANN401 (JSON)
        until = self._clock.now() + timedelta(days=1)
        params = {
            "period1": str(int(since.timestamp())),
            "period2": str(int(until.timestamp())),
            "interval": "1d",
            "events": "div,split",
        }
        try:
            return self._client.get(f"{_CHART}/{quote(symbol, safe='')}", params)
        except NotPublishedError as exc:
            raise no_chart(symbol) from exc


class YahooConnector:
    """Opens Yahoo's charts; it has no market files."""

    @property
    def name(self) -> str:
        """The name of the entry point and of the settings section."""
        return NAME

    @property
    def settings(self) -> type[BaseModel]:
        """Model of the section `[yahoo]`."""
        return YahooSettings

    @property
    def datasets(self) -> Mapping[str, Dataset]:
        """Actions and day bars."""
        return DATASETS

    def parser(self, dataset: Dataset, settings: BaseModel) -> Parser:
        """Return what parses landed objects of a dataset."""
        del dataset
        return self.open_reference(_ANY_SYMBOL, settings)  # a client that is never asked

    def open_reference(
        self,
        location: str,
        settings: BaseModel,
        *,
        backoff: Backoff | None = None,
        clock: Clock | None = None,
    ) -> FileSource:
        """Return the charts of the symbols in `location`, such as `AAPL,MSFT`.

        An empty location means the symbols of the settings. Nothing is asked yet.

        Raises:
            ConfigError: There is no symbol, or one cannot be asked for.
        """
        own = YahooSettings.model_validate(settings, from_attributes=True)
        symbols = _symbols(location, own)
        policy = backoff or Backoff(own.attempts, own.backoff_first_s, own.backoff_longest_s)
        now = clock or SystemClock()
        quotas = (Quota(own.calls_per_minute, MINUTE_S),) if own.calls_per_minute else ()
        client = RestClient(
            RestOptions(
                base_url=own.base_url,
                headers={"User-Agent": own.user_agent, "Accept": "application/json"},
                gate=Gate(quotas, sleep=policy.sleep),
                backoff=policy,
                clock=now,
                key_setting="base_url of yahoo",
                timeout_s=own.timeout_s,
                deadline_s=own.call_deadline_s,
                allow_http=own.allow_http,
            )
        )
        return YahooSource(client, symbols, now)


connector: Final = YahooConnector()


def _symbols(location: str, settings: YahooSettings) -> tuple[str, ...]:
    named = tuple(text.strip() for text in location.split(",") if text.strip())
    symbols = tuple(dict.fromkeys(named or settings.symbols))
    if not symbols:
        raise ConfigError(
            "yahoo was given no symbol. Name them, e.g. --symbols AAPL,MSFT, or set symbols in "
            "[yahoo]."
        )
    for symbol in symbols:
        if "/" in symbol or not symbol.isprintable() or symbol in {".", ".."} or " " in symbol:
            raise ConfigError(f"{symbol!r} is not a symbol of Yahoo. Write it as AAPL or BRK-B.")
    return symbols
