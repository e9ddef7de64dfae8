"""Where an answer's rows go, how many of them, and in which format; notices go to stderr."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path  # typer reads the annotations
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Annotated, Final

import typer

from ingot.cli.options import AsFormat, Format, Out
from ingot.cli.terminal import page, show, tell
from ingot.errors import QueryError
from ingot.failures import translate

if TYPE_CHECKING:
    from typing import Self

    from ingot.query.result.answer import Answer

_BINARY: Final = {Format.PARQUET, Format.ARROW}
_FEWEST_ROWS: Final = 10
_AROUND: Final = 6
"""Lines of a terminal that are not rows: header, rule, gap, count, prompt."""
_HELP_LIMIT: Final = "Write the first N rows only."


@dataclass(frozen=True, slots=True)
class Destination:
    """Options of the commands that print rows.

    Raises:
        QueryError: Bytes would go to a terminal, or the file exists or has an unknown ending.
    """

    form: AsFormat = None
    out: Out = None
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the file of --out where it exists.")
    ] = False
    limit: Annotated[int | None, typer.Option("--limit", metavar="N", min=1, help=_HELP_LIMIT)] = (
        None
    )
    columns: Annotated[
        str | None,
        typer.Option("--columns", metavar="LIST", help="Write these columns only, such as a,b."),
    ] = None
    zone: Annotated[
        str | None,
        typer.Option(
            "--zone", metavar="NAME", help="Show instants in this zone, such as America/New_York."
        ),
    ] = None
    pager: Annotated[
        bool, typer.Option("--pager", help="Show every row in $PAGER (less) on a terminal.")
    ] = False

    def __post_init__(self) -> None:
        """Refuse what cannot be written before anything is read."""
        if self.out is None:
            if self.format in _BINARY and sys.stdout.isatty():
                raise QueryError(
                    f"{self.format.value} is binary and stdout is a terminal: name a file with "
                    "--out, or pipe it on."
                )
            return
        _ = self.format
        if self.out.is_file() and not self.overwrite:
            raise QueryError(f"{self.out} exists. Add --overwrite, or name another file.")

    @classmethod
    def of(cls, form: Format | None, out: Path | None) -> Self:
        """Return where the summary of a load goes; it replaces the one of the load before."""
        return cls(form, out, overwrite=True)

    @property
    def format(self) -> Format:
        """The format named, or that of the file's ending, or a table."""
        if self.form is not None or self.out is None:
            return self.form or Format.TABLE
        from ingot.query.result.writers import format_of

        return Format(format_of(self.out))

    @property
    def is_given(self) -> bool:
        """Whether a format or a file is named."""
        return self.form is not None or self.out is not None

    def take(self, answer: Answer) -> None:
        """Write the rows, and tell the notices on stderr.

        Raises:
            QueryError: There is no such column or zone.
            StorageFullError, ConfigError, StorageUnavailableError: It cannot be written.
        """
        for text in answer.notices:
            notice(text)
        if self.columns is not None:
            answer = answer.select([name.strip() for name in self.columns.split(",")])
        if self.zone is not None:
            answer = answer.in_zone(self.zone)
        if self.limit is not None:
            if answer.is_stream:
                notice(f"these are the first {self.limit:,} rows of a long answer; more may follow")
            elif len(answer) > self.limit:
                notice(f"these are the first {self.limit:,} of {counted(len(answer))}")
            answer = answer.head(self.limit)
        if self.out is not None:
            rows = answer.write(self.out, self.format.value)
            notice(f"{counted(rows)} written to {self.out} as {self.format.value}")
        else:
            self._print(answer)

    def _print(self, answer: Answer) -> None:
        try:
            if not sys.stdout.isatty():
                answer.write(sys.stdout.buffer, self.format.value)
            elif self.format is not Format.TABLE:
                show(_text(answer, self.format))
            elif self.pager:
                page(_text(answer, Format.TABLE))
            else:
                self._preview(answer)
            sys.stdout.flush()
        except BrokenPipeError:
            raise
        except OSError as exc:
            raise translate(exc, "stdout", "write") from exc

    def _preview(self, answer: Answer) -> None:
        """Print what fits a terminal: the first and last rows, the first columns, the count."""
        width, height = get_terminal_size()
        rows = self.limit or max(height - _AROUND, _FEWEST_ROWS)
        text, hidden, count = answer.preview(rows, width)
        if hidden:
            notice(
                f"no room for {', '.join(hidden)}: widen the terminal, or choose --columns or "
                "--format csv"
            )
        show(text)
        if count > rows:
            show(f"{counted(count)}; see all with --pager or --out FILE\n")


def _text(answer: Answer, form: Format) -> str:
    text = BytesIO()
    answer.write(text, form.value)
    return text.getvalue().decode(errors="backslashreplace")


def notice(text: str) -> None:
    """Tell a person something besides the answer."""
    tell(f"note: {text}")


def counted(count: int) -> str:
    """Return a number of rows in words."""
    return f"{count:,} row" if count == 1 else f"{count:,} rows"
