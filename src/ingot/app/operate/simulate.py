"""Writes a synthetic market."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ingot.model.progress import silent

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date
    from pathlib import Path

    from ingot.model.progress import Progress
    from ingot.simulator.simulate import Simulated


@dataclass(frozen=True, slots=True)
class SimulationRequest:
    """Which market to write, where and at which stage."""

    out: Path
    start: date
    end: date
    """Half-open."""
    symbols: int = 200
    seed: int = 1
    stage: int = 1
    datasets: tuple[str, ...] = ()
    """Empty for all four."""
    defects: Mapping[date, tuple[str, ...]] = field(default_factory=dict)
    truth: bool = True


def simulate(request: SimulationRequest, *, progress: Progress = silent) -> Simulated:
    """Write a synthetic market in the vendor's own format, with known truth beside it.

    Raises:
        ConfigError: An argument is out of bounds, or `out` holds something else.
        StorageFullError: The disk is full.
    """
    from ingot.simulator.simulate import simulate as write
    from ingot.simulator.vendor.flatfile import DATASETS

    return write(
        request.out,
        start=request.start,
        end=request.end,
        symbols=request.symbols,
        seed=request.seed,
        stage=request.stage,
        datasets=request.datasets or DATASETS,
        defects={day: set(names) for day, names in request.defects.items()},
        truth=request.truth,
        progress=progress,
    )
