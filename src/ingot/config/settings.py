"""What can be set, and within which bounds."""

from __future__ import annotations

import json
from collections.abc import Mapping  # noqa: TC003 (pydantic reads it at run time)
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self, TypeVar, get_origin

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationError,
    model_validator,
)

from ingot.config.messages import explain, is_secret, unknown
from ingot.errors import ConfigError
from ingot.model.vendor_files import DEFAULT_LIMITS, InflateLimits

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

FILE: Final = "ingot.toml"
SECRETS_FILE: Final = "secrets.toml"
PREFIX: Final = "INGOT_"
_VendorModel = TypeVar("_VendorModel", bound=BaseModel)
_Percent = Annotated[float, Field(ge=0, le=100)]


class SourcePrecedence(BaseModel):
    """Which source answers first, from a trade date on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    from_date: date
    sources: tuple[str, ...]


class Settings(BaseModel):
    """Every setting of a lake; frozen, passed down from the door."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    calendar: str = Field(
        default="XNYS",
        min_length=1,
        description="Market whose sessions bars are classed by: its ISO 10383 code, or 24/7.",
    )
    source_precedence: Annotated[tuple[SourcePrecedence, ...], Field(strict=False)] = Field(
        default=(SourcePrecedence(from_date=date(1970, 1, 1), sources=("massive",)),),
        description="Which source answers where several have a symbol's day: a list of sources "
        "from each date on, dates ascending. Sources that are not listed come after, by name.",
    )
    risk_free_rate: float = Field(
        default=0.0,
        gt=-1,
        lt=1,
        description="Yearly risk-free rate of the Sharpe ratio, a fraction (0.04 is 4 %). "
        "A change makes gold.performance stale.",
    )
    quarantine_limit_pct: _Percent = Field(
        default=1.0,
        description="Share of a file's rows that may be refused; above it nothing of the file "
        "is loaded, or, where silver would refuse them, the version is held, percent.",
    )
    inflate_max_mb: int = Field(
        default=DEFAULT_LIMITS.most_bytes >> 20,
        ge=1,
        description="Size to which a packed file (gzip, zip) may inflate; a larger one is refused, "
        "MiB.",
    )
    inflate_max_ratio: float = Field(
        default=DEFAULT_LIMITS.most_ratio,
        ge=1,
        description="How many times its packed size a file may inflate to, beyond its first 16 "
        "MiB: real files inflate 5 to 20 times.",
    )
    observed_within_h: float = Field(
        default=36.0,
        ge=0,
        le=24 * 366,
        description="A first version seen within so long after the publication rule's moment is "
        "known from when it was seen; a later one's known time is assumed, hours.",
    )
    assumed_known: Literal["rule", "last_modified", "first_seen"] = Field(
        default="rule",
        description="What an assumed known time is: the publication rule's moment, the vendor's "
        "Last-Modified, or when this lake saw the file.",
    )
    hold_below_previous_pct: _Percent = Field(
        default=90.0,
        description="A version with fewer rows or symbols than this share of the version before "
        "is held, percent.",
    )
    hold_below_median_pct: _Percent = Field(
        default=50.0,
        description="A first version with fewer rows than this share of the median of earlier "
        "trade dates is held, percent.",
    )
    hold_median_days: int = Field(
        default=20, ge=1, le=1000, description="Trade dates that the median is made of, at most."
    )
    hold_median_min_days: int = Field(
        default=5, ge=1, le=1000, description="Trade dates that the median needs, at least."
    )
    hold_reference_rows: int = Field(
        default=100,
        ge=1,
        description="A version of actions or instruments is held only when the one before it has "
        "at least so many rows: a short list may well lose a tenth.",
    )
    action_sources: tuple[str, ...] = Field(
        default=("csv", "massive", "lean", "yahoo"),
        strict=False,
        description="Whose corporate actions count, first choice first: per instrument, ex-date "
        "and kind one source does. Others come after, by name.",
    )
    instrument_sources: tuple[str, ...] = Field(
        default=("csv", "massive", "lean", "yahoo"),
        strict=False,
        description="Whose instruments count, first choice first: per symbol and date one source "
        "does. Others come after, by name.",
    )
    strategy: Literal["auto", "sequential", "parallel"] = Field(
        default="auto",
        description="How days are loaded: one after the other, several at once, or as cores, "
        "memory and disk suggest.",
    )
    engine: Literal["duckdb", "spark"] = Field(
        default="duckdb",
        description="What computes silver and gold: DuckDB in this process, or Spark (extra "
        "spark).",
    )
    spark_master: str = Field(
        default="local[2]",
        min_length=1,
        description="Where Spark runs, with engine = spark; the lake's folder must be there too.",
    )
    workers: int | None = Field(
        default=None,
        ge=1,
        le=256,
        examples=[2],
        description="Days loaded at once; by default as many as cores and memory allow.",
    )
    memory_budget_mb: int | None = Field(
        default=None,
        ge=128,
        examples=[2000],
        description="Memory that loading and refining may use; by default half of what is free, "
        "MiB.",
    )
    download_bytes_in_flight_mb: int = Field(
        default=256, ge=1, description="Bytes that downloads may hold at once, MiB."
    )
    commit_days: int = Field(
        default=25, ge=1, le=1000, description="Days committed together, at most."
    )
    commit_seconds: int = Field(
        default=60, ge=1, description="Time after which finished days are committed, seconds."
    )
    commit_attempts: int = Field(
        default=20,
        ge=1,
        le=1000,
        description="How often a commit that lost to another writer is planned again.",
    )
    reconcile_price_pct: _Percent = Field(
        default=0.01,
        description="Prices that differ by more than this, and by more than half a tick, are a "
        "finding of reconcile, percent.",
    )
    reconcile_volume_pct: _Percent = Field(
        default=0.01,
        description="Volumes that differ by more than this are a finding of reconcile, percent.",
    )
    reconcile_tick: float = Field(
        default=0.0,
        ge=0,
        description="Smallest price step for reconcile; 0 takes 0.01, and 0.0001 below a price "
        "of 1, USD.",
    )
    checks_on_build: bool = Field(
        default=True,
        description="Whether a build runs the cheap checks of severity error on the dates that "
        "it refined.",
    )
    query_max_rows: int = Field(
        default=5_000_000, ge=1, description="Rows that an answer may have."
    )
    query_max_answer_mb: int = Field(
        default=2048, ge=1, description="Bytes that an answer may have, MiB."
    )
    query_timeout_s: float = Field(
        default=300.0, gt=0, description="Time that a query may take, seconds."
    )
    query_memory_mb: int | None = Field(
        default=None,
        ge=16,
        examples=[1000],
        description="Memory that queries may use; by default a share of the machine's, MiB.",
    )
    cache_mb: int = Field(
        default=64, ge=0, description="Memory for plans and small answers; 0 keeps none, MiB."
    )
    vendors: Mapping[str, Mapping[str, Any]] = Field(default_factory=dict, repr=False, exclude=True)
    """Vendors' sections of the plain file, unchecked: `vendor` checks one."""
    _private: dict[str, dict[str, SecretStr]] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if self.hold_median_min_days > self.hold_median_days:
            raise ValueError(
                f"hold_median_min_days ({self.hold_median_min_days}) is more than "
                f"hold_median_days ({self.hold_median_days})"
            )
        dates = [row.from_date for row in self.source_precedence]
        if dates != sorted(set(dates)):
            raise ValueError("the dates of source_precedence do not ascend")
        return self

    @property
    def inflate_limits(self) -> InflateLimits:
        """How far packed files may inflate."""
        return InflateLimits(self.inflate_max_mb << 20, self.inflate_max_ratio)

    def sources_on(self, trade_date: date) -> tuple[str, ...]:
        """Return the sources to ask on `trade_date`, first choice first; () where none is listed.

        >>> Settings().sources_on(date(2025, 6, 2))
        ('massive',)
        """
        rows = [row for row in self.source_precedence if row.from_date <= trade_date]
        return rows[-1].sources if rows else ()

    def vendor(
        self, name: str, model: type[_VendorModel], options: Mapping[str, str] | None = None
    ) -> _VendorModel:
        """Return the vendor's section, with environment and secrets, as its own model.

        `options` are what a command gave for this load; they come before the section.

        Raises:
            ConfigError: A key is unknown, a value is wrong or missing, or a secret is in the
                plain file.
        """
        plain = self.vendors.get(name, {})
        private = self._private.get(name, {})
        for key in (*plain, *private):
            if key not in model.model_fields:
                raise ConfigError(unknown(f"[{name}] setting", key, model.model_fields))
        for key in plain:
            if is_secret(model.model_fields[key].annotation):
                raise ConfigError(_misplaced_secret(name, key))
        given = {
            key: _read(model.model_fields[key], value.get_secret_value())
            for key, value in private.items()
        }
        chosen = {k: _read(model.model_fields[k], v) for k, v in (options or {}).items()}
        values = {**plain, **given, **chosen}
        try:
            return model.model_validate(values)
        except ValidationError as exc:
            message = explain(exc, dict.fromkeys(values, f"of [{name}]"), shown={**plain, **chosen})
        # not chained: pydantic's message quotes the values, and one may be a secret
        raise ConfigError(f"The settings of {name} are wrong: {message}") from None


def as_json(text: str) -> str:
    """Return a list that was given as text as JSON; it may be JSON, or names between commas.

    >>> as_json("AAPL, MSFT")
    '["AAPL", "MSFT"]'
    """
    if text.lstrip().startswith("["):
        return text
    return json.dumps([part.strip() for part in text.split(",") if part.strip()])


def _read(field: FieldInfo, text: str) -> object:
    """Return the list that a text gives for a list; any other text as it is."""
    if get_origin(field.annotation) is not tuple:
        return text
    try:
        return json.loads(as_json(text))
    except ValueError:
        return text


def build(
    values: Mapping[str, object],
    vendors: Mapping[str, Mapping[str, Any]],
    private: Mapping[str, Mapping[str, SecretStr]],
    places: Mapping[str, str],
) -> Settings:
    """Return settings of values read from several places.

    Args:
        values: By setting name.
        vendors: Sections of the plain file.
        private: Vendors' values from the environment and the secrets file.
        places: Where each value was found, for messages.

    Raises:
        ConfigError: A value is wrong.
    """
    try:
        settings = Settings.model_validate({**values, "vendors": vendors})
    except ValidationError as exc:
        raise ConfigError(explain(exc, places, shown=values)) from exc
    for name, section in private.items():
        settings._private[name] = dict(section)  # noqa: SLF001 (a part that is never dumped)
    return settings


def vendor_environment(vendor: str, key: str = "") -> str:
    """Return the environment name of a vendor's setting.

    >>> vendor_environment("massive", "access_key_id")
    'INGOT_MASSIVE__ACCESS_KEY_ID'
    """
    return f"{PREFIX}{vendor.replace('-', '_')}__{key}".upper()


def setting_fields() -> dict[str, FieldInfo]:
    """Return the fields that are settings, by name, in the order of the file."""
    return {name: field for name, field in Settings.model_fields.items() if name != "vendors"}


def _misplaced_secret(vendor: str, key: str) -> str:
    return (
        f"{key} in [{vendor}] of {FILE} is a secret. Remove it there, and give it as "
        f"{vendor_environment(vendor, key)} in the environment or in {SECRETS_FILE} (chmod 600)."
    )
