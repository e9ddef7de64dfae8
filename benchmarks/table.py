"""The table that the runner prints and writes: ours beside each peer, in one run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.targets import LINES, Line, values_of, verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from benchmarks.actor import Figures

_LOWER_IS_BETTER = {"ms", "cpu_ms", "s", "cpu_s", "mb", "bytes"}


def rows_of(
    told: Mapping[str, Mapping[str, Figures]], actors: Sequence[str], *, full_size: bool
) -> list[tuple[str, ...]]:
    """Return the table's rows, its header first; lines that nobody measured are left out."""
    header = ("work", "ingot", *(f"{a} (ingot is)" for a in actors), "target", "verdict")
    lines = [header]
    for line in LINES:
        values = values_of(line, told)
        if not values:
            continue
        peers = (_against(line, values, actor) for actor in actors)
        ours = _shown(line, _own(values))
        lines.append(
            (line.title, ours, *peers, line.target, verdict(line, values, full_size=full_size))
        )
    return lines


def text(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as text in columns."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as a Markdown table."""
    header, *body = rows
    return "\n".join(_piped([header, ["---"] * len(header), *body])) + "\n"


def _piped(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    for row in rows:
        yield "| " + " | ".join(row) + " |"


def _own(values: Mapping[str, float]) -> float | None:
    return values.get("ingot", values.get("floor"))


def _against(line: Line, values: Mapping[str, float], actor: str) -> str:
    """Return a peer's value, and how many times as good ours is."""
    if actor not in values:
        return ""
    theirs, ours = values[actor], values.get("ingot")
    shown = _shown(line, theirs)
    if not ours or not theirs:
        return shown
    times = theirs / ours if line.form in _LOWER_IS_BETTER else ours / theirs
    return f"{shown} ({times:.2f}x)"


def _shown(line: Line, value: float | None) -> str:
    if value is None:
        return ""
    if line.form in {"speed", "cpu"}:
        return f"{value / 1e6:.2f} M"
    if line.form == "mb":
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
