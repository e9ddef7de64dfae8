"""The committed page of results: only a whole run of full-size days may write it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchmarks.actor import Figures

PAGE = Path(__file__).with_name("results.md")
_REMARKS = "## Remarks\n"
_HEAD = """# Results

`make bench` prints this table for the machine it runs on; `make bench ARGS="--repeat 3 --page"`
writes this page from a whole run. Ratios of one run are the result: absolute figures are of the
machine below, and of what else it did at that time (see its load average; 2 cores are full at 2).
The lines of processor time are the steadier ones.

"""


PROFILE = Path(__file__).with_name("profile.md")
_PROFILE_HEAD = """# Profile

Where the processor time of a cold command goes, and of a load; written with the page of results.
Seconds are the least of five runs, because other work on the machine only adds. The floor of a
command is what its libraries take to load: Python, Typer, pydantic, pyarrow with NumPy, DuckDB.

"""
_COLD = "cold: "
_MANY_ROWS = 1_000_000


def write_profile(
    about: str, told: Mapping[str, Mapping[str, Figures]], *, page: Path = PROFILE
) -> None:
    """Write the page of profiles: of our cold commands, and of a load beside its floors."""
    page.write_text(f"{_PROFILE_HEAD}{about}\n\n{_commands(told['ingot'])}\n{_load(told)}")


def _commands(steps: Mapping[str, Figures]) -> str:
    lines = [
        "| cold command | processor s | floor: its libraries | our modules | of them | work |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for step, f in steps.items():
        if step.startswith(_COLD):
            parts = " | ".join(f"{f[k]:.2f}" for k in ("cpu", "libraries", "own"))
            name = step.removeprefix(_COLD)
            lines.append(f"| {name} | {parts} | {f['modules']:.0f} | {f['work']:.2f} |")
    return "\n".join(lines) + "\n"


def _load(told: Mapping[str, Mapping[str, Figures]]) -> str:
    """Return the processor seconds that each step takes for a million rows."""
    lines = ["| step over a million rows | processor s |", "| --- | --- |"]
    for actor in ("ingot", "floor"):
        for step, f in told.get(actor, {}).items():
            if f.get("rows", 0) >= _MANY_ROWS and f.get("cpu"):
                name = step if actor == "ingot" else f"floor: {step}"
                lines.append(f"| {name} | {f['cpu'] / f['rows'] * 1e6:.3f} |")
    return "\n".join(lines) + "\n"


def missing(wanted: dict[str, set[str]], found: dict[str, set[str]]) -> list[str]:
    """Return what a whole run has and this one has not.

    >>> missing({"steps": {"load", "silver"}, "peers": {"duckdb"}}, {"steps": {"load"}})
    ['peers: duckdb', 'steps: silver']
    """
    absent = {kind: names - found.get(kind, set()) for kind, names in wanted.items()}
    return sorted(f"{kind}: {', '.join(sorted(names))}" for kind, names in absent.items() if names)


def write(about: str, table: str, *, page: Path = PAGE) -> None:
    """Put a new table on the page; the remarks below it are a person's and stay."""
    before = page.read_text() if page.exists() else ""
    remarks = before[before.index(_REMARKS) :] if _REMARKS in before else f"{_REMARKS}\nNone yet.\n"
    page.write_text(f"{_HEAD}{about}\n\n{table}\n{remarks}")
