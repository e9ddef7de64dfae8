"""The lines of the table: what is compared, and what DESIGN section 10 wants of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from benchmarks.actor import Figures

Told = "Mapping[str, Mapping[str, Figures]]"
"""Actor -> step -> figures; ours is `ingot`."""
Form = Literal["speed", "cpu", "ms", "cpu_ms", "mb", "bytes", "s", "cpu_s"]
"""cpu: rows for each second of a processor, which other work on the machine disturbs less;
cpu_ms, cpu_s: the processor time of one piece of work, its processes together."""
_FULL_DAY = 1_000_000


@dataclass(frozen=True)
class Line:
    """One line of the table."""

    title: str
    step: str
    """The step that every actor tells under this name."""
    form: Form
    target: str
    meets: Callable[[Mapping[str, float]], bool] | None = None
    """Says whether the values by actor meet the target; None for a line without one."""
    full_size: bool = True
    """The target is meant for full-size days only."""


def _ahead(**least: float) -> Callable[[Mapping[str, float]], bool]:
    """Return a check that ours is at least so many times each peer that was measured."""

    def meets(values: Mapping[str, float]) -> bool:
        measured = {peer: share for peer, share in least.items() if peer in values}
        return all(values["ingot"] >= share * values[peer] for peer, share in measured.items())

    return meets


def _at_most(limit: float) -> Callable[[Mapping[str, float]], bool]:
    return lambda values: values["ingot"] <= limit


def _at_most_each(limit: float) -> Callable[[Mapping[str, float]], bool]:
    return lambda values: values["ingot"] <= limit * values.get("at once", 1)


def _smallest(values: Mapping[str, float]) -> bool:
    return values["ingot"] <= values["gzip"]


LINES = (
    Line(
        "csv.gz to committed bronze, rows/s",
        "load",
        "speed",
        ">= 85 % of polars; >= clickhouse, duckdb; >= 8x spark",
        _ahead(polars=0.85, clickhouse=1.0, duckdb=1.0, spark=8.0),
    ),
    Line(
        "  rows a processor second",
        "load",
        "cpu",
        "the same",
        _ahead(polars=0.85, clickhouse=1.0, duckdb=1.0, spark=8.0),
    ),
    Line("  its peak memory, MB", "load", "mb", "<= 700", _at_most(700)),
    Line(
        "bronze to silver, rows/s",
        "silver",
        "speed",
        ">= duckdb; >= 6x spark",
        _ahead(duckdb=1.0, spark=6.0),
    ),
    Line("  rows a processor second", "silver", "cpu", "the same", _ahead(duckdb=1.0, spark=6.0)),
    Line("  its peak memory, MB", "silver", "mb", "<= 1000 a day at once", _at_most_each(1000)),
    Line("stored, bytes a bar", "stored", "bytes", "<= the vendor's gzip", _smallest),
    Line("stored silver, bytes a bar", "stored silver", "bytes", ""),
    Line("one symbol, one day, ms", "one symbol one day", "ms", "<= 3", _at_most(3)),
    Line("  processor time, ms", "one symbol one day", "cpu_ms", ""),
    Line("one symbol, 20 days, ms", "one symbol 20 days", "ms", "<= 15", _at_most(15)),
    Line("  processor time, ms", "one symbol 20 days", "cpu_ms", ""),
    Line("market, one minute, ms", "market one minute", "ms", "<= 20", _at_most(20)),
    Line("  processor time, ms", "market one minute", "cpu_ms", ""),
    Line("  the same in SQL, six columns, ms", "market one minute in SQL", "ms", ""),
    Line(
        "daily bars of all from minutes, ms",
        "daily bars from minutes",
        "ms",
        "<= 800",
        _at_most(800),
    ),
    Line("  processor time, ms", "daily bars from minutes", "cpu_ms", ""),
    Line("the same from gold, ms", "daily bars from gold", "ms", ""),
    Line("a question in SQL, ms", "a question", "ms", ""),
    Line("a kept answer, ms", "the same again", "ms", ""),
    Line("replace a day: in bronze, s", "replace a day in bronze", "s", "<= 2", _at_most(2)),
    Line("  processor time, s", "replace a day in bronze", "cpu_s", ""),
    Line("replace a day: in silver, s", "replace a day in silver", "s", ""),
    Line("  processor time, s", "replace a day in silver", "cpu_s", ""),
    Line("  commit to bronze, s", "commit to bronze.minute_bars", "s", ""),
    Line("  commit to silver, s", "commit to silver.minute_bars", "s", ""),
    Line("plan a day, 250 files, ms", "plan few", "ms", ""),
    Line("plan a day, 2,500 files, ms", "plan many", "ms", "<= 50", _at_most(50)),
    Line("  the first plan of a process, ms", "first plan", "ms", ""),
    Line("no change to ingest, 250 days, s", "idle ingest", "s", "<= 1", _at_most(1)),
    Line("no change to build, 250 days, s", "idle build", "s", ""),
    Line("import ingot, ms", "import ingot", "ms", "<= 50", _at_most(50), full_size=False),
    Line("ingot --help, ms", "ingot --help", "ms", "<= 300", _at_most(300), full_size=False),
    Line("  bare python, ms", "bare python", "ms", ""),
    Line("cold process to a first answer, ms", "cold answer", "ms", "<= 400", _at_most(400)),
    Line(
        "cold bars of a day, processor s", "cold: bars of a day", "cpu_s", "<= 0.7", _at_most(0.7)
    ),
    Line("  hours of a day", "cold: hours of a day", "cpu_s", "<= 0.7", _at_most(0.7)),
    Line("  a SELECT, with its own process", "cold: a SELECT", "cpu_s", ""),
    Line("cold init, processor s", "cold: init", "cpu_s", "<= 0.8", _at_most(0.8)),
    Line("  nothing new to ingest", "cold: nothing new to ingest", "cpu_s", "<= 1", _at_most(1)),
    Line("  nothing new to build", "cold: nothing new to build", "cpu_s", "<= 1", _at_most(1)),
    Line("floor: inflate (isal), rows/s", "inflate", "speed", ""),
    Line("  rows a processor second", "inflate", "cpu", ""),
    Line("floor: parse doubles (Polars), rows/s", "parse doubles", "speed", ""),
    Line("  rows a processor second", "parse doubles", "cpu", ""),
    Line("floor: parse decimals (Polars), rows/s", "parse decimals", "speed", ""),
    Line("  rows a processor second", "parse decimals", "cpu", ""),
    Line("floor: write Parquet (Polars), rows/s", "write", "speed", ""),
    Line("  rows a processor second", "write", "cpu", ""),
)


def values_of(line: Line, told: Mapping[str, Mapping[str, Figures]]) -> dict[str, float]:
    """Return the line's value of each actor that told the step."""
    found = {}
    for actor, steps in told.items():
        if (figures := steps.get(line.step)) is not None:
            value = _value(line.form, figures)
            if value is not None:
                found[actor] = value
    ours = told.get("ingot", {})
    if line.form == "mb" and (at_once := ours.get(line.step, {}).get("at_once")):
        found["at once"] = at_once
    if line.step == "stored" and "ingot" in found:
        found["gzip"] = ours["gzip"]["bytes"] / ours["stored"]["rows"]
    return found


def _value(form: Form, figures: Figures) -> float | None:
    if form == "mb":
        return figures["peak_mb"]
    if form == "bytes":
        return figures["bytes"] / figures["rows"] if figures.get("rows") else None
    if form == "cpu":
        return figures["rows"] / figures["cpu"] if figures.get("cpu") else None
    if form in {"cpu_ms", "cpu_s"}:
        return figures["cpu"] * (1000 if form == "cpu_ms" else 1) if figures.get("cpu") else None
    seconds = figures["seconds"]
    if form == "speed":
        return figures["rows"] / seconds if figures.get("rows") and seconds else None
    return seconds * 1000 if form == "ms" else seconds


def verdict(line: Line, values: Mapping[str, float], *, full_size: bool) -> str:
    """Return met, MISSED, or nothing where there is no target or no figure."""
    if line.meets is None or "ingot" not in values:
        return ""
    if line.full_size and not full_size:
        return "small market"
    return "met" if line.meets(values) else "MISSED"
