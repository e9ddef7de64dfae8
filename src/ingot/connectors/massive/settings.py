"""The section `[massive]` of the settings file."""

from __future__ import annotations

from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator


class MassiveSettings(BaseModel):
    """Where Massive's flat files are, the key pair, and how hard to pull.

    The key pair is the S3 one of the vendor's dashboard, not the REST key; it comes from the
    environment or the secrets file and is never printed.
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
