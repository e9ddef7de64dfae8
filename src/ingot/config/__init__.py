"""Settings: one TOML file in the lake and the environment, read once at the door.

Later places win: defaults, `ingot.toml` in the lake, the environment (`INGOT_<NAME>`), arguments.
A vendor's section (`[massive]`, `INGOT_MASSIVE__<NAME>`) is checked by the vendor's own model when
the vendor is used; its secrets come from the environment or from `secrets.toml` only.
"""

from __future__ import annotations

from ingot.config.loader import OTHER_ENVIRONMENT, load_settings
from ingot.config.reference import SettingDoc, describe, describe_vendor, render_default
from ingot.config.settings import FILE, SECRETS_FILE, Settings, SourcePrecedence

__all__ = [
    "FILE",
    "OTHER_ENVIRONMENT",
    "SECRETS_FILE",
    "SettingDoc",
    "Settings",
    "SourcePrecedence",
    "describe",
    "describe_vendor",
    "load_settings",
    "render_default",
]
