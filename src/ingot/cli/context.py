"""The options of `ingot` itself, the lake that they open, and dates."""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from ingot.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    import typer

    from ingot.app.context.lake_context import Parts
    from ingot.app.lake import Lake
    from ingot.model.time import Clock


_FIRST, _LAST = date(1900, 1, 1), date(2200, 1, 1)
"""Dates and instants of a lake lie in `[_FIRST, _LAST)`: calendars end there."""
_YEARS = f"from {_FIRST} on and before {_LAST}"


@dataclass(frozen=True)
class State:
    """Options of `ingot` itself."""

    lake: Path
    overrides: tuple[str, ...]
    now: str | None
    accept_clock: bool = False
    opened: ExitStack = field(default_factory=ExitStack, compare=False)
    """Closes what was opened when the command ends."""

    def open(self) -> Parts:
        """Return the lake, open until the command ends.

        Raises:
            LakeNotFoundError: There is none at `--lake`.
            ConfigError: A setting is wrong.
        """
        from ingot.app.context.lake_context import open_parts

        parts = open_parts(
            self.lake,
            environ=os.environ,
            overrides=self.settings(),
            clock=self.clock(),
            accept_clock=self.accept_clock,
        )
        self.opened.callback(parts.close)
        return parts

    def clock(self) -> Clock | None:
        """Return the clock that `--now` sets, or None for the machine's."""
        if self.now is None:
            return None
        from ingot.model.time import FixedClock

        try:
            moment = datetime.fromisoformat(self.now)
        except ValueError as exc:
            raise ConfigError(
                f"--now was {self.now!r}: write an instant with offset, such as 2025-06-10T15:00Z."
            ) from exc
        if moment.tzinfo is None:
            raise ConfigError(f"--now was {self.now!r}, without a UTC offset: add Z.")
        if not _FIRST <= moment.date() < _LAST:
            raise ConfigError(f"--now was {self.now!r}. Write an instant {_YEARS}.")
        return FixedClock(moment.astimezone(UTC))

    def settings(self) -> dict[str, object]:
        """Return the settings overridden with `--set`."""
        pairs: dict[str, Any] = {}
        for text in self.overrides:
            key, equals, value = text.partition("=")
            if not equals:
                raise ConfigError(f"--set was {text!r}: write KEY=VALUE.")
            pairs[key.strip()] = value.strip()
        return pairs


def state_of(context: typer.Context) -> State:
    """Return the options of `ingot` itself, which every command is called with."""
    state: State = context.obj
    return state


def lake_of(context: typer.Context) -> Lake:
    """Return the lake as Python has it, open until the command ends.

    Raises:
        LakeNotFoundError: There is none at `--lake`.
        ConfigError: A setting is wrong.
    """
    from ingot.app.lake import Lake

    return Lake(state_of(context).open())


def trade_dates(first: str | None, last: str | None, today: date) -> tuple[date, date]:
    """Return the half-open span of the dates `--from` and `--to`, both included.

    Raises:
        ConfigError: A date is malformed, or the last is before the first.
    """
    start = trade_date("--from", first) if first else _FIRST
    end = trade_date("--to", last) if last else today
    if end < start:
        raise ConfigError(f"--to {end} is before --from {start}.")
    return start, end + timedelta(days=1)


def trade_date(option: str, text: str) -> date:
    """Return the date that an option names.

    Raises:
        ConfigError: It is malformed, or out of bounds.
    """
    try:
        found = date.fromisoformat(text)
    except ValueError as exc:
        raise ConfigError(f"{option} was {text!r}: write a date such as 2025-06-02.") from exc
    if not _FIRST <= found < _LAST:
        raise ConfigError(f"{option} was {text!r}. Write a date {_YEARS}.")
    return found
