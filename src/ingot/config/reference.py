"""Settings as documentation: the reference page and the text of a new lake's file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Final, get_args

from pydantic import BaseModel, SecretStr

from ingot.config.settings import (
    PREFIX,
    SECRETS_FILE,
    SourcePrecedence,
    setting_fields,
    vendor_environment,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic.fields import FieldInfo


@dataclass(frozen=True, slots=True)
class SettingDoc:
    """One setting, for the reference."""

    name: str
    type: str
    default: str
    """As it is written in the file; empty where there is none."""
    doc: str
    environment: str


def describe() -> tuple[SettingDoc, ...]:
    """Return every setting, in the order of the file."""
    return tuple(
        _doc(name, field, f"{PREFIX}{name.upper()}") for name, field in setting_fields().items()
    )


def describe_vendor(name: str, model: type[BaseModel]) -> tuple[SettingDoc, ...]:
    """Return every setting of a vendor's section."""
    return tuple(
        _doc(key, field, vendor_environment(name, key)) for key, field in model.model_fields.items()
    )


def render_default() -> str:
    """Return the text of a new lake's `ingot.toml`: every setting, commented out."""
    head = (
        "# Settings of this lake. Each line shows the default: remove its # to change it.\n"
        f"# The environment goes before this file, as {PREFIX}<NAME>, and arguments before both.\n"
        "# A vendor's settings are a section, e.g. [massive]; its secrets belong in the\n"
        f"# environment or in {SECRETS_FILE} beside this file (chmod 600), never here.\n"
    )
    return head + "".join(_default_lines(name, field) for name, field in setting_fields().items())


_TYPE_WORDS: Final[Mapping[object, str]] = {
    int: "a whole number",
    float: "a number",
    str: "text",
    bool: "true or false",
    Path: "a path",
    SecretStr: "a secret",
    tuple[str, ...]: "a list of names",
    tuple[SourcePrecedence, ...]: "a list of { from_date, sources }",
}
_BOUND_WORDS: Final = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}


def type_text(field: FieldInfo) -> str:
    """Return a field's type and bounds in words."""
    parts = [part for part in get_args(field.annotation) if part is not type(None)]
    if parts and all(isinstance(part, str) for part in parts):
        return " or ".join(str(part) for part in parts)
    optional = len(parts) == 1
    base = parts[0] if optional else field.annotation
    words = _TYPE_WORDS.get(base, getattr(base, "__name__", str(base)))
    bounds = [
        f"{word} {getattr(constraint, name):g}"
        for constraint in field.metadata
        for name, word in _BOUND_WORDS.items()
        if getattr(constraint, name, None) is not None
    ]
    return " ".join((words, " and ".join(bounds))).strip()


def _doc(name: str, field: FieldInfo, environment: str) -> SettingDoc:
    missing = field.is_required() or field.default is None
    default = "" if missing else _toml(field.default)
    return SettingDoc(name, type_text(field), default, field.description or "", environment)


def _default_lines(name: str, field: FieldInfo) -> str:
    example = field.examples[0] if field.examples else None
    shown = example if field.default is None else field.default
    note = "  # not set by default" if field.default is None else ""
    doc = fill(field.description or "", 96, initial_indent="# ", subsequent_indent="# ")
    return f"\n{doc}\n# {name} = {_toml(shown)}{note}\n"


def _toml(value: object) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(_toml(item) for item in value)}]"
    if isinstance(value, SourcePrecedence):
        return f"{{ from_date = {value.from_date}, sources = {_toml(value.sources)} }}"
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)
