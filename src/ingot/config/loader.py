"""Reading settings: the lake's file, its secrets file, the environment, arguments."""

from __future__ import annotations

import os
import stat
import tomllib
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, Final, get_origin

from pydantic import SecretStr, ValidationError

from ingot.config.messages import unknown
from ingot.config.reference import type_text
from ingot.config.settings import (
    FILE,
    PREFIX,
    SECRETS_FILE,
    Settings,
    as_json,
    build,
    setting_fields,
    vendor_environment,
)
from ingot.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

OTHER_ENVIRONMENT: Final[Mapping[str, str]] = {
    "INGOT_LAKE": "Folder of the lake, where the command line names none.",
    "INGOT_RECORDED_DATA": "Folder of recorded vendor files, for the tests.",
    "INGOT_TESTS_NETWORK": "1 lets tests use the network.",
}
"""Names with our prefix that are no settings."""
_SEPARATOR: Final = "__"
_OPEN_TO_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


def load_settings(
    lake_root: Path | None, environ: Mapping[str, str], overrides: Mapping[str, object]
) -> Settings:
    """Return the settings of a lake.

    Args:
        lake_root: Folder that holds `ingot.toml` and `secrets.toml`, both optional; None reads
            neither.
        environ: Names with our prefix are read; an empty value counts as not set.
        overrides: Arguments by setting name; None counts as not given.

    Raises:
        ConfigError: A key is unknown, a value is wrong, a file cannot be read, or the secrets
            file is open to other users.
    """
    found = _Found()
    if lake_root:
        found.add_file(lake_root / FILE)
        found.private = _read_secrets(lake_root / SECRETS_FILE)
    found.add_environment(environ)
    found.add_arguments(overrides)
    return build(found.values, found.vendors, found.private, found.places)


@dataclass
class _Found:
    """What was found so far; what is added later wins."""

    values: dict[str, object] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    vendors: dict[str, dict[str, Any]] = field(default_factory=dict)
    private: dict[str, dict[str, SecretStr]] = field(default_factory=dict)

    def add_file(self, path: Path) -> None:
        for key, value in _read_toml(path).items():
            if key in setting_fields():
                self._add(key, value, f"in {path}")
            elif not isinstance(value, dict):
                raise ConfigError(f"{unknown('setting', key, setting_fields())} It is in {path}.")
            else:
                self.vendors[_checked_vendor(key, path)] = value

    def add_environment(self, environ: Mapping[str, str]) -> None:
        for name, text in sorted(environ.items()):
            if not name.startswith(PREFIX) or name in OTHER_ENVIRONMENT:
                continue
            if _SEPARATOR in name:
                vendor, key = _vendor_key(name)
                self.private.setdefault(vendor, {}).update({key: SecretStr(text)} if text else {})
            else:
                key = _setting_of(name)
                if text:
                    self._add(key, _from_text(key, text, name), f"in the environment ({name})")

    def add_arguments(self, overrides: Mapping[str, object]) -> None:
        for key, value in overrides.items():
            if key not in setting_fields():
                raise ConfigError(unknown("setting", key, setting_fields()))
            if value is not None:
                read = _from_text(key, value, key) if isinstance(value, str) else value
                self._add(key, read, "as an argument")

    def _add(self, key: str, value: object, place: str) -> None:
        self.values[key], self.places[key] = value, place


def _vendor_names() -> tuple[str, ...]:
    return tuple(sorted(entry.name for entry in entry_points(group="ingot.connectors")))


def _checked_vendor(name: str, path: Path) -> str:
    """Return the name of a section: a connector's, or that of one whose data is in the lake."""
    uninstalled = path.parent / "landing" / "datasets" / name  # where landing records datasets
    if name in _vendor_names() or uninstalled.is_dir():
        return name
    raise ConfigError(f"{unknown('section', name, _vendor_names())} It is in {path}.")


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        raise ConfigError(f"The settings file {path} cannot be read: {exc}.") from exc


def _read_secrets(path: Path) -> dict[str, dict[str, SecretStr]]:
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            if os.name == "posix" and mode & _OPEN_TO_OTHERS:
                raise ConfigError(
                    f"The secrets file {path} is open to other users (mode {mode:o}). "
                    f"Close it with: chmod 600 {path}"
                )
            document = tomllib.load(file)
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        raise ConfigError(f"The secrets file {path} cannot be read: {exc}.") from exc
    return {name: _secret_section(name, section, path) for name, section in document.items()}


def _secret_section(name: str, section: object, path: Path) -> dict[str, SecretStr]:
    if not isinstance(section, dict):
        raise ConfigError(f"{name} in {path} is outside a section. Write it below [VENDOR].")
    _checked_vendor(name, path)
    for key, value in section.items():
        if not isinstance(value, str):
            raise ConfigError(f"{key} in [{name}] of {path} has to be text in quotes.")
    return {key: SecretStr(value) for key, value in section.items()}


def _setting_of(name: str) -> str:
    known = {f"{PREFIX}{key.upper()}": key for key in setting_fields()}
    if name not in known:
        raise ConfigError(unknown("environment name", name, (*known, *OTHER_ENVIRONMENT)))
    return known[name]


def _vendor_key(name: str) -> tuple[str, str]:
    head, separator, key = name.partition(_SEPARATOR)
    known = {vendor_environment(vendor): vendor for vendor in _vendor_names()}
    if vendor := known.get(head + separator):
        return vendor, key.lower()
    raise ConfigError(unknown("environment name", name, [prefix + key for prefix in known]))


def _from_text(key: str, text: str, name: str) -> object:
    from pydantic import TypeAdapter  # noqa: PLC0415 (brings JSON schemas, rarely needed)

    of = setting_fields()[key]
    adapter: TypeAdapter[Any] = TypeAdapter(of.annotation or str)
    try:
        if get_origin(of.annotation) is tuple:
            return adapter.validate_json(as_json(text))
        return adapter.validate_strings(text)
    except ValidationError as exc:
        raise ConfigError(f"{name} was {text!r}: it should be {type_text(of)}.") from exc
