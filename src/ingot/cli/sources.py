"""`ingot ingest NAME` and `ingot backfill NAME`: a command for each installed source of files."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, get_args, get_origin

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command_from_info
from typer.models import CommandInfo

from ingot.connectors.base import AS_OBJECT_OPTION, AS_OPTION
from ingot.connectors.registry import connector, connector_names

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pydantic import BaseModel
    from pydantic.fields import FieldInfo
    from typer._click import Command, Context, HelpFormatter

    Run = Callable[..., None]

_WITHOUT_FILES: Final = frozenset({"csv", "lean", "sessions", "table", "yahoo"})
"""Connectors of ours that have no market files, or a command of their own."""
_TITLES: Final = {
    "bars": "bars of your own (a CSV or Parquet file)",
    "massive": "Massive (formerly Polygon.io) flat files",
}
"""What ours are called in the list of commands, so that listing them loads none."""


class SourceGroup(TyperGroup):
    """A group with a command for each installed source; listing them loads no connector."""

    verb: str
    """`{}` is what the source is called."""
    run: Run
    """What a command of a source calls, with the source's `name` and chosen `options`."""

    def list_commands(self, ctx: Context) -> list[str]:
        """Return the sources by name, then the commands that are not of one source."""
        names = [n for n in connector_names() if n not in _WITHOUT_FILES | set(self.commands)]
        return [*names, *super().list_commands(ctx)]

    def get_command(self, ctx: Context, cmd_name: str) -> Command | None:
        """Return a command; that of a source gets the options of the source's settings."""
        if cmd_name in self.commands:
            return super().get_command(ctx, cmd_name)
        from ingot.config.messages import unknown  # loads pydantic

        names = self.list_commands(ctx)
        if cmd_name not in names:
            return ctx.fail(unknown("source", cmd_name, names))
        found = connector(cmd_name)
        about = "" if cmd_name == "massive" else f"\n\n{inspect.getdoc(found) or ''}"
        info = CommandInfo(
            cmd_name,
            cls=TyperCommand,
            callback=_with_options(self.run, cmd_name, _options(found.settings)),
            help=self.verb.format(_title(cmd_name)) + about,
        )
        return get_command_from_info(info, pretty_exceptions_short=False, rich_markup_mode=None)

    def format_commands(self, ctx: Context, formatter: HelpFormatter) -> None:
        """Write the commands, one sentence each."""
        names = self.list_commands(ctx)
        width = formatter.width - 6 - max(map(len, names))
        rows = [(name, self._sentence(name, width)) for name in names]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def _sentence(self, name: str, width: int) -> str:
        if name in self.commands:
            return self.commands[name].get_short_help_str(width)
        return self.verb.format(_title(name))


def _title(name: str) -> str:
    return _TITLES.get(name, f"files of {name}")


def _options(settings: type[BaseModel]) -> dict[str, FieldInfo]:
    """Return the settings that are options of the command, too."""
    fields = settings.model_fields.items()
    kinds = (AS_OPTION, AS_OBJECT_OPTION)
    return {name: field for name, field in fields if field.json_schema_extra in kinds}


def _with_options(run: Run, name: str, options: Mapping[str, FieldInfo]) -> Run:
    """Return `run` as the callback of a command that takes a source's own options as well."""
    signature = inspect.signature(run, eval_str=True)
    shared = [p for p in signature.parameters.values() if p.kind is not p.KEYWORD_ONLY]
    own = [_parameter(key, field) for key, field in options.items()]

    def command(**given: Any) -> None:  # noqa: ANN401 (values of any option)
        values = {key: given.pop(key) for key in options}
        chosen = tuple((key, str(value)) for key, value in values.items() if value is not None)
        run(**given, name=name, options=chosen)

    parameters = [*shared, *own]
    command.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in parameters}
    return command


def _parameter(key: str, field: FieldInfo) -> inspect.Parameter:
    option = typer.Option(
        f"--{key.replace('_', '-')}", metavar=_metavar(field.annotation), help=field.description
    )
    annotation = Annotated[str | None, option]
    return inspect.Parameter(
        key, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation
    )


def _metavar(kind: object) -> str:
    """Return the placeholder of an option's value in help: the choices, where there are some."""
    if get_origin(kind) is Literal:
        return "|".join(map(str, get_args(kind)))
    return "LIST" if get_origin(kind) is tuple else "VALUE"
