"""The `ingot` command: options of every command, error messages and exit codes."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from typer.exceptions import TyperException

from ingot.cli import load, operate, read
from ingot.cli.state import State
from ingot.errors import INTERRUPTED_EXIT_CODE, IngotError
from ingot.version import __version__

app = typer.Typer(
    name="ingot",
    help="A market-data lakehouse: every answer can be asked as known at any past moment.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done, 2 fix the request, 3 look at the data, 4 try later, "
    "5 read back first, 130 interrupted.",
)
load.register(app)
read.register(app)
operate.register(app)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"ingot {__version__}")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    lake: Annotated[
        Path, typer.Option("--lake", envvar="INGOT_LAKE", help="Folder of the lake.")
    ] = Path("lake"),
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Override one setting; may be repeated."),
    ] = None,
    now: Annotated[
        str | None,
        typer.Option("--now", help="Pretend that it is this instant; known times are 'stated'."),
    ] = None,
    version: Annotated[  # noqa: ARG001 - the callback acts on it
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Set what every command needs."""
    context.obj = State(lake=lake, overrides=tuple(settings or ()), now=now)


def main() -> None:
    """Run the command line and end the process with the exit code of what happened."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code; errors are told on stderr."""
    try:
        code = app(arguments, prog_name="ingot", standalone_mode=False)
    except IngotError as error:
        _tell(str(error))
        return error.exit_code
    except typer.Exit as ended:
        return ended.exit_code
    except (KeyboardInterrupt, typer.Abort):
        _tell("interrupted; what was committed stays, run the command again to go on")
        return INTERRUPTED_EXIT_CODE
    except BrokenPipeError:
        # The reader of our output has gone (| head); Python would complain again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except TyperException as error:
        _tell(error.format_message())
        return error.exit_code
    return code if isinstance(code, int) else 0


def _tell(message: str) -> None:
    sys.stderr.write(f"ingot: {message}\n")
