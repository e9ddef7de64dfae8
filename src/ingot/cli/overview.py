"""The list of commands that `ingot --help` prints: by purpose, one sentence each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from typer.core import TyperGroup

if TYPE_CHECKING:
    from typer._click import Context, HelpFormatter

PURPOSES: Final = {
    "Load": ("init", "simulate", "ingest", "build", "backfill"),
    "Query": (
        *("bars", "sql", "symbols", "resolve", "universe"),
        *("sessions", "history", "revisions", "tables", "describe"),
    ),
    "Check": ("check", "reconcile"),
    "Export": ("export", "replay", "exports"),
    "Operate": (
        *("status", "coverage", "runs", "landings", "quarantine", "profile"),
        *("scrub", "repair"),
    ),
}


class Overview(TyperGroup):
    """A group whose help lists its commands by purpose, with whole sentences."""

    def format_commands(self, ctx: Context, formatter: HelpFormatter) -> None:
        """Write the commands."""
        del ctx
        width = max(map(len, self.commands))
        for purpose, names in PURPOSES.items():
            listed = [(n.ljust(width), _sentence(self.commands[n].help)) for n in names]
            with formatter.section(purpose):
                formatter.write_dl(listed)


def _sentence(text: str | None) -> str:
    """Return the first sentence of a help text on one line, without its full stop."""
    paragraph = (text or "").split("\n\n")[0]
    return " ".join(paragraph.split()).removesuffix(".")
