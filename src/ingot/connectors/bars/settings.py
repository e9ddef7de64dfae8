"""The section `[bars]` of the settings file, and the options of `ingot ingest bars`."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Literal, get_args
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, field_validator

from ingot.connectors.base import AS_OBJECT_OPTION
from ingot.connectors.reference.fields import Fold  # noqa: TC001 (a type of a field)

BarField = Literal["symbol", "time", "open", "high", "low", "close", "volume", "transactions"]


class BarsSettings(BaseModel):
    """How a file of bars is read."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    interval: Literal["1m", "1d"] = Field(
        default="1d", description="Length of a bar.", json_schema_extra=AS_OBJECT_OPTION
    )
    zone: str = Field(
        default="",
        description="Zone of times without a UTC offset, such as America/New_York; such times are "
        "refused without it.",
        json_schema_extra=AS_OBJECT_OPTION,
    )
    label: Literal["start", "end"] = Field(
        default="start",
        description="Whether the time of a minute bar is its start or its end.",
        json_schema_extra=AS_OBJECT_OPTION,
    )
    symbol: str = Field(
        default="",
        description="Symbol of every row, where the file has no column for it.",
        json_schema_extra=AS_OBJECT_OPTION,
    )
    fold: Fold = Field(
        default="refuse",
        description="Which of the two a time without a UTC offset is that occurs twice, when "
        "clocks go back; such rows are rejected by default.",
        json_schema_extra=AS_OBJECT_OPTION,
    )
    map: str = Field(
        default="",
        description="Names of the file's columns, such as open=Open,time=Date; a column that is "
        "not named has the name of its field.",
        json_schema_extra=AS_OBJECT_OPTION,
    )
    name: str = Field(
        default="mine",
        pattern=r"^[a-z][a-z0-9_]{0,62}$",
        description="Source that the rows are stored under.",
        json_schema_extra=AS_OBJECT_OPTION,
    )

    @field_validator("zone")
    @classmethod
    def _is_a_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value or "UTC")
        except (KeyError, ValueError, OSError) as exc:
            raise ValueError(
                "it is not an IANA time zone. Write one such as America/New_York"
            ) from exc
        return value

    @field_validator("map")
    @classmethod
    def _is_a_map(cls, value: str) -> str:
        _pairs(value)
        return value

    def changes_clocks(self, day: date) -> bool:
        """Return True if a time within a day of `day` may be skipped or occur twice in the zone."""
        if not self.zone or self.interval == "1d":
            return False
        around = (datetime.combine(day + timedelta(days=n), time()) for n in (-1, 2))
        return (
            len({moment.replace(tzinfo=ZoneInfo(self.zone)).utcoffset() for moment in around}) > 1
        )

    def column_of(self, field: str) -> str:
        """Return the name of a field's column in the file."""
        return dict(_pairs(self.map)).get(field, field)


def _pairs(text: str) -> list[tuple[str, str]]:
    pairs = [tuple(part.strip() for part in pair.split("=", 1)) for pair in text.split(",") if pair]
    for pair in pairs:
        if len(pair) < 2 or pair[0] not in get_args(BarField) or not pair[1]:  # noqa: PLR2004
            known = ", ".join(get_args(BarField))
            raise ValueError(f"{'='.join(pair)} is not FIELD=COLUMN with a field of {known}")
    return [(field, column) for field, column in pairs]
