"""The `ingot` command: options of every command, error messages and exit codes."""

from __future__ import annotations

import os
import re
import sys
from copy import copy
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from typer.core import TyperOption
from typer.exceptions import TyperException

from ingot.cli import coverage, exports, interrupts, load, operate, quality, read, revisions
from ingot.cli.context import State
from ingot.cli.overview import Overview
from ingot.cli.terminal import tell
from ingot.errors import IngotError
from ingot.failures import failure_of
from ingot.version import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

# Plain help loads in a quarter of the time of a decorated one, and reads in any terminal.
app = typer.Typer(
    name="ingot",
    cls=Overview,
    help="A market-data lakehouse, queried as known at any past moment.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 done, 2 fix the request, 3 look at the data, 4 try later, "
    "5 run again to find out, 130 interrupted, 143 terminated.",
)
load.register(app)
read.register(app)
quality.register(app)
operate.register(app)
exports.register(app)
revisions.register(app)
coverage.register(app)

_WITH_VALUE: Final = ("--lake", "--set", "--now")
"""Options before the command that take a value."""
_OF_EACH: Final = frozenset({"-h", "--help", "--version"})
"""Options that mean something else after a command."""
_UNKNOWN: Final = re.compile(r"No such (command|option):? '?([^' ]+)")
_WORDS: Final = {
    "Value error, ": "",
    "Input should": "it should",
    "Got unexpected extra argument(s)": "There are too many arguments",
}
"""Typer's and pydantic's words in messages, and ours."""
_COMPLETION: Final = "_INGOT_COMPLETE"
"""What a shell sets when it asks for completions."""


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"ingot {__version__}")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    lake: Annotated[
        Path, typer.Option("--lake", metavar="DIR", envvar="INGOT_LAKE", help="Folder of the lake.")
    ] = Path("lake"),
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Override one setting; may be repeated."),
    ] = None,
    now: Annotated[
        str | None,
        typer.Option(
            "--now",
            metavar="INSTANT",
            help="Use this instant as the present one; known times are 'stated'.",
        ),
    ] = None,
    accept_clock: Annotated[
        bool,
        typer.Option(
            "--accept-clock",
            help="Load although the lake has recorded later moments than the clock's.",
        ),
    ] = False,
    version: Annotated[  # noqa: ARG001 - the callback acts on it
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Set what every command needs."""
    state = State(lake=lake, overrides=tuple(settings or ()), now=now, accept_clock=accept_clock)
    context.call_on_close(state.opened.close)
    context.obj = state


def main() -> int:
    """Run the command that the process was started with and return its exit code."""
    if _COMPLETION in os.environ:
        app(prog_name="ingot")
    return run(sys.argv[1:])


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code; an error is one message on stderr."""
    command = typer.main.get_command(_needed(arguments))
    try:
        with command.make_context("ingot", _hoisted(arguments, command)) as context:
            command.invoke(context)
    except typer.Exit as ended:
        return ended.exit_code
    except IngotError as error:
        _write_error(str(error))
        return error.exit_code
    except TyperException as error:
        _write_error(_explained(error, arguments))
        return error.exit_code
    except KeyboardInterrupt as exc:
        return interrupts.interrupted(exc)
    except BrokenPipeError:
        _forget_reader()
    except Exception as error:
        failure = failure_of(error)
        if failure is None:
            raise
        _write_error(str(failure))
        return failure.exit_code
    return 0


def _needed(arguments: Sequence[str]) -> typer.Typer:
    """Return the application with the command that is called alone, or with all of them.

    Making one command of 34 takes a tenth of the time, and no message then lists the others.
    """
    name = _called(arguments)
    called = [c for c in app.registered_commands if c.callback and c.callback.__name__ == name]
    needed = copy(app)
    if called:
        needed.registered_commands, needed.registered_groups = called, []
    return needed


def _called(arguments: Sequence[str]) -> str:
    """Return the first word that is neither an option nor the value of one."""
    first = 0
    while first < len(arguments) and arguments[first].startswith("--"):
        first += 2 if arguments[first] in _WITH_VALUE else 1
    return arguments[first] if first < len(arguments) else ""


def _hoisted(arguments: list[str], command: Any) -> list[str]:  # noqa: ANN401  # typer's own
    """Return the arguments with the options of `ingot` itself before the command.

    `ingot help COMMAND` is `ingot COMMAND --help`.
    """
    takes = {o: not p.is_flag for p in command.params if isinstance(p, TyperOption) for o in p.opts}
    first, rest = [], []
    words = iter(arguments)
    for word in words:
        name, equals, _ = word.partition("=")
        if word == "--":
            rest += [word, *words]
        elif name not in takes or (name in _OF_EACH and rest):
            rest.append(word)
        else:
            first.append(word)
            first += [next(words, "")] if takes[name] and not equals else []
    return first + ([*rest[1:], "--help"] if rest[:1] == ["help"] else rest)


def _write_error(message: str) -> None:
    tell(message.rstrip("\n") if message.startswith("Usage: ") else f"ingot: {message}")


def _explained(error: TyperException, arguments: Sequence[str]) -> str:
    """Return what is wrong with the command line, and where to read more."""
    message = error.format_message()
    if message.startswith("Usage: "):
        return f"{message}\n"
    context = getattr(error, "ctx", None)
    path = context.command_path if context else f"ingot {_called(arguments)}".strip()
    if wrong := _UNKNOWN.match(message):
        kind, name = wrong.groups()
        known = getattr(error, "possibilities", None) or []
        if kind == "command" and context:
            known = ["help", *context.command.list_commands(context)]
        near = get_close_matches(name, known, n=1)
        message = f"There is no {kind} {name}."
        message += f" Did you mean {near[0]}?" if near else ""
    for typers, ours in _WORDS.items():
        message = message.replace(typers, ours)
    stop = "" if message.endswith((".", "?")) else "."
    return f"{message}{stop} See: {path} --help"


def _forget_reader() -> None:
    """Let nothing more be written: the reader (`| head`) has gone, and Python flushes at exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        if not stream.isatty():
            os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
