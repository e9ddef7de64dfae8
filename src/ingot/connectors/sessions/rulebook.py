"""The dated rulebook: sessions beside the regular one, as data."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from datetime import date, time
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ingot.errors import ConfigError
from ingot.model.calendar import OVERNIGHT, POST, PRE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Edge = time | Literal["open", "close"]
"""A local time, or an edge of the trade date's regular session."""
RULED_SESSIONS: Final = (OVERNIGHT, PRE, POST)
_REQUIRED: Final = {"session", "start", "end"}
_KNOWN: Final = {
    *_REQUIRED,
    "valid_from",
    "start_day_before",
    "end_on_early_close",
    "source",
}


@dataclass(frozen=True, slots=True)
class SessionRule:
    """The hours of one session, for trade dates from `valid_from` until the session's next rule."""

    session: str
    valid_from: date | None
    """None while the rule is announced, but not in force."""
    start: Edge
    end: Edge
    end_on_early_close: Edge | None = None
    """Replaces `end` on days on which the regular session closes early."""
    start_day_before: bool = False
    """True where the start is on the calendar day before the trade date."""
    source: str = field(default="", compare=False)
    """Where the rule is published; takes no part in the digest."""


@dataclass(frozen=True, slots=True)
class Market:
    """The rules of one calendar."""

    name: str
    zone: ZoneInfo
    """Zone of the rules' local times."""
    rules: tuple[SessionRule, ...]

    def rules_on(self, trade_date: date) -> tuple[SessionRule, ...]:
        """Return the rule in force on `trade_date` for each session that has one."""
        latest: dict[str, SessionRule] = {}
        for rule in self.in_force:
            if rule.valid_from is not None and rule.valid_from <= trade_date:
                latest[rule.session] = rule
        return tuple(latest.values())

    @property
    def in_force(self) -> tuple[SessionRule, ...]:
        """The rules that have a date, by date."""
        dated = (rule for rule in self.rules if rule.valid_from is not None)
        return tuple(sorted(dated, key=lambda rule: (rule.valid_from or date.max, rule.session)))

    @property
    def content(self) -> str:
        """The rules in force as text: equal for equal rules, whatever the file looks like."""
        lines = [self.name, self.zone.key]
        lines += [
            f"{rule.session} {rule.valid_from} {rule.start} {rule.end} "
            f"{rule.end_on_early_close} {rule.start_day_before}"
            for rule in self.in_force
        ]
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Rulebook:
    """Every calendar that sessions can be made for."""

    markets: tuple[Market, ...]

    def market(self, name: str) -> Market:
        """Return the rules of the calendar called `name`.

        Raises:
            ConfigError: The rulebook has no such calendar.
        """
        for market in self.markets:
            if market.name == name:
                return market
        known = ", ".join(market.name for market in self.markets)
        raise ConfigError(f"The rulebook has no calendar {name!r}. It has {known}.")


def load_rulebook(path: Path | None = None) -> Rulebook:
    """Return the rulebook at `path`, or the one shipped with this package.

    Raises:
        ConfigError: The file cannot be read, or a rule in it is not of the right form.
    """
    where = str(path) if path else "the shipped rulebook"
    try:
        text = path.read_text("utf-8") if path else _shipped()
        document = tomllib.loads(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        raise ConfigError(f"The rulebook {where} cannot be read: {exc}.") from exc
    return parse_rulebook(document, where=where)


def parse_rulebook(document: Mapping[str, Any], *, where: str = "the rulebook") -> Rulebook:
    """Return the rulebook that a parsed TOML document describes.

    Raises:
        ConfigError: A key is unknown or missing, or a value is not of the right form.
    """
    _refuse_unknown(document, {"calendar"}, where)
    calendars = document.get("calendar")
    if not isinstance(calendars, dict) or not calendars:
        raise ConfigError(f"{where} has no [calendar.NAME] section.")
    return Rulebook(tuple(_market(name, body, where) for name, body in calendars.items()))


def _shipped() -> str:
    return files("ingot.connectors.sessions").joinpath("rulebook.toml").read_text("utf-8")


def _market(name: str, body: Mapping[str, Any], where: str) -> Market:
    place = f"[calendar.{name}] of {where}"
    _refuse_unknown(body, {"zone", "session"}, place)
    if "zone" not in body:
        raise ConfigError(f"{place} has no zone, for example America/New_York.")
    try:
        zone = ZoneInfo(str(body["zone"]))
    except (ZoneInfoNotFoundError, ValueError, OSError) as exc:
        raise ConfigError(f"{place}: there is no time zone {body['zone']!r}.") from exc
    rows = body.get("session", [])
    if not isinstance(rows, list):
        raise ConfigError(f"{place}: sessions are written as [[calendar.{name}.session]].")
    rules = tuple(
        _rule(row, f"session {number} of {place}") for number, row in enumerate(rows, start=1)
    )
    dated = [(rule.session, rule.valid_from) for rule in rules]
    if doubled := [pair for pair in dated if dated.count(pair) > 1]:
        session, valid_from = doubled[0]
        raise ConfigError(
            f"{place} has two rules of {session} from {valid_from or 'no date'}; keep one."
        )
    return Market(name, zone, rules)


def _rule(row: Mapping[str, Any], place: str) -> SessionRule:
    _refuse_unknown(row, _KNOWN, place)
    if missing := sorted(_REQUIRED - row.keys()):
        raise ConfigError(f"{place} lacks {', '.join(missing)}.")
    if row["session"] not in RULED_SESSIONS:
        raise ConfigError(
            f"{place}: session was {row['session']!r}; a rule is of {', '.join(RULED_SESSIONS)}."
        )
    early = row.get("end_on_early_close")
    return SessionRule(
        session=row["session"],
        valid_from=_date_or_none(row.get("valid_from"), place),
        start=_edge(row["start"], "start", place),
        end=_edge(row["end"], "end", place),
        end_on_early_close=None if early is None else _edge(early, "end_on_early_close", place),
        start_day_before=_boolean(row.get("start_day_before", False), place),
        source=str(row.get("source", "")),
    )


def _edge(value: object, key: str, place: str) -> Edge:
    if isinstance(value, time) or value in ("open", "close"):
        return value
    raise ConfigError(
        f'{place}: {key} was {value!r}; write a local time such as 04:00:00, "open" or "close".'
    )


def _date_or_none(value: object, place: str) -> date | None:
    # type(), because a datetime is a date to isinstance
    if value is None or type(value) is date:
        return value
    raise ConfigError(f"{place}: valid_from was {value!r}; write a date such as 2027-03-01.")


def _boolean(value: object, place: str) -> bool:
    if isinstance(value, bool):
        return value
    raise ConfigError(f"{place}: start_day_before was {value!r}; write true or false.")


def _refuse_unknown(row: object, known: set[str], place: str) -> None:
    if not isinstance(row, dict):
        raise ConfigError(f"{place} was {row!r}; it has to be a table of keys.")
    if unknown := sorted(row.keys() - known):
        raise ConfigError(
            f"{place} has the unknown key {unknown[0]!r}. "
            f"Known keys are {', '.join(sorted(known))}."
        )
