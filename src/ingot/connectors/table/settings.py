"""What is recorded of an own table, and chosen with the options of `ingot ingest table`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from ingot.connectors.base import AS_OPTION


class TableSettings(BaseModel):
    """How the files of an own table are read."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(default="", description="Name of the table.", json_schema_extra=AS_OPTION)
    key: str = Field(
        default="",
        description="Columns whose values occur once within a date, such as symbol,venue.",
        json_schema_extra=AS_OPTION,
    )
    time: str = Field(
        default="",
        description="Column of the time: ISO dates or times, or whole nanoseconds since 1970.",
        json_schema_extra=AS_OPTION,
    )
    zone: str = Field(
        default="",
        description="Zone of times without a UTC offset, such as America/New_York; such times are "
        "rejected without it.",
        json_schema_extra=AS_OPTION,
    )
    columns: str = Field(
        default="", description="Columns and their types.", json_schema_extra=AS_OPTION
    )
