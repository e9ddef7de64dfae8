"""Progress as frozen events: reported from threads, rendered by the command line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class StepStarted:
    """A step began; `total` counts `unit`s ("days", "bytes") and is None when unknown."""

    step: str
    total: int | None
    unit: str


@dataclass(frozen=True, slots=True)
class StepAdvanced:
    """`count` more units of a step are through; `label` names the last one."""

    step: str
    count: int
    label: str = ""


@dataclass(frozen=True, slots=True)
class StepEnded:
    """A step is over."""

    step: str


@dataclass(frozen=True, slots=True)
class Notice:
    """Something a person should read; never part of an answer."""

    text: str


ProgressEvent = StepStarted | StepAdvanced | StepEnded | Notice


class Progress(Protocol):
    """Receives events; must be callable from any thread."""

    def __call__(self, event: ProgressEvent) -> None:
        """Take one event."""
        ...


def silent(event: ProgressEvent) -> None:
    """Ignore every event."""
    del event
