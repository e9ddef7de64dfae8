"""The section `[yahoo]` of the settings file."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class YahooSettings(BaseModel):
    """Where Yahoo's charts are, which symbols, and how politely to ask.

    Yahoo publishes no quota; it answers 429 to whoever asks too often.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    base_url: str = Field(
        default="https://query2.finance.yahoo.com", description="Address of the chart interface."
    )
    symbols: tuple[str, ...] = Field(
        default=(), description="Symbols to ask for where a command names none, e.g. AAPL."
    )
    calls_per_minute: int = Field(
        default=60, ge=0, le=100_000, description="Calls within a minute; 0 does not count them."
    )
    user_agent: str = Field(
        default="Mozilla/5.0 (compatible; ingot)",
        min_length=1,
        description="Name that is given to Yahoo, which refuses clients without one.",
    )
    attempts: int = Field(
        default=5, ge=1, le=50, description="How often one request is tried before giving up."
    )
    backoff_first_s: float = Field(
        default=2.0, ge=0, le=60, description="First wait before trying again, in seconds."
    )
    backoff_longest_s: float = Field(
        default=60.0, ge=0, le=600, description="Longest wait before trying again, in seconds."
    )
    timeout_s: float = Field(
        default=30.0, gt=0, description="Wait for the next bytes of a reply, in seconds."
    )
    call_deadline_s: float = Field(
        default=180.0,
        gt=0,
        description="Time for the whole replies of one call, retries included, in seconds.",
    )
    allow_http: bool = Field(
        default=False,
        description="Whether an address with http:// on another machine is asked: what is sent "
        "and answered can be read and changed on the way.",
    )
