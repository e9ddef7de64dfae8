"""The section `[massive]` of the settings file."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 (pydantic reads it at run time)
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator


class MassiveSettings(BaseModel):
    """Where Massive's flat files are, the keys, and how hard to pull.

    The key pair is the S3 one of the vendor's dashboard and opens the flat files; the REST key
    opens reference data. They come from the environment or the secrets file and are never printed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    endpoint: str = Field(
        default="https://files.massive.com", description="Address of the S3-compatible store."
    )
    bucket: str = Field(default="flatfiles", min_length=1, description="Bucket of the flat files.")
    region: str = Field(
        default="us-east-1", min_length=1, description="Region that requests are signed for."
    )
    access_key_id: SecretStr | None = Field(
        default=None, description="Access key id of the S3 key pair."
    )
    secret_access_key: SecretStr | None = Field(
        default=None, description="Secret access key of the S3 key pair."
    )
    rest_api_key: SecretStr | None = Field(
        default=None, description="Key of the REST interface, for reference data."
    )
    rest_calls_per_minute: int = Field(
        default=5,
        ge=0,
        le=100_000,
        description="Calls of the REST interface within a minute: 5 on the free plan; 0 does not "
        "count them.",
    )
    rest_details_for: tuple[str, ...] = Field(
        default=(),
        description="Tickers whose overview and ticker changes are requested, one call each; "
        '["*"] is all.',
    )
    rest_answers_folder: Path | None = Field(
        default=None,
        description="Folder that keeps those responses, so that a later run goes on where the "
        "quota stopped one.",
    )
    rest_answers_hours: float = Field(
        default=20.0, ge=0, description="How long a kept response counts, hours."
    )
    attempts: int = Field(
        default=6, ge=1, le=50, description="How often one request is tried before giving up."
    )
    backoff_first_s: float = Field(
        default=0.5, ge=0, le=60, description="First wait before trying again, in seconds."
    )
    backoff_longest_s: float = Field(
        default=30.0, ge=0, le=600, description="Longest wait before trying again, in seconds."
    )
    connect_timeout_s: float = Field(
        default=10.0, gt=0, description="Wait for a connection, in seconds."
    )
    read_timeout_s: float = Field(
        default=60.0, gt=0, description="Wait for the next bytes of a reply, in seconds."
    )
    call_deadline_s: float = Field(
        default=180.0,
        gt=0,
        description="Time for the whole replies of one REST call, retries included, in seconds.",
    )
    least_bytes_per_s: int = Field(
        default=1000,
        ge=0,
        description="A download that is slower for a minute is broken off and goes on with a new "
        "request, bytes per second.",
    )
    allow_http: bool = Field(
        default=False,
        description="Whether requests go to an address with http:// on another machine: they and "
        "their responses can be read and changed on the way.",
    )
    parse_threads: int = Field(
        default=2, ge=1, le=16, description="Threads that parse one file at once."
    )

    @field_validator("endpoint")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("it should be an address such as https://files.massive.com")
        if parts.username or parts.password or parts.query:
            raise ValueError("it should hold no user name, password or query")
        return value.rstrip("/")
