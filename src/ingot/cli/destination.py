"""Where an answer's rows go, and in which format; notices go to stderr."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from io import BytesIO
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Final

from ingot.cli.choices import Format
from ingot.cli.terminal import show, tell
from ingot.errors import QueryError
from ingot.failures import translate

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self

    from ingot.query.answer import Answer

_BINARY: Final = {Format.PARQUET, Format.ARROW}
_SUFFIXES: Final = {f".{form.value}": form for form in Format if form is not Format.TABLE} | {
    ".pq": Format.PARQUET,
    ".feather": Format.ARROW,
}


@dataclass(frozen=True, slots=True)
class Destination:
    """A format and a file, or stdout."""

    form: Format
    out: Path | None

    @classmethod
    def of(cls, form: Format | None, out: Path | None) -> Self:
        """Return where rows go; without `--format` the name of `--out` says how.

        Raises:
            QueryError: Bytes would go to a terminal.
        """
        if form is None:
            form = _SUFFIXES.get(out.suffix.lower(), Format.TABLE) if out else Format.TABLE
        if out is None and form in _BINARY and sys.stdout.isatty():
            raise QueryError(
                f"{form.value} is binary and stdout is a terminal: name a file with --out, "
                "or pipe it on."
            )
        return cls(form, out)

    def take(self, answer: Answer) -> None:
        """Write the rows, and tell the notices on stderr.

        Raises:
            StorageFullError, ConfigError, StorageUnavailableError: It cannot be written.
        """
        for text in answer.notices:
            notice(text)
        if self.out is not None:
            answer.write(self.out, self.form.value)
            notice(f"{counted(len(answer))} written to {self.out} as {self.form.value}")
            return
        if self.form is Format.TABLE and sys.stdout.isatty():
            answer, hidden = answer.fitting(get_terminal_size().columns)
            if hidden:
                notice(
                    f"no room for {', '.join(hidden)}: widen the terminal, or choose --format csv"
                )
        self._print(answer)

    def _print(self, answer: Answer) -> None:
        try:
            if sys.stdout.isatty():
                text = BytesIO()
                answer.write(text, self.form.value)
                show(text.getvalue().decode(errors="backslashreplace"))
            else:
                answer.write(sys.stdout.buffer, self.form.value)
            sys.stdout.flush()
        except BrokenPipeError:
            raise
        except OSError as exc:
            raise translate(exc, "stdout", "write") from exc


def notice(text: str) -> None:
    """Tell a person something that is no part of the answer."""
    tell(f"note: {text}")


def counted(count: int) -> str:
    """Return a number of rows in words."""
    return f"{count:,} row" if count == 1 else f"{count:,} rows"
