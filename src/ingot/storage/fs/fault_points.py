"""Named points at the border of every durable step, where tests inject faults."""

from __future__ import annotations

from typing import Protocol


class Boundary(Protocol):
    """Called each time a durable step is about to happen or has just happened."""

    def __call__(self, point: str) -> None:
        """Return, raise, or end the process; `point` is e.g. `version.before_link`."""
        ...


def undisturbed(point: str) -> None:
    """Let everything pass: the boundary of normal operation."""
    del point
