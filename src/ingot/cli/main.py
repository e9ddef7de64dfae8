"""The `ingot` command: options of every command, error messages and exit codes."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Final

import typer
from typer.exceptions import TyperException

from ingot.cli import exports, load, operate, quality, quality_coverage, read, revisions
from ingot.cli.overview import Overview
from ingot.cli.state import State
from ingot.errors import INTERRUPTED_EXIT_CODE, IngotError
from ingot.failures import failure_of
from ingot.version import __version__

# Plain help loads in a quarter of the time of a decorated one, and reads in any terminal.
app = typer.Typer(
    name="ingot",
    cls=Overview,
    help="A market-data lakehouse: every answer can be asked as known at any past moment.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 done, 2 fix the request, 3 look at the data, 4 try later, "
    "5 read back first, 130 interrupted.",
)
load.register(app)
read.register(app)
quality.register(app)
operate.register(app)
exports.register(app)
revisions.register(app)
quality_coverage.register(app)

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
            help="Pretend that it is this instant; known times are 'stated'.",
        ),
    ] = None,
    version: Annotated[  # noqa: ARG001 - the callback acts on it
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Set what every command needs."""
    state = State(lake=lake, overrides=tuple(settings or ()), now=now)
    context.call_on_close(state.opened.close)
    context.obj = state


def main() -> None:
    """Run the command line and end the process with the exit code of what happened."""
    if _COMPLETION in os.environ:
        app(prog_name="ingot")
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code; errors are told on stderr."""
    command = typer.main.get_command(app)
    try:
        with command.make_context("ingot", list(arguments)) as context:
            command.invoke(context)
    except typer.Exit as ended:
        return ended.exit_code
    except IngotError as error:
        _tell(str(error))
        return error.exit_code
    except TyperException as error:
        _tell(_explained(error))
        return error.exit_code
    except KeyboardInterrupt:
        _tell("interrupted; what was committed stays, run the command again to go on")
        return INTERRUPTED_EXIT_CODE
    except BrokenPipeError:
        _forget_reader()
    except Exception as error:
        failure = failure_of(error)
        if failure is None:
            raise
        _tell(str(failure))
        return failure.exit_code
    return 0


def _tell(message: str) -> None:
    sys.stderr.write(message if message.startswith("Usage: ") else f"ingot: {message}\n")


def _explained(error: TyperException) -> str:
    """Return what is wrong with the command line, and where to read more."""
    message = error.format_message()
    if message.startswith("Usage: "):
        return f"{message}\n"
    message = message.replace("Value error, ", "").replace("Input should", "it should")
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "ingot"
    stop = "" if message.endswith((".", "?")) else "."
    return f"{message}{stop} See: {path} --help"


def _forget_reader() -> None:
    """Let nothing more be written: the reader (`| head`) has gone, and Python flushes at exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        if not stream.isatty():
            os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
