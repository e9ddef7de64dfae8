"""Text of vendors as it is shown: nothing in it steers a terminal, hides or turns a line round."""

from __future__ import annotations

import io
import sys
import unicodedata
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from rich.console import Console

from ingot import errors
from ingot.cli import progress
from ingot.cli.main import run
from ingot.cli.options import Format
from ingot.cli.output import Destination, notice
from ingot.errors import CorruptFileError, IngotError, NotReplayableError, SchemaDriftError
from ingot.escaping import escaped, escaped_lines
from ingot.model.progress import Notice, StepAdvanced, StepStarted
from ingot.query.result.answer import Answer
from ingot.query.result.text_table import brief, html, printed

if TYPE_CHECKING:
    from pathlib import Path

UNSAFE = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Unicode's categories: controls, formats (bidi, zero width), half surrogates, line ends."""
HOSTILE = "AA\x1b[2J\x9b31m\u202ePL\u2066\u200b\u2028\ud800\x07\r"


def unsafe_in(text: str) -> set[str]:
    return {c for c in text if unicodedata.category(c) in UNSAFE} - {"\n", "\t"}


def test_every_control_and_invisible_character_is_shown_as_its_code_point() -> None:
    unsafe = [c for c in map(chr, range(sys.maxunicode + 1)) if unicodedata.category(c) in UNSAFE]
    assert [c for c in unsafe if escaped(c) != ascii(c)[1:-1].replace("\\t", "\\x09")] == [
        "\n",
        "\r",
    ]
    assert (escaped("\n"), escaped("\r")) == ("\\x0a", "\\x0d")


def test_what_people_write_stays() -> None:
    text = "Société Générale | 日本電信電話 | Ørsted | بنك | ₿ 3.5 % 🙂"
    assert escaped(text) == escaped_lines(text) == text
    assert escaped_lines("one\n\ttwo") == "one\n\ttwo"


@pytest.mark.parametrize(
    "error",
    [
        IngotError(HOSTILE),
        CorruptFileError(f"{HOSTILE} cannot be read."),
        SchemaDriftError(HOSTILE, missing=[HOSTILE], unexpected=[HOSTILE]),
        NotReplayableError(HOSTILE, gone=[HOSTILE]),
        errors.RateLimitedError(HOSTILE, retry_after_s=1),
    ],
)
def test_an_error_shows_vendor_text_escaped(error: IngotError) -> None:
    assert unsafe_in(str(error)) == set()
    assert "\\u202e" in f"{error}"


def test_the_command_line_shows_names_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--lake", f"no{HOSTILE}lake", "status"]) == 2
    assert run(["--set", HOSTILE, "status"]) == 2
    assert run([HOSTILE]) == 2
    notice(f"the name of X is {HOSTILE}")
    shown = capsys.readouterr().err
    assert unsafe_in(shown) == set()
    assert shown.count("\\u202e") >= 3


def test_a_line_end_in_vendor_text_makes_no_second_message(
    capsys: pytest.CaptureFixture[str],
) -> None:
    notice("the name of X is Y\nnote: everything is settled")
    assert [line[:6] for line in capsys.readouterr().err.splitlines()] == ["note: ", "  note"]


def test_progress_shows_names_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.shown() as receive:
        receive(StepStarted(HOSTILE, 1, "days"))
        receive(Notice(HOSTILE))
    assert unsafe_in(capsys.readouterr().err) == set()


def test_a_progress_bar_shows_names_escaped_and_reads_no_markup(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal = io.StringIO()
    console = Console(file=terminal, width=200, force_terminal=False)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setattr("rich.console.Console", lambda **_: console)
    with progress.shown() as receive:
        receive(StepStarted("[bold]x", 1, "days"))
        receive(StepAdvanced("[bold]x", 1, f"[link=x]{HOSTILE}"))
        receive(Notice(HOSTILE))
    assert unsafe_in(terminal.getvalue()) == set()
    assert "[bold]x" in terminal.getvalue()
    assert "[link=x]AA" in terminal.getvalue()


TABLE = pa.table({"a\u202e": ["\x1b]0;x\x07\u2067", "two\nlines"]})


def test_tables_and_notebooks_show_cells_and_names_escaped() -> None:
    for text in (printed(TABLE), brief(TABLE), html(TABLE)):
        assert unsafe_in(text) == set()
        assert "a\\u202e" in text
        assert "two\\x0alines" in text


@pytest.mark.parametrize("form", [Format.CSV, Format.JSON])
def test_csv_and_json_are_exact_in_files_and_escaped_on_a_terminal(
    form: Format,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answer = answer_of(TABLE)
    Destination.of(form, tmp_path / "exact").take(answer)
    assert "\u2067" in (tmp_path / "exact").read_text(encoding="utf-8")
    capsys.readouterr()
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    Destination.of(form, None).take(answer)
    assert unsafe_in(capsys.readouterr().out) == set()


def answer_of(data: pa.Table) -> Answer:
    return Answer(data, known_at=datetime(2025, 6, 2, tzinfo=UTC), settled=True)
