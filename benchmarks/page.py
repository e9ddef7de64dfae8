"""The committed page of results: only a whole run of full-size days may write it."""

from __future__ import annotations

from pathlib import Path

PAGE = Path(__file__).with_name("results.md")
_REMARKS = "## Remarks\n"
_HEAD = """# Results

`make bench` prints this table for the machine it runs on; `make bench ARGS="--repeat 3 --page"`
writes this page from a whole run. Ratios of one run are the result: absolute figures are of the
machine below, and of what else it did at that time (see its load average; 2 cores are full at 2).
The lines of processor time are the steadier ones.

"""


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
