"""What the processes of one run told: each step's figures, of every round."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.actor import Figures

_SPREAD = ("seconds", "cpu")


class Told:
    """Collects figures by actor and step; rounds of the same step are merged."""

    def __init__(self) -> None:
        self._rounds: dict[str, dict[str, list[Figures]]] = {}

    def take(self, actor: str, step: str, figures: Figures) -> None:
        """Keep one round's figures of a step."""
        self._rounds.setdefault(actor, {}).setdefault(step, []).append(figures)

    def merged(self) -> dict[str, dict[str, Figures]]:
        """Return actor -> step -> figures of all rounds."""
        return {
            actor: {step: merged(rounds) for step, rounds in steps.items()}
            for actor, steps in self._rounds.items()
        }


def merged(rounds: list[Figures]) -> Figures:
    """Return each figure's median with the greatest peak memory; the least and greatest beside.

    >>> rounds = [{"seconds": s, "peak_mb": p} for s, p in ((3.0, 10), (1.0, 12), (2.0, 11))]
    >>> merged(rounds)
    {'seconds': 2.0, 'peak_mb': 12, 'seconds_least': 1.0, 'seconds_greatest': 3.0, 'rounds': 3}
    """
    if len(rounds) == 1:
        return rounds[0]
    found = {name: statistics.median(r[name] for r in rounds if name in r) for name in rounds[0]}
    found["peak_mb"] = max(r["peak_mb"] for r in rounds)
    for name in _SPREAD:
        if name in rounds[0]:
            found[f"{name}_least"] = min(r[name] for r in rounds)
            found[f"{name}_greatest"] = max(r[name] for r in rounds)
    found["rounds"] = len(rounds)
    return found
