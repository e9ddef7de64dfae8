"""The vendor's REST host, and the folder that keeps its responses about single tickers."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from ingot.connectors.massive.rest.folder import file_name
from ingot.connectors.transport.http.client import RestClient, RestOptions, read_json
from ingot.connectors.transport.http.rate_limit import MINUTE_S, Gate, Quota
from ingot.connectors.transport.http.redaction import Redactor
from ingot.connectors.transport.http.response_bundle import canonical
from ingot.errors import ConfigError, SourceUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from ingot.connectors.massive.settings import MassiveSettings
    from ingot.connectors.transport.backoff import Backoff
    from ingot.connectors.transport.http.pagination import Answers
    from ingot.connectors.transport.http.response_bundle import Query
    from ingot.model.time import Clock

_EVERY: Final = "*"
_HOSTS: Final = frozenset({"api.massive.com", "api.polygon.io"})


class HostResponses:
    """The vendor's host, or a server that answers like it."""

    def __init__(
        self, location: str, settings: MassiveSettings, backoff: Backoff, clock: Clock
    ) -> None:
        self.redactor = Redactor((settings.rest_api_key,))
        self._details_for = settings.rest_details_for
        client = _client(location, settings, backoff, clock, self.redactor)
        self.get, self.follow = client.get, client.follow
        self.singles: Answers = client
        """What answers requests about one ticker."""
        if folder := settings.rest_answers_folder:
            oldest = (clock.now() - timedelta(hours=settings.rest_answers_hours)).timestamp()
            self.singles = _KeptResponses(client, folder.expanduser(), self.redactor, oldest)

    def has(self, path: str, params: Mapping[str, str] | None = None) -> bool:
        """Return True: every request can be sent."""
        del path, params
        return True

    def subjects(self, lists: Sequence[Query]) -> tuple[Iterable[str], Iterable[str]] | None:
        """Return the tickers and FIGIs to ask for singly; None where the settings name none."""
        chosen = self._details_for
        if not chosen:
            return None
        if _EVERY not in chosen:
            return chosen, chosen
        rows = [row for query in lists for row in query.rows]
        active = [str(row.get("ticker", "")) for row in lists[0].rows]
        by_figi = [str(row.get("composite_figi") or row.get("ticker", "")) for row in rows]
        return active, dict.fromkeys(by_figi)


class _KeptResponses:
    """Responses of the vendor's host that are kept in a folder for some hours.

    A request for each ticker takes longer than the calls of one day: a later run reads what an
    earlier one received.
    """

    def __init__(self, client: RestClient, folder: Path, redactor: Redactor, oldest: float) -> None:
        self._client, self._folder, self._redactor = client, folder, redactor
        self._oldest = oldest
        self.follow = client.follow

    def get(self, path: str, params: Mapping[str, str] | None = None) -> Any:  # noqa: ANN401 (JSON)
        """Return the kept response where it is young enough, else the vendor's; keeps that.

        Raises:
            SourceUnavailableError: The folder cannot be used. And as the client's `get` does.
        """
        kept = self._folder / file_name(path, params)
        try:
            if kept.is_file() and kept.stat().st_mtime >= self._oldest:
                return read_json(kept.read_bytes())
        except ValueError:
            pass  # torn while it was written: ask again
        body = self._client.get(path, params)
        text = self._redactor.text(canonical(body))
        part = kept.with_suffix(".part")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            part.write_text(text, encoding="utf-8")
            part.replace(kept)
        except OSError as exc:
            raise SourceUnavailableError(
                f"{kept} cannot be written: {exc.strerror}. Look at rest_answers_folder."
            ) from exc
        return body


def _client(
    location: str, settings: MassiveSettings, backoff: Backoff, clock: Clock, redactor: Redactor
) -> RestClient:
    key = settings.rest_api_key
    if key is None or not key.get_secret_value():
        raise ConfigError(
            f"Asking {redactor.text(location)} needs the REST key. Set rest_api_key of massive in "
            "the environment or in [massive] of the secrets file."
        )
    calls = settings.rest_calls_per_minute
    return RestClient(
        RestOptions(
            base_url=location,
            headers={"Authorization": f"Bearer {key.get_secret_value()}"},
            redactor=redactor,
            gate=Gate((Quota(calls, MINUTE_S),) if calls else (), sleep=backoff.sleep),
            backoff=backoff,
            clock=clock,
            key_setting="rest_api_key",
            aliases=_HOSTS,
            timeout_s=settings.read_timeout_s,
            deadline_s=settings.call_deadline_s,
            allow_http=settings.allow_http,
        )
    )
